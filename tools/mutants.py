"""python -m tools.mutants [NAME ...]: break the code in one place at a time; a test must fall each time.

Writes tests/mutants.md: what was changed, and the first test that noticed. Ends with 1 when one did not.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("gan_core", "tests", "weights", "pyproject.toml")


@dataclass(frozen=True)
class Mutant:
    """One change: what it breaks, the file below gan_core, the words that stand there, what replaces them."""

    what: str
    file: str
    old: str
    new: str
    tests: str


LOSS, PEN, STAB = "test_losses.py", "test_penalties.py", "test_stabilisers.py"
MUTANTS = (
    Mutant("non-saturating D: a sign", "losses.py", "F.softplus(-real).mean() + F.softplus(fake)", "F.softplus(real).mean() + F.softplus(fake)", LOSS),
    Mutant("non-saturating G: a sign", "losses.py", "return F.softplus(-fake).mean()", "return F.softplus(fake).mean()", LOSS),
    Mutant("minimax G: the non-saturating one", "losses.py", "return -F.softplus(fake).mean()", "return F.softplus(-fake).mean()", LOSS),
    Mutant("least squares D: without the half", "losses.py", "(0.5 * (real - 1).square() + 0.5", "((real - 1).square() + 0.5", LOSS),
    Mutant("least squares G: aims at 0", "losses.py", "0.5 * (fake - 1).square().mean()", "0.5 * fake.square().mean()", LOSS),
    Mutant("hinge D: no margin for fakes", "losses.py", "F.relu(1 + fake)", "F.relu(fake)", LOSS),
    Mutant("Wasserstein D: the other way round", "losses.py", "return (fake - real).mean()", "return (real - fake).mean()", LOSS),
    Mutant("critic G: a sign", "losses.py", "return -fake.mean()", "return fake.mean()", LOSS),
    Mutant("relativistic D: pairs not kept", "losses.py", "F.softplus(fake - real).mean()", "F.softplus(fake.mean() - real).mean()", LOSS),
    Mutant("relativistic G overwritten by the plain one", "losses.py", "return F.softplus(real - fake).mean()", "return F.softplus(-fake).mean()", LOSS),
    Mutant("smoothing: the fake side too", "losses.py", "(1 - target) * real.mean()", "(1 - target) * (real.mean() - fake.mean())", STAB),
    Mutant("flips: none", "losses.py", "torch.where(wrong, fake, real)", "torch.where(wrong, real, real)", STAB),
    Mutant("R1 without its half", "penalties.py", "return 0.5 * slopes(D, real, labels)", "return slopes(D, real, labels)", PEN),
    Mutant("R2 at real pictures", "penalties.py", "return 0.5 * slopes(D, fake, labels)", "return 0.5 * slopes(D, real, labels)", PEN),
    Mutant("R1 and R2: one of them", "penalties.py", "return r1(D, real, fake, labels) + r2(D, real, fake, labels)", "return r1(D, real, fake, labels)", PEN),
    Mutant("R1 by difference: not divided by the step", "penalties.py", "(difference / STEP).square()", "difference.square()", PEN),
    Mutant("gradient penalty: one norm for the batch", "penalties.py", "lengths = (gradient.square().sum(1) + TINY).sqrt()", "lengths = (gradient.square().sum() + TINY).sqrt()[None]", PEN),
    Mutant("gradient penalty: one share for the batch", "penalties.py", "torch.rand(len(real), 1, 1, 1,", "torch.rand(1, 1, 1, 1,", PEN),
    Mutant("gradient penalty: the mean of squares, not (l - 1)^2", "penalties.py", "(lengths - 1).square().mean()", "lengths.square().mean()", PEN),
    Mutant("DRAGAN: around fakes", "penalties.py", "around = real + 0.5 * real.std()", "around = fake + 0.5 * real.std()", PEN),
    Mutant("penalties: no second derivative", "penalties.py", "create_graph=True", "create_graph=False", PEN),
    Mutant("lazy penalty: weight not multiplied", "training/objective.py", "return weight * config.penalty_every * row", "return weight * row", STAB),
    Mutant("lazy penalty: betas not adjusted", "training/state.py", "(config.beta1**share, config.beta2**share) if share < 1", "(config.beta1, config.beta2) if share < 1", STAB),
    Mutant("weight clipping: the upper side only", "training/objective.py", "parameter.clamp_(-bound, bound)", "parameter.clamp_(max=bound)", STAB),
    Mutant("clipping by value as by length", "training/objective.py", "nn.utils.clip_grad_value_(learning, value)", "nn.utils.clip_grad_norm_(learning, value)", STAB),
    Mutant("L1: the weight in place of its sign", "training/objective.py", "parameter.detach().sign()", "parameter.detach()", STAB),
    Mutant("spectral norm not applied", "networks/dcgan.py", "                spectral_norm(layer)", "                pass", STAB),
    Mutant("batch norm kept without norm", "networks/dcgan.py", 'norm=k > 0 and model.d_norm == "batch"', "norm=k > 0", STAB),
    Mutant("dropout ignored", "networks/dcgan.py", "nn.Dropout(model.d_dropout)", "nn.Dropout(0.0)", "test_branch.py test_stabilisers.py"),
    Mutant("instance noise does not fade", "training/objective.py", "noise.share = max(0.0, 1.0 - progress)", "noise.share = 1.0", STAB),
    Mutant("uniform from 0 to 1", "latent.py", "2 * torch.special.ndtr(normal) - 1", "torch.special.ndtr(normal)", STAB),
    Mutant("Laplacian not of unit size", "latent.py", "(2 * tail).log() / 2**0.5", "(2 * tail).log()", STAB),
    Mutant("truncated at 2", "latent.py", "return numbers.clamp(-1, 1)", "return normal.clamp(-2, 2)", STAB),
    Mutant("translation by one picture's shift for all", "augment.py", "down = torch.randint(-reach, reach + 1, (count, 1, 1)", "down = torch.randint(-reach, reach + 1, (1, 1, 1)", STAB),
    Mutant("translation wraps round", "augment.py", ".clamp(-1, height) + 1", " % height + 1", STAB),
    Mutant("cutout too small", "augment.py", "share: float = 1 / 2", "share: float = 1 / 4", STAB),
    Mutant("colour: no contrast", "augment.py", "return mean + (pictures - mean) * chance(0.5, 1.5)", "return pictures", STAB),
    Mutant("AdamW: decay as in Adam", "optimisers.py", "torch.optim.AdamW(", "torch.optim.Adam(", STAB),
    Mutant("RMSProp: betas exchanged", "optimisers.py", "alpha=betas[1], momentum=betas[0]", "alpha=betas[0], momentum=betas[1]", STAB),
    Mutant("cosine: straight", "training/state.py", "(1.0 + math.cos(math.pi * progress)) / 2", "(1.0 - progress)", STAB),
    Mutant("EMA: buffers not followed", "training/state.py", "[*ema.parameters(), *ema.buffers()], [*G.parameters(), *G.buffers()]", "ema.parameters(), G.parameters()", "test_step.py"),
    Mutant("EMA: half-life in steps", "training/state.py", "0.5 ** (batch / half_life)", "0.5 ** (1 / half_life)", "test_step.py"),
    Mutant("D learns from attached fakes", "training/step.py", "objective.augment(fake.detach())", "objective.augment(fake)", "test_step.py"),
    Mutant("D not frozen while G learns", "training/step.py", "state.D.requires_grad_(False)", "state.D.requires_grad_(True)", "test_step.py"),
    Mutant("the penalty is left out", "training/step.py", "adversarial + naming + penalty", "adversarial + naming", "test_step.py"),
    Mutant("resume: torch's random numbers forgotten", "training/snapshot.py", 'torch.set_rng_state(tensors["torch"])', "pass", "test_branch.py"),
    Mutant("resume: the optimisers forgotten", "training/snapshot.py", "optimizer.load_state_dict(saved)", "pass", "test_training.py"),
    Mutant("stacked: one order for all colours", "data/stacked.py", "[random.permutation(len(digits)) for _ in range(3)]", "[random.permutation(len(digits))] * 3", "test_stacked.py"),
    Mutant("stacked: colours mixed up", "metrics/stacked.py", "100 * digits[0] + 10 * digits[1] + digits[2]", "digits[0] + 10 * digits[1] + 100 * digits[2]", "test_stacked.py"),
    Mutant("ring: the first place twice", "data/points.py", "2 * math.pi * k / count", "2 * math.pi * k / max(count - 1, 1)", "test_points.py"),
    Mutant("points as bytes", "images.py", "return pictures if points else", "return (pictures * 127).round() / 127 if points else", "test_points.py"),
    Mutant("modes: points far away count", "metrics/modes.py", "self.nearest[self.distance <= GOOD]", "self.nearest", "test_points.py"),
    Mutant("modes: distances not in standard deviations", "metrics/modes.py", "/ mixture.sigma  # (N, K)", "/ 0.02  # (N, K)", "test_points.py"),
    Mutant("modes: KL the other way round", "metrics/modes.py", "divergence(good, np.ones(landed.places))", "divergence(np.ones(landed.places), good)", "test_points.py"),
    Mutant("points: D without waves", "networks/points.py", "turns = [math.pi * 2**octave * place", "turns = [0 * octave * place", "test_points.py"),
    Mutant("Fréchet: without the mixed term", "metrics/frechet.py", "- 2 * cross", "- 0 * cross", "test_metrics_formulas.py"),
    Mutant("class KL the other way round", "metrics/coverage.py", "np.log(", "-np.log(", "test_metrics_formulas.py"),
)  # fmt: skip


def fell(mutant: Mutant, place: Path) -> str:
    """The first test that fails in a copy of the code with the change; "" when all pass.

    Raises:
        ValueError: the words are not there, so there is nothing to break.
    """
    path = place / "gan_core" / mutant.file
    sound = path.read_text("utf-8")
    if mutant.old not in sound:
        raise ValueError(f"{mutant.what}: {mutant.file} has no {mutant.old!r}")
    path.write_text(sound.replace(mutant.old, mutant.new, 1), "utf-8")
    try:
        tests = [f"tests/gan_core/{name}" for name in mutant.tests.split()]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
        said = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, text=True, check=False).stdout
    finally:
        path.write_text(sound, "utf-8")
    found = re.search(r"^(?:FAILED|ERROR) (?:tests/gan_core/)?(\S+)", said, re.MULTILINE)
    return found[1] if found else ""


def main() -> int:
    """Try all mutants whose words contain one of the arguments. Returns the exit code."""
    wanted = sys.argv[1:]
    chosen = [m for m in MUTANTS if not wanted or any(word in m.what for word in wanted)]
    rows = ["# Mutants", "", "Each line is a mistake put into the code on purpose, and the test that noticed it.",
            "Made by `python -m tools.mutants`.", "", "| what was broken | where | the test that fell |",
            "|---|---|---|"]  # fmt: skip
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, place / name)
        for mutant in chosen:
            test = fell(mutant, place)
            survivors += not test
            print(f"{mutant.what}: {test or 'SURVIVED'}", flush=True)
            rows.append(f"| {mutant.what} | `{mutant.file}` | `{test or 'none'}` |")
    if not wanted:
        (ROOT / "tests" / "mutants.md").write_text("\n".join(rows) + "\n", "utf-8")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
