"""python -m tools.mutants [NAME ...]: break the code in one place at a time; a test must fall each time.

Renews the rows of tests/mutants.md, all or those named: what was changed, and the first test that noticed.
Ends with 1 when one did not.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("gan_core", "tests", "tools", "weights", "pyproject.toml")
LIST = ROOT / "tests" / "mutants.md"
HEAD = ("# Mutants", "", "Each line is a mistake put into the code on purpose, and the test that noticed it.",
        "Made by `python -m tools.mutants`.", "", "| what was broken | where | the test that fell |",
        "|---|---|---|")  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: what it breaks, the file below gan_core, the words that stand there, what replaces them."""

    what: str
    file: str
    old: str
    new: str
    tests: str


LOSS, PEN, STAB, MOV = "test_losses.py", "test_penalties.py", "test_stabilisers.py", "test_controllers.py"
WORLD = "test_distributed.py"
SEEDS = "test_seeds.py"
LABELS, TOGETHER, CODES = "test_labels.py", "test_together.py", "test_codes.py"
MUTANTS = (
    Mutant("non-saturating D: a sign", "losses.py", "F.softplus(-real).mean() + F.softplus(fake)", "F.softplus(real).mean() + F.softplus(fake)", LOSS),
    Mutant("non-saturating G: a sign", "losses.py", "return F.softplus(-fake).mean()", "return F.softplus(fake).mean()", LOSS),
    Mutant("minimax G: the non-saturating one", "losses.py", "return -F.softplus(fake).mean()", "return F.softplus(-fake).mean()", LOSS),
    Mutant("least squares D: without the half", "losses.py", "(0.5 * (real - 1).square() + 0.5", "((real - 1).square() + 0.5", LOSS),
    Mutant("least squares G: aims at 0", "losses.py", "0.5 * (fake - 1).square().mean()", "0.5 * fake.square().mean()", LOSS),
    Mutant("hinge D: no margin for fakes", "losses.py", "F.relu(1 + fake)", "F.relu(fake)", LOSS),
    Mutant("Wasserstein D: the other interpolation round", "losses.py", "return (fake - real).mean()", "return (real - fake).mean()", LOSS),
    Mutant("critic G: a sign", "losses.py", "return -fake.mean()", "return fake.mean()", LOSS),
    Mutant("relativistic D: pairs not kept", "losses.py", "F.softplus(fake - real).mean()", "F.softplus(fake.mean() - real).mean()", LOSS),
    Mutant("relativistic G overwritten by the plain one", "losses.py", "return F.softplus(real - fake).mean()", "return F.softplus(-fake).mean()", LOSS),
    Mutant("smoothing: the fake side too", "losses.py", "(1 - target) * real.mean()", "(1 - target) * (real.mean() - fake.mean())", STAB),
    Mutant("smoothing: the resting point of the sharp game", "losses.py", "replace(game, d=d, at_rest=rest)", "replace(game, d=d)", LOSS),
    Mutant("smoothing: at rest D answers 0", "losses.py", "math.log(target / (2 - target))", "0.0 * math.log(target)", LOSS),
    Mutant("hinge: a resting point for G, who has none", "losses.py", "at_rest=(2.0, None)", "at_rest=(2.0, 0.0)", LOSS),
    Mutant("double sigmoid: a resting point at 0", "losses.py", "at_rest=None,  # D's loss falls", "at_rest=(1.4482, 0.4741),  # D's loss falls", LOSS),
    Mutant("label_flip_prob: none", "losses.py", "torch.where(wrong, fake, real)", "torch.where(wrong, real, real)", STAB),
    Mutant("R1 without its half", "penalties.py", "return 0.5 * slopes(D, real,", "return slopes(D, real,", PEN),
    Mutant("R2 at real pictures", "penalties.py", "slopes(D, fake, labels, logits[1])", "slopes(D, real, labels, logits[0])", PEN),
    Mutant("R1 and R2: one of them", "penalties.py", "labels, logits) + r2(D, real, fake, labels, logits)", "labels, logits)", PEN),
    Mutant("R1 by difference: not divided by the step", "penalties.py", "(difference / STEP).square()", "difference.square()", PEN),
    Mutant("gradient penalty: one norm for the batch", "penalties.py", "lengths = (gradient.square().sum(1) + TINY).sqrt()", "lengths = (gradient.square().sum() + TINY).sqrt()[None]", PEN),
    Mutant("gradient penalty: one share for the batch", "penalties.py", "torch.rand(len(real), 1, 1, 1,", "torch.rand(1, 1, 1, 1,", PEN),
    Mutant("gradient penalty: the mean of squares, not (l - 1)^2", "penalties.py", "(lengths - 1).square().mean()", "lengths.square().mean()", PEN),
    Mutant("DRAGAN: around fakes", "penalties.py", "around = real + 0.5 * real.std()", "around = fake + 0.5 * real.std()", PEN),
    Mutant("DRAGAN: at real pictures, not around them", "penalties.py", "around = real + 0.5 * real.std()", "around = real + 0.0 * real.std()", PEN),
    Mutant("DRAGAN: a whole deviation", "penalties.py", "around = real + 0.5 * real.std()", "around = real + real.std()", PEN),
    Mutant("DRAGAN: noise to both sides", "penalties.py", "real.std() * torch.rand_like(real)", "real.std() * (2 * torch.rand_like(real) - 1)", PEN),
    Mutant("DRAGAN: one noise for a picture", "penalties.py", "real.std() * torch.rand_like(real)", "real.std() * torch.rand_like(real[..., :1])", PEN),
    Mutant("penalties: no second derivative", "penalties.py", "create_graph=True", "create_graph=False", PEN),
    Mutant("lazy penalty: weight not multiplied", "training/objective.py", "return weight * config.penalty_every * row", "return weight * row", STAB),
    Mutant("trial: a lazy penalty in each round", "training/session.py", "state.step = number\n", "state.step = 0\n", "test_training.py"),
    Mutant("trial: a lazy penalty counts as often as none", "training/speed.py", "(1 - dear) * plain + dear * penalised", "(plain + penalised) / 2", "test_training.py"),
    Mutant("lazy penalty: betas not adjusted", "training/state.py", "(config.beta1**share, config.beta2**share) if share < 1", "(config.beta1, config.beta2) if share < 1", STAB),
    Mutant("weight clipping: the upper side only", "training/objective.py", "parameter.clamp_(-bound, bound)", "parameter.clamp_(max=bound)", STAB),
    Mutant("clipping by value as by length", "training/objective.py", "nn.utils.clip_grad_value_(learning, value)", "nn.utils.clip_grad_norm_(learning, value)", STAB),
    Mutant("R1 by difference: two dropout masks", "penalties.py", "with torch.random.fork_rng(_devices(real)):", "if True:", PEN),
    Mutant("lazy penalty: counted by rounds", "training/iteration.py", "if turn % config.penalty_every == 0", "if state.step % config.penalty_every == 0", MOV),
    Mutant("divergence in the last steps is a good end", "training/loop.py", "    if metrics is None:", "    if False:", "test_training.py"),
    Mutant("lazy penalty of weight 0 slows D down", "penalties.py", 'name != "none" and weight != 0', 'name != "none"', STAB),
    Mutant("seeds: noise from that of the weights", "training/state.py", 'stream_seed(config.seed, "latents")', 'stream_seed(config.seed, "weights")', SEEDS),
    Mutant("seeds: chance of the steps from that of the noise", "training/session.py", 'stream_seed(config.seed, "training")', 'stream_seed(config.seed, "latents")', SEEDS),
    Mutant("seeds: the order of pictures from that of the noise", "training/batch_sampler.py", 'stream_seed(self.seed, "data_order", epoch)', 'stream_seed(self.seed, "latents")', SEEDS),
    Mutant("seeds: the sample grid is scored", "training/record.py", 'stream_seed(seed, "sample_grid")', 'stream_seed(0, "evaluation")', SEEDS),
    Mutant("seeds: another process begins as the first", "training/distributed.py", 'stream_seed(seed, "training", step, self.rank)', 'stream_seed(seed, "training")', SEEDS),
    Mutant("seeds: of the streams, not of the run", "seeds.py", "SeedSequence(seed, ", "SeedSequence(0, ", SEEDS),
    Mutant("seeds: a run of an earlier version goes on without a word", "training/snapshot.py", '"streams": 1}', '"streams": VERSION}', SEEDS),
    Mutant("R1 by difference: spectral norm moves between the passes", "penalties.py", "with parametrize.cached():", "if True:", PEN),
    Mutant("R1 by difference: one pass teaches nothing", "penalties.py", "difference = there - D(real, labels).logits.float()", "difference = there - D(real, labels).logits.float().detach()", PEN),
    Mutant("R1: a second look though the step has its logits", "penalties.py", "slopes(D, real, labels, logits[0])", "slopes(D, real, labels)", PEN),
    Mutant("R2: a second look though the step has its logits", "penalties.py", "slopes(D, fake, labels, logits[1])", "slopes(D, fake, labels)", PEN),
    Mutant("gradient penalty: counted among those at the batch", "training/objective.py", "PENALTIES[config.penalty].reuses", "True", PEN),
    Mutant("slerp: the angle by its cosine", "latent.py", "2 * torch.atan2(apart, together)", "torch.acos((unit_a * unit_b).sum(-1, keepdim=True).clamp(-1.0, 1.0))", "test_latent.py"),
    Mutant("slerp: no straight interpolation between opposite ends", "latent.py", "torch.where(sine < 1e-4", "torch.where(sine < -1", "test_latent.py"),
    Mutant("ADA: moves at exact equality", "training/controllers.py", "(sure > self.target) - ", "(sure >= self.target) - ", MOV),
    Mutant("class loss of D: fakes alone", "training/step.py", "naming = naming + objective", "naming = objective", "test_step.py"),
    Mutant("curves: the terms beside the loss left out", "training/step.py", "fake.detach(), gradient, kept)", "fake.detach(), gradient)", "test_step.py"),
    Mutant("curves: G's terms called D's", "training/record.py", 'f"{name}/G": term', 'f"{name}/D": term', "test_step.py"),
    Mutant("curves: a lazy penalty in its own step only", "training/record.py", "{} if state.lazy_penalty is None else", "{} if True else", "test_step.py"),
    Mutant("resume: the last lazy penalty forgotten", "training/snapshot.py", 'tensors["lazy_penalty"].to(', 'torch.zeros_like(tensors["lazy_penalty"]).to(', MOV),
    Mutant("processes: packs torn", "training/session.py", "batch=config.batch // world.world_size)\n    for rule", "batch=config.batch)\n    for rule", WORLD),
    Mutant("mode seeking: without its tangent", "mode_seeking.py", "return 1.0 / kept + (kept - ratio) / LEAST**2", "return 1.0 / kept", MOV),
    Mutant("ADA: the wrong interpolation", "training/controllers.py", "(sure > self.target) - (sure < self.target)", "(sure < self.target) - (sure > self.target)", MOV),
    Mutant("ADA: four times too fast", "training/controllers.py", "OBSERVED * count / self.reach", "4 * OBSERVED * count / self.reach", MOV),
    Mutant("ADA: the chance is not kept", "training/controllers.py", "self.adaptive_augment.chance, *self.adaptive_augment.signs = numbers", "_, *self.adaptive_augment.signs = numbers", MOV),
    Mutant("ADA: one chance for the batch", "augment.py", "chosen = torch.rand(len(pictures), 1, 1, 1,", "chosen = torch.rand(1, 1, 1, 1,", MOV),
    Mutant("dynamic schedule: D speeds up while it wins", "training/controllers.py", "0.2 * (self.TARGET - self.right)", "0.2 * (self.right - self.TARGET)", MOV),
    Mutant("infinite moments are sound", "training/state.py", '(("G", self.g_optimizer), ("D", self.d_optimizer))', "()", "test_training.py"),
    Mutant("large moments are first_nonfinite", "training/state.py", "return all(bool(tensor.isfinite().all()) for tensor in tensors)", "return False", "test_training.py"),
    Mutant("a due save of an first_nonfinite state: the run goes on", "training/loop.py", 'if session.first_nonfinite is None else "diverged"', 'if True else "diverged"', "test_training.py"),
    Mutant("an first_nonfinite state in the last steps is a good end", "training/loop.py", "    if first_nonfinite := state.first_nonfinite():", "    if first_nonfinite := None:", "test_training.py"),
    Mutant("processes: an first_nonfinite state ends the first alone", "training/loop.py", 'if order == "diverged":', "if session.first_nonfinite:", "test_training.py"),
    Mutant("dynamic schedule: not applied", "training/state.py", "lazy_share(config) * d_share", "lazy_share(config)", MOV),
    Mutant("growing batch: stays", "training/controllers.py", "int(config.batch * 2**done)", "config.batch", MOV),
    Mutant("mode seeking: not turned over", "mode_seeking.py", "return 1.0 / kept +", "return kept +", MOV),
    Mutant("mode seeking: not in G's loss", "training/step.py", "objective.mode_seeking_loss(state, batch.labels, len(drawn.z))", "0.0", MOV),
    Mutant("G's steps: all on one batch", "training/iteration.py", "if turn > 0:", "if False:", MOV),
    Mutant("rotation: about a corner", "augment.py", "turn = torch.stack([cosine, -sine, none, sine, cosine, none], 1)", "turn = torch.stack([cosine, -sine, angle, sine, cosine, angle], 1)", MOV),
    Mutant("real augmentation: fakes too", "training/objective.py", "changes: list[Change] = [*noises,", "changes: list[Change] = [AUGMENTS['translation'], *noises,", MOV),
    Mutant("stale batch mistake: mended", "losses.py", "F.softplus(-fake.detach()).mean() + 0.0", "F.softplus(-fake).mean() + 0.0", MOV),
    Mutant("L1: the weight in place of its sign", "training/objective.py", "parameter.detach().sign()", "parameter.detach()", STAB),
    Mutant("spectral norm not applied", "networks/dcgan.py", "                spectral_norm(layer)", "                pass", STAB),
    Mutant("a network's own norms not kept", "networks/__init__.py", "model = replace(model, **row.fixed)", "pass", STAB),
    Mutant("batch norm kept without norm", "networks/dcgan.py", 'norm=k > 0 and model.d_norm == "batch"', "norm=k > 0", STAB),
    Mutant("dropout ignored", "networks/dcgan.py", "nn.Dropout(model.d_dropout)", "nn.Dropout(0.0)", "test_branch.py test_stabilisers.py"),
    Mutant("instance noise does not fade", "training/controllers.py", "noise.share = max(0.0, 1.0 - progress)", "noise.share = 1.0", STAB),
    Mutant("auxiliary: fakes are not named", "training/step.py", "        if objective.names_fakes:", "        if False:", LABELS),
    Mutant("auxiliary: logits among the names", "networks/base.py", 'out[:, 1:] if self.how == "auxiliary"', 'out[:, :-1] if self.how == "auxiliary"', LABELS),
    Mutant("label planes: the same for all", "networks/labels.py", "own = F.one_hot(labels, self.classes)", "own = F.one_hot(labels * 0, self.classes)", LABELS),
    Mutant("class norm: no offset", "networks/labels.py", "return self.norm(h) * gain + offset", "return self.norm(h) * gain", LABELS),
    Mutant("class norm: labels between classes lose their shares", "networks/labels.py", "return labels.to(table.dtype) @ table", "return F.embedding(labels.argmax(1), table)", LABELS),
    Mutant("minibatch deviation: over the whole batch", "networks/base.py", "features.float().view(-1, GROUP, features.shape[1])", "features.float()[None]", TOGETHER),
    Mutant("minibatch deviation: variance", "networks/base.py", "(groups.var(1, correction=0) + TINY).sqrt().mean(1)", "(groups.var(1, correction=0) + TINY).mean(1)", TOGETHER),
    Mutant("minibatch deviation: not shown", "networks/base.py", "if self.compares else features\n", "if False else features\n", TOGETHER),
    Mutant("packs: every second picture left out", "training/objective.py", "pictures.reshape(count // self.size, self.size * channels, height, width)", "pictures[:: self.size].repeat(1, self.size, 1, 1)", TOGETHER),
    Mutant("packs: not packed", "training/objective.py", "        changes.append(Pack(config.pack))", "        pass", TOGETHER),
    Mutant("InfoGAN: the code does not reach G", "training/step.py", '"code": objective.code_loss(on_fake, drawn.z),\n            "mode', '"code": 0.0,\n            "mode', CODES),
    Mutant("InfoGAN: no gradient", "codes.py", "loss = answer.new_zeros(())", "answer, loss = answer.detach(), answer.sum() * 0", CODES),
    Mutant("InfoGAN: a softmax before the cross-entropy", "codes.py", "F.cross_entropy(answer[:, :classes],", "F.cross_entropy(answer[:, :classes].softmax(1),", CODES),
    Mutant("InfoGAN: deviations do not count", "codes.py", "0.5 * off.square() + log_deviation +", "0.5 * off.square() +", CODES),
    Mutant("InfoGAN: the code is read beside its place", "codes.py", "z[:, first : first + classes].argmax(1)", "z[:, first - 1 : first - 1 + classes].argmax(1)", CODES),
    Mutant("codes: not equally often", "latent.py", "F.one_hot(code.argmax(1), classes)", "F.one_hot(code.argmax(1) // 2, classes)", CODES),
    Mutant("matching: codes may share a class", "codes.py", "assignment(-table)", "(-table).argmin(1)", CODES),
    Mutant("matching: prices of rows forgotten", "codes.py", "rows[owner[done]] += step", "pass", CODES),
    Mutant("start from: D forgotten", "training/warm_start.py", '(("G", state.G), ("D", state.D))', '(("G", state.G),)', "test_warm_start.py"),
    Mutant("start from: nothing copied", "training/warm_start.py", "own.copy_(other)", "pass", "test_warm_start.py"),
    Mutant("start from: the smoothed generator as drawn", "training/warm_start.py", "    state.ema.load_state_dict(copy.deepcopy(state.G.state_dict()))", "    pass", "test_warm_start.py"),
    Mutant("start from: counters count as a fit", "training/warm_start.py", "own[key].ndim > 1 and", "", "test_warm_start.py"),
    Mutant("batch_end: says a wrong end", "rules.py", "(asked // config.batch).bit_length() - 1)", "(asked // config.batch).bit_length())", "test_rules.py"),
    Mutant("mlp-64: widths the wrong interpolation round", "networks/articles.py", "[model.d_width * k for k in (4, 2, 1)]", "[model.d_width * k for k in (1, 2, 4)]", "test_presets.py"),
    Mutant("projection: without the label", "networks/base.py", "(self.embedding(labels) * features).sum(1)", "(self.embedding(labels * 0) * features).sum(1)", "test_networks.py"),
    Mutant("uniform from 0 to 1", "latent.py", "2 * torch.special.ndtr(normal) - 1", "torch.special.ndtr(normal)", STAB),
    Mutant("Laplacian not of unit size", "latent.py", "(2 * tail).log() / 2**0.5", "(2 * tail).log()", STAB),
    Mutant("the interpolation between: truncated noise taken for normal", "latent.py", "Noise(truncated, False,", "Noise(truncated, True,", "test_latent.py"),
    Mutant("the interpolation between: round whatever the noise", "latent.py", 'return "spherical" if NOISES[noise].turns and not codes', 'return "spherical" if not codes', "test_latent.py"),
    Mutant("the interpolation between: round through codes", "latent.py", 'if NOISES[noise].turns and not codes', 'if NOISES[noise].turns', "test_latent.py"),
    Mutant("truncated at 2", "latent.py", "return numbers.clamp(-1, 1)", "return normal.clamp(-2, 2)", STAB),
    Mutant("translation by one picture's shift for all", "augment.py", "down = torch.randint(-reach, reach + 1, (count, 1, 1)", "down = torch.randint(-reach, reach + 1, (1, 1, 1)", STAB),
    Mutant("translation wraps round", "augment.py", ".clamp(-1, height) + 1", " % height + 1", STAB),
    Mutant("cutout too small", "augment.py", "share: float = 1 / 2", "share: float = 1 / 4", STAB),
    Mutant("colour: no contrast", "augment.py", "return mean + (pictures - mean) * chance(0.5, 1.5)", "return pictures", STAB),
    Mutant("AdamW: decay as in Adam", "optimisers.py", "torch.optim.AdamW(", "torch.optim.Adam(", STAB),
    Mutant("RMSProp: betas exchanged", "optimisers.py", "alpha=betas[1], momentum=betas[0]", "alpha=betas[0], momentum=betas[1]", STAB),
    Mutant("cosine: straight", "training/state.py", "(1.0 + math.cos(math.pi * progress)) / 2", "(1.0 - progress)", STAB),
    Mutant("accuracy: decided at 0 in every game", "training/record.py", "if (bound := loss.decides_at) is None:", "if (bound := 0.0) is None:", "test_step.py"),
    Mutant("accuracy: pairs by a bound", "losses.py", "decides_at=None", "decides_at=0.0", "test_step.py"),
    Mutant("scores where a logit is no probability", "training/record.py", "(scores if loss.log_odds else {}) | right", "scores | right", "test_step.py"),
    Mutant("curves: gradients after their limit", "training/step.py", "        length = gradient_norm(net)\n        objective.clip_gradients(net)", "        objective.clip_gradients(net)\n        length = gradient_norm(net)", STAB),
    Mutant("EMA: buffers not followed", "training/state.py", "[*ema.parameters(), *ema.buffers()], [*G.parameters(), *G.buffers()]", "ema.parameters(), G.parameters()", "test_step.py"),
    Mutant("EMA: half-life in steps", "training/state.py", "0.5 ** (batch / half_life)", "0.5 ** (1 / half_life)", "test_step.py"),
    Mutant("D learns from attached fakes", "training/step.py", "objective.augment(drawn.pictures.detach())", "objective.augment(drawn.pictures)", "test_step.py"),
    Mutant("D not frozen while G learns", "training/step.py", "state.D.requires_grad_(False)", "state.D.requires_grad_(True)", "test_step.py"),
    Mutant("the penalty is left out", "training/step.py", "terms[\"penalty\"] = objective", "_ = objective", "test_step.py"),
    Mutant("processes: gradients not averaged", "training/step.py", "objective.average_gradients(net)", "pass", WORLD),
    Mutant("processes: no all-reduce", "training/distributed.py", "dist.all_reduce(total)", "pass", WORLD),
    Mutant("processes: the sum in place of the mean", "training/distributed.py", "return total / self.size", "return total", WORLD),
    Mutant("processes: all take the same share", "training/distributed.py", "slice(self.rank, None, self.size)", "slice(0, None, self.size)", WORLD),
    Mutant("processes: each its own thermostat", "training/controllers.py", "sign, right = mean(seen).tolist()", "sign, right = seen.tolist()", WORLD),
    Mutant("processes: noise not shared out", "training/state.py", "normal[self.world.share]", "normal[: len(normal[self.world.share])]", WORLD),
    Mutant("processes: the same chance in all", "training/distributed.py", "if self.rank:", "if False:", WORLD),
    Mutant("processes: each by its own clock", "training/loop.py", "order, state.seconds = state.distributed.broadcast_control(asked, state.seconds)", "order = asked", WORLD),
    Mutant("resume: torch's random numbers forgotten", "training/snapshot.py", 'torch.set_rng_state(tensors["torch"])', "pass", "test_branch.py"),
    Mutant("resume: moments in another memory layout", "training/snapshot.py", "            _lay_out(optimizer)\n", "", "test_resume.py"),
    Mutant("resume: the optimisers forgotten", "training/snapshot.py", "optimizer.load_state_dict(saved)", "pass", "test_training.py"),
    Mutant("resume: second tries used up are forgotten", "training/loop.py", "    rewrite_settings(writer.run, config)  #", "    pass  #", "test_branch.py"),
    Mutant("resume: unknown names are let through", "cli.py", "config = catalog.check(settings_between(given, old) if given else old)", "config = settings_between(given, old) if given else old", "test_cli.py"),
    Mutant("worker: unknown names are let through", "worker.py", "train(check(config), run, resume=resume)", "train(config, run, resume=resume)", "test_cli.py"),
    Mutant("resume: a budget used up is let through", "cli.py", "_check_budget(run, checkpoint_steps(run)[-1:], config)", "pass", "test_cli.py"),
    Mutant("branch: a budget used up is let through", "cli.py", "        _check_budget(parent, {arguments.at} & set(checkpoint_steps(parent)), new)\n", "", "test_cli.py"),
    Mutant("resume: an end not yet written is refused", "cli.py", 'if status.state == "finished" or renewed:', 'if status.state != "running" or renewed:', "test_cli.py"),
    Mutant("the interpolation back: advised where it goes back by itself", "training/loop.py", "if not steps or config.retries:", "if not steps:", "test_branch.py"),
    Mutant("the interpolation back: second tries advised where they were used up", "training/loop.py", 'if any(verdict.get("retries")', 'if False and any(verdict.get("retries")', "test_branch.py"),
    Mutant("resume: a new budget drops the parent", "runs/branch.py", "read_config(run) | {", "{\"schema\": 1, \"preset\": \"\"} | {", "test_branch.py"),
    Mutant("branch: compute flags ignored", "training/compute.py", "compute = saved.fixed(config)", "compute = saved", "test_branch.py"),
    Mutant("resume elsewhere: the other device's random numbers", "training/snapshot.py", 'if counters["compute"].device == state.compute.device:', "if True:", "test_elsewhere.py"),
    Mutant("resume elsewhere: the noise of the beginning", "training/snapshot.py", 'stream_seed(seed, "latents", step)', 'stream_seed(seed, "latents")', "test_elsewhere.py"),
    Mutant("resume elsewhere: nothing in its place", "training/compute.py", 'if config.device == "auto" and not', "if not config.device and not", "test_elsewhere.py"),
    Mutant("thinning: the newest of the others goes first", "runs/retention.py", "kept.pop(min(free, key=gap))", "kept.pop(free[-1])", "test_runs_retention.py"),
    Mutant("thinning: what is guarded goes too", "runs/retention.py", "if kept[i] not in guarded]", "]", "test_runs_retention.py"),
    Mutant("thinning: the best goes too", "runs/writer.py", " | set(reader.best_steps(self.run)[-1:])", "", "test_runs_writer.py"),
    Mutant("thinning: branch points go too", "runs/writer.py", "self._branches.steps() | ", "", "test_runs_writer.py"),
    Mutant("a checkpoint written again: the former one goes first", "runs/writer.py", "path.replace(_aside(path))", "_discard(path)", "test_runs_writer.py"),
    Mutant("a checkpoint that was set aside is swept", "runs/writer.py", "_discard(aside) if path.exists() else aside.replace(path)", "_discard(aside)", "test_runs_writer.py"),
    Mutant("a checkpoint is saved twice a step", "training/session.py", "if self.saved == self.state.step or not", "if not", "test_training.py"),
    Mutant("a branch's curve: the parent's beyond the branch", "runs/lineage.py", "_points(run, limit) | points", "_points(run, float(\"inf\")) | points", "test_runs_lineage.py"),
    Mutant("curves: what was lost when it went back stays", "runs/lineage.py", "steps[at:], points[at:] = [step], [record]", "steps[at : at + 1], points[at : at + 1] = [step], [record]", "test_runs_lineage.py"),
    Mutant("curves: all of the past is lost", "runs/lineage.py", "else bisect_left(steps, step)", "else 0", "test_runs_lineage.py"),
    Mutant("grids: lost ones stay", "runs/writer.py", "lost = [later for later in steps if later > step]", "lost: list[int] = []", "test_branch.py"),
    Mutant("grids: the first of the lost goes first", "runs/writer.py", "for later in reversed(lost):", "for later in lost:", "test_branch.py"),
    Mutant("grids: that of the checkpoint goes too", "runs/writer.py", "lost = [later for later in steps if later > step]", "lost = [later for later in steps if later >= step]", "test_branch.py"),
    Mutant("grids: dropped by a run that cannot go on", "training/session.py", "        state = build_state(config, model, compute)\n        controllers", "        state = build_state(config, model, compute)\n        writer.back_to(0)\n        controllers", "test_branch.py"),
    Mutant("the best: the newest", "training/evaluator.py", "distance < self._best,", "True,", "test_evaluator.py"),
    Mutant("the best: without its checkpoint", "training/session.py", "            self.save()\n            self.export(best=True)", "            self.export(best=True)", "test_evaluator.py"),
    Mutant("scores draw from the run's random numbers", "training/evaluator.py", "with torch.random.fork_rng(devices=[]):", "if torch.rand(1) >= 0:", "test_evaluator.py"),
    Mutant("scores: no limit on their time", "training/evaluator.py", "return late and self._spent <= SHARE * seconds and", "return late and", "test_evaluator.py"),
    Mutant("scores: a resumed run forgets the best", "training/evaluator.py", "rows, _ = read_lines(writer.run.scores)", "rows: list[dict[str, Any]] = []", "test_evaluator.py"),
    Mutant("scores: InfoGAN's codes left out", "training/evaluator.py", "SEED, config.noise, codes).to", "SEED, config.noise).to", "test_evaluator.py"),
    Mutant("scores of points: as bytes", "training/evaluator.py", "read = _as_numbers if DATASETS[config.dataset].mixture else to_bytes", "read = to_bytes", "test_evaluator.py"),
    Mutant("scores of points: those astray do not count", "metrics/modes.py", "return spread + 1 - within(landed)", "return spread", "test_evaluator.py"),
    Mutant("stacked: one order for all colours", "data/stacked.py", "[random.permutation(len(digits)) for _ in range(3)]", "[random.permutation(len(digits))] * 3", "test_stacked.py"),
    Mutant("stacked: colours mixed up", "metrics/stacked.py", "100 * digits[0] + 10 * digits[1] + digits[2]", "digits[0] + 10 * digits[1] + 100 * digits[2]", "test_stacked.py"),
    Mutant("ring: the first place twice", "data/points.py", "2 * math.pi * k / count", "2 * math.pi * k / max(count - 1, 1)", "test_points.py"),
    Mutant("points as bytes", "images.py", "return pictures if points else", "return (pictures * 127).round() / 127 if points else", "test_points.py"),
    Mutant("modes: points far away count", "metrics/modes.py", "self.nearest[self.distance <= GOOD]", "self.nearest", "test_points.py"),
    Mutant("modes: distances not in standard deviations", "metrics/modes.py", "/ mixture.sigma  # (N, K)", "/ 0.02  # (N, K)", "test_points.py"),
    Mutant("modes: KL the other interpolation round", "metrics/modes.py", "divergence(good, np.ones(landed.places))", "divergence(np.ones(landed.places), good)", "test_points.py"),
    Mutant("score: pixels counted as points", "scoring.py", "        if drawn != held:", "        if False:", "test_points.py"),
    Mutant("score: two channels taken for points", "scoring.py", "sampler.model.size == 1", "sampler.model.channels == 2", "test_points.py"),
    Mutant("points: D without waves", "networks/points.py", "place.unsqueeze(2) * self.waves", "0 * place.unsqueeze(2) * self.waves", "test_points.py"),
    Mutant("mistake, wrong label: mended", "losses.py", "return F.softplus(fake).mean()\n\n\ndef twice", "return F.softplus(-fake).mean()\n\n\ndef twice", LOSS),
    Mutant("mistake, double sigmoid: mended", "losses.py", "non_saturating_d(real.sigmoid(), fake.sigmoid())", "non_saturating_d(real, fake)", LOSS),
    Mutant("mistake, wrong sign: mended", "losses.py", "0.5 * (F.softplus(-real).mean() - F.softplus(fake).mean())", "0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())", LOSS),
    Mutant("clipping by length: not", "training/objective.py", "nn.utils.clip_grad_norm_(learning, norm)", "pass", STAB),
    Mutant("Xavier: as DCGAN", "networks/base.py", "nn.init.xavier_normal_(weight, generator=generator)", "nn.init.normal_(weight, 0.0, 0.02, generator=generator)", STAB),
    Mutant("orthogonal: as DCGAN", "networks/base.py", "nn.init.orthogonal_(weight, generator=generator)", "nn.init.normal_(weight, 0.0, 0.02, generator=generator)", STAB),
    Mutant("SGD: decay forgotten", "optimisers.py", "torch.optim.SGD(parameters, lr=rate, momentum=betas[0], weight_decay=decay)", "torch.optim.SGD(parameters, lr=rate, momentum=betas[0])", STAB),
    Mutant("Adam: decay as in AdamW", "optimisers.py", "torch.optim.Adam(parameters, lr", "torch.optim.AdamW(parameters, lr", STAB),
    Mutant("linear schedule: stays", "training/state.py", '"linear": lambda progress, last: 1.0 - (1.0 - last) * progress', '"linear": lambda progress, last: 1.0', STAB),
    Mutant("precision and recall exchanged", "metrics/manifold.py", "return share_inside(made, real)", "return share_inside(real, made)", "test_metrics_formulas.py"),
    Mutant("recall: the nearest neighbour but one", "metrics/manifold.py", "topk(neighbour + 1,", "topk(neighbour,", "test_metrics_formulas.py"),
    Mutant("Fréchet: without the mixed term", "metrics/frechet.py", "- 2 * cross", "- 0 * cross", "test_metrics_formulas.py"),
    Mutant("rules: a lone pack under batch norm is let through", "rules.py", 'packs["batch"] < packs["least"]', 'packs["batch"] < packs["pack"]', TOGETHER),
    Mutant("branch: other first weights are let through", "runs/branch.py", "for name in FIRST_WEIGHTS if name in changed", "for name in () if name in changed", "test_branch.py"),
    Mutant("directions: the norm of convnet-28 left out", "networks/articles.py", "weight * scale.repeat(49)[:, None]", "weight", "test_networks.py"),
    Mutant("directions: a scale a place, not a feature map", "networks/dcgan.py", "weight * scale.repeat(16)[:, None]", "weight * scale.repeat_interleave(16)[:, None]", "test_networks.py"),
    Mutant("R3: groups that do not divide the width", "networks/residual.py", "groups=_groups(wide)", "groups=max(1, wide // 16)", "test_networks.py"),
    Mutant("class KL the other interpolation round", "metrics/coverage.py", "p, q = p / p.sum(), q / q.sum()", "q, p = p / p.sum(), q / q.sum()", "test_metrics_formulas.py"),
    Mutant("extractor: 28 pixels enlarged, not bordered", "metrics/extractor.py", "torch.from_numpy(bordered(images, SIDE)", "torch.from_numpy((images)", "test_metrics_classifier.py"),
)  # fmt: skip


