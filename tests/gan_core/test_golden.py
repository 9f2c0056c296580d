"""Whole runs against the same runs by hand: a loop that knows torch, the networks and the settings, no more.

The networks and their first weights are the library's, and chance is drawn in its order. First weights, z and
the order of the pictures have streams of their own. The stream of the steps gives, for each update of D, what
changes the real pictures, what changes the fakes, dropout on either, which pairs change sides; for each of G
what changes the fakes, dropout. A lazy penalty, before D's update, draws its own changes and dropout.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable

import pytest
import torch
import torch.nn.functional as F
from tiny_data import put_pictures
from torch import Tensor

from gan_core.checkpoints import read_tensors
from gan_core.config import ModelConfig, TrainConfig, from_mapping
from gan_core.data import load
from gan_core.networks import DiscriminatorOutput, build_pair
from gan_core.runs import create_run, read_lines
from gan_core.seeds import stream_seed
from gan_core.training import train
from gan_core.training.snapshot import FILE

TINY = {"dataset": "mnist", "network": "dcgan", "size": 16, "latent": 4, "g_width": 4, "d_width": 4,
        "seed": 3, "batch": 8, "steps": 8, "lr_g": 0.001, "lr_d": 0.01, "beta1": 0.5, "beta2": 0.9,
        "device": "cpu", "precision": "fp32", "memory_format": "contiguous", "threads": 1}  # fmt: skip
PLAIN = TINY | {"conditional": False}
CONDITIONAL = TINY | {
    "d_norm": "none", "d_dropout": 0.2, "penalty": "r1", "penalty_every": 2, "augment": "translation",
    "ada_target": 0.05, "ada_images": 150, "d_steps": 3, "g_steps": 2, "real_label": 0.9,
    "label_flip_prob": 0.1, "lr_d": 0.005, "schedule": "cosine", "ema_half_life": 40,
    "batch": 4, "batch_end": 8,
}  # fmt: skip
WASSERSTEIN = TINY | {
    "conditional": False, "loss": "wasserstein", "d_norm": "none", "clip_weights": 0.1, "d_steps": 5,
    "penalty": "gradient-penalty", "penalty_every": 4, "instance_noise": 0.3, "optimiser": "rmsprop",
    "lr_d": 0.003, "beta1": 0.1, "schedule": "dynamic", "ema_rampup": 0.0, "batch": 4, "batch_end": 16,
}  # fmt: skip
WEIGHTS = {"r1": 0.05, "gradient-penalty": 10.0}  # suggested for these penalties

Point = dict[str, float]


class Adam:
    """Kingma and Ba 2015, algorithm 1. A weight without a gradient rests, and its moments with it."""

    def __init__(self, parameters: Iterable[Tensor], beta1: float, beta2: float) -> None:
        self.beta1, self.beta2 = beta1, beta2
        self.moments = [(p, torch.zeros_like(p), torch.zeros_like(p), torch.zeros(())) for p in parameters]

    def step(self, loss: Tensor, rate: float) -> float:
        """One step down the slope of the loss; how long the gradient was."""
        gradients = torch.autograd.grad(loss, [p for p, *_ in self.moments], allow_unused=True)
        for (p, mean, square, steps), g in zip(self.moments, gradients):
            if g is not None:
                steps += 1
                square.copy_(self.beta2 * square + (1 - self.beta2) * g**2)
                p.data -= rate * self.direction(g, mean, square, steps)
        return torch.cat([g.flatten() for g in gradients if g is not None]).norm().item()

    def direction(self, g: Tensor, mean: Tensor, square: Tensor, steps: Tensor) -> Tensor:
        mean.copy_(self.beta1 * mean + (1 - self.beta1) * g)
        return mean / (1 - self.beta1**steps) / ((square / (1 - self.beta2**steps)).sqrt() + 1e-8)


class RMSProp(Adam):
    """Hinton 2012, lecture 6e, with momentum."""

    def direction(self, g: Tensor, mean: Tensor, square: Tensor, steps: Tensor) -> Tensor:
        return mean.copy_(self.beta1 * mean + g / (square.sqrt() + 1e-8))


class ByHand:
    """A run on pictures (N, 1, 16, 16) in [-1, 1] and their labels, or None."""

    def __init__(self, config: TrainConfig, pictures: Tensor, labels: Tensor | None) -> None:
        self.config, self.pictures, self.labels = config, pictures, labels
        model = ModelConfig(
            network=config.network, size=16, channels=1, classes=0 if labels is None else 10,
            latent=config.latent, g_width=config.g_width, d_width=config.d_width, d_norm=config.d_norm,
            d_dropout=config.d_dropout, conditioning="class-logits",
        )  # fmt: skip
        self.G, self.D = build_pair(model, stream_seed(config.seed, "weights"))
        torch.manual_seed(stream_seed(config.seed, "training"))
        self.ema = copy.deepcopy(self.G)
        self.noise = torch.Generator().manual_seed(stream_seed(config.seed, "latents"))
        every = config.penalty_every
        self.slower = every / (every + 1) if every > 1 else 1.0  # D's steps, as it takes one more for each k
        kind = {"adam": Adam, "rmsprop": RMSProp}[config.optimiser]
        self.g_optimizer = kind(self.G.parameters(), config.beta1, config.beta2)
        betas = config.beta1**self.slower, config.beta2**self.slower
        self.d_optimizer = kind(self.D.parameters(), *betas)
        self.step = self.images = self.turns = 0
        self.terms: Point = {}
        self.signs: list[float] = []
        self.chance, self.right, self.d_share = 0.0, 0.5, 1.0

    def iteration(self) -> Point:
        """All updates of one step, and what the curves then show."""
        config, count, before = self.config, self.batch(), self.images
        g_rate = config.lr_g * self.lr_factor()
        d_rate = config.lr_d * self.lr_factor() * self.slower * self.d_share
        for _ in range(config.d_steps):
            real, labels = self.real(count)
            fake = self.fake(count, labels)
            if config.penalty != "none" and self.turns % config.penalty_every == 0:
                penalty = self.penalty(real, fake.detach(), labels)
                self.step_d(penalty, d_rate)
                self.terms["penalty/D"] = penalty.item()  # the last one stays on the curve
            d = self.update_d(real, fake.detach(), labels, d_rate)
            self.turns += 1
            self.images += count
        for turn in range(config.g_steps):
            fake = self.fake(count, labels) if turn else fake
            g = self.update_g(fake, labels, g_rate)
        self.update_ema(self.images - before)
        self.step += 1
        moved = {"augment/probability": self.chance} if config.ada_target else {}
        moved |= {"learning_rate_share/D": self.d_share} if config.schedule == "dynamic" else {}
        point = {"step": self.step, "images": self.images, **d, **g, **self.terms, **moved}
        return point | {"learning_rate/G": g_rate, "learning_rate/D": d_rate}

    @property
    def progress(self) -> float:
        return self.step / self.config.steps

    def lr_factor(self) -> float:
        """What is left of the learning rates."""
        if self.config.schedule == "cosine":
            return 0.1 + 0.9 * (1 + math.cos(math.pi * self.progress)) / 2
        return 1 - 0.9 * self.progress

    def batch(self) -> int:
        """Each doubling lasts as long as the others."""
        first, last = self.config.batch, self.config.batch_end or self.config.batch
        sizes = [count for count in (4, 8, 16) if first <= count <= last]
        return sizes[int(self.progress * len(sizes))]

    def real(self, count: int) -> tuple[Tensor, Tensor | None]:
        """The next pictures and their labels; each epoch has its own order."""
        config, total, rows = self.config, len(self.pictures), []
        for place in range(self.images, self.images + count):
            shuffle = torch.Generator().manual_seed(stream_seed(config.seed, "data_order", place // total))
            rows.append(int(torch.randperm(total, generator=shuffle)[place % total]))
        return self.pictures[rows], None if self.labels is None else self.labels[rows]

    def fake(self, count: int, labels: Tensor | None) -> Tensor:
        return self.G(torch.randn(count, self.config.latent, generator=self.noise), labels)

    def augmented(self, pictures: Tensor) -> Tensor:
        """What D sees of pictures: noisy ones, and by chance shifted ones."""
        if sigma := self.config.instance_noise:
            pictures = pictures + sigma * (1 - self.progress) * torch.randn_like(pictures)
        if self.config.augment == "translation":
            chosen = torch.rand(len(pictures)) < self.chance
            down, right = (torch.randint(-2, 3, (len(pictures),)) for _ in "yx")
            framed = F.pad(pictures, (2, 2, 2, 2), value=-1.0)
            pictures = torch.stack([
                framed[i, :, 2 + y : 18 + y, 2 + x : 18 + x] if chosen[i] else pictures[i]
                for i, (y, x) in enumerate(zip(down.tolist(), right.tolist()))
            ])  # fmt: skip
        return pictures

    def penalty(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
        """Its steps apart times its weight."""
        real, fake, name = self.augmented(real), self.augmented(fake), self.config.penalty
        share = torch.rand(len(real), 1, 1, 1) if name == "gradient-penalty" else 1.0
        looked_at = (share * real + (1 - share) * fake).requires_grad_(True)
        logits = self.D(looked_at, labels).logits
        (slopes,) = torch.autograd.grad(logits.sum(), looked_at, create_graph=True)
        lengths = slopes.flatten(1).norm(dim=1)
        term = (lengths - 1) ** 2 if name == "gradient-penalty" else lengths**2 / 2
        return self.config.penalty_every * WEIGHTS[name] * term.mean()

    def step_d(self, loss: Tensor, rate: float) -> float:
        """One step of D, whose weights stay within their bound."""
        length = self.d_optimizer.step(loss, rate)
        if bound := self.config.clip_weights:
            for p in self.D.parameters():
                p.data = p.data.clip(-bound, bound)
        return length

    def update_d(self, real: Tensor, fake: Tensor, labels: Tensor | None, rate: float) -> Point:
        config, real, fake = self.config, self.augmented(real), self.augmented(fake)
        answer, on_fake = self.D(real, labels), self.D(fake, labels).logits
        on_real = answer.logits
        self.update_controllers(on_real.detach(), on_fake.detach())
        if config.loss == "wasserstein":
            loss = on_fake.mean() - on_real.mean()
        else:
            wrong = torch.zeros(len(real), dtype=torch.bool)
            if config.label_flip_prob:
                wrong = torch.rand(len(real)) < config.label_flip_prob
            first, second = torch.where(wrong, on_fake, on_real), torch.where(wrong, on_real, on_fake)
            loss = F.binary_cross_entropy_with_logits(first, torch.full_like(first, config.real_label))
            loss = loss + F.binary_cross_entropy_with_logits(second, torch.zeros_like(second))
        length = self.step_d(loss + self.named("D", answer, labels), rate)
        accuracies = self.accuracies(on_real.detach(), on_fake.detach())
        return {"loss/D": loss.item(), "gradient/D": length, **accuracies}

    def update_g(self, fake: Tensor, labels: Tensor | None, rate: float) -> Point:
        answer = self.D(self.augmented(fake), labels)
        if self.config.loss == "wasserstein":
            loss = -answer.logits.mean()
        else:
            loss = F.binary_cross_entropy_with_logits(answer.logits, torch.ones(len(fake)))
        length = self.g_optimizer.step(loss + self.named("G", answer, labels), rate)
        return {"loss/G": loss.item(), "gradient/G": length}

    def named(self, player: str, answer: DiscriminatorOutput, labels: Tensor | None) -> Tensor | float:
        """How far D's names of the classes are off, weighted."""
        if labels is None:
            return 0.0
        term = self.config.class_weight * F.cross_entropy(answer.classes, labels)
        self.terms[f"class/{player}"] = term.item()
        return term

    def accuracies(self, on_real: Tensor, on_fake: Tensor) -> Point:
        """How often D is right, and how sure."""
        if self.config.loss == "wasserstein":
            right = (on_real > on_fake).float().mean().item()
            return {"accuracy/real": right, "accuracy/fake": right}
        return {
            "score/D(x)": on_real.sigmoid().mean().item(), "score/D(G(z))": on_fake.sigmoid().mean().item(),
            "accuracy/real": (on_real > 0).float().mean().item(),
            "accuracy/fake": (on_fake < 0).float().mean().item(),
        }  # fmt: skip

    def update_controllers(self, on_real: Tensor, on_fake: Tensor) -> None:
        """ADA (Karras et al. 2020, section 3) and the "dynamic" schedule."""
        if target := self.config.ada_target:
            self.signs.append(on_real.sign().mean().item())
            if len(self.signs) == 4:
                up = 1 if sum(self.signs) / 4 > target else -1
                self.chance += up * 4 * len(on_real) / self.config.ada_images
                self.chance, self.signs = min(1.0, max(0.0, self.chance)), []
        if self.config.schedule == "dynamic":
            self.right = 0.9 * self.right + 0.1 * (on_real > on_fake).float().mean().item()
            self.d_share = min(1.0, max(0.02, self.d_share * math.exp(0.2 * (0.85 - self.right))))

    def update_ema(self, count: int) -> None:
        """The smoothed generator: half of a difference is gone within a share of all pictures seen, at
        most within `ema_half_life` or 25 roots of the pictures in the whole budget."""
        config, before = self.config, self.images - count
        whole = before * config.steps / self.step if self.step else math.inf  # at the pace so far
        limit = 25 * math.sqrt(whole) if config.ema_half_life is None else config.ema_half_life
        half_life = min(config.ema_rampup * self.images, limit)
        kept = 0.5 ** (count / half_life) if half_life else 0.0
        newest = self.G.state_dict()
        for name, old in self.ema.state_dict().items():
            new = newest[name]
            old.copy_(kept * old + (1 - kept) * new if new.is_floating_point() else new)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("golden")
    put_pictures(folder, 0)
    return str(folder)