def fell(mutant: Mutant, place: Path) -> str:
    """The first test that fails in a copy of the code with the change; "" when all pass.

    Raises:
        ValueError: the words are not there, so there is nothing to break.
        SyntaxError: what is left is no Python.
    """
    path = place / "gan_core" / mutant.file
    sound = path.read_text("utf-8")
    if mutant.old not in sound:
        raise ValueError(f"{mutant.what}: {mutant.file} has no {mutant.old!r}")
    broken = sound.replace(mutant.old, mutant.new, 1)
    compile(broken, mutant.file, "exec")  # a file that cannot be read would make any test fall
    path.write_text(broken, "utf-8")
    try:
        return first_failure(mutant.tests.split(), place)
    finally:
        path.write_text(sound, "utf-8")


def first_failure(files: Sequence[str], place: Path) -> str:
    """The first test of these files that fails there; "" when all pass."""
    tests = [f"tests/gan_core/{name}" for name in files]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
    said = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, text=True, check=False).stdout
    found = re.search(r"^(?:FAILED|ERROR) (?:tests/gan_core/)?(\S+)", said, re.MULTILINE)
    return found[1] if found else ""


def told() -> dict[str, str]:
    """The rows of tests/mutants.md, by what was broken."""
    rows = LIST.read_text("utf-8").splitlines()
    return {row.split("|")[1].strip(): row for row in rows if row.startswith("|")}


def main() -> int:
    """Try all mutants whose words contain one of the arguments; renew their rows. Returns the exit code."""
    wanted = sys.argv[1:]
    chosen = [m for m in MUTANTS if not wanted or any(word in m.what for word in wanted)]
    if not chosen:
        raise SystemExit(f"No mutant's name contains {' or '.join(wanted)}.")
    rows, survivors = told(), 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, place / name)
        if failure := first_failure(sorted({name for m in chosen for name in m.tests.split()}), place):
            raise SystemExit(f"{failure} fails without any mutant: mend it first.")
        for mutant in chosen:
            test = fell(mutant, place)
            survivors += not test
            print(f"{mutant.what}: {test or 'SURVIVED'}", flush=True)
            rows[mutant.what] = f"| {mutant.what} | `{mutant.file}` | `{test or 'none'}` |"
    listed = [rows[mutant.what] for mutant in MUTANTS if mutant.what in rows]
    LIST.write_text("\n".join([*HEAD, *listed]) + "\n", "utf-8")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