@pytest.mark.parametrize("settings, moving", [
    (PLAIN, "loss/D"), (CONDITIONAL, "augment/probability"), (WASSERSTEIN, "learning_rate_share/D"),
], ids=["plain", "conditional", "wasserstein"])  # fmt: skip
def test_a_run_equals_the_same_run_by_hand(settings, moving, root, tmp_path):
    config = from_mapping({**settings, "data_root": root})
    run = create_run(tmp_path, config)
    list(train(config, run))

    data = load("mnist", size=16, root=root)
    pictures = torch.tensor(data.images[:]).float() / 255 * 2 - 1
    by_hand = ByHand(config, pictures, torch.tensor(data.labels) if config.conditional else None)
    points = [by_hand.iteration() for _ in range(config.steps)]
    assert len({point[moving] for point in points}) > 3, "what moves by itself did"
    for line, point in zip(read_lines(run.metrics)[0], points, strict=True):
        assert line.keys() - {"seconds", "speed/images per second"} == point.keys()
        assert {name: line[name] for name in point} == pytest.approx(point, rel=3e-4, abs=3e-5)
    saved = read_tensors(run.checkpoint(config.steps) / FILE)
    for prefix, net in (("G", by_hand.G), ("D", by_hand.D), ("ema", by_hand.ema)):
        found = {name: saved[f"{prefix}.{name}"] for name in net.state_dict()}
        torch.testing.assert_close(found, dict(net.state_dict()), rtol=0, atol=1e-4)
