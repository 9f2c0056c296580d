"""What a run shows of itself: points of the curves and grids of samples."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_core.config import ModelConfig
from gan_core.images import DOTS, preview, webp
from gan_core.losses import GanLoss
from gan_core.sampling import Sampler, latents
from gan_core.seeds import stream_seed
from gan_core.training.state import State
from gan_core.training.step import StepOutput, gradient_norm

ROWS = 8


def measure(state: State, loss: GanLoss, d: StepOutput, g: StepOutput) -> dict[str, float]:
    """A point of the curves, by "group/name", of all processes. The one place that waits for the device."""
    values = {
        "loss/D": d.loss, "loss/G": g.loss,
        **discriminator_stats(loss, d.real, d.fake),
        "gradient/D": gradient_norm(state.D) if d.gradient is None else d.gradient,
        "gradient/G": gradient_norm(state.G) if g.gradient is None else g.gradient,
    }  # fmt: skip
    lazy = {} if state.lazy_penalty is None else {"penalty": state.lazy_penalty}
    values |= {f"{name}/D": term for name, term in {**d.others, **lazy}.items()}
    values |= {f"{name}/G": term for name, term in g.others.items()}
    numbers = torch.stack([value.float() for value in values.values()])
    return dict(zip(values, state.distributed.mean(numbers).tolist()))


def discriminator_stats(loss: GanLoss, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """What D makes of real and of fake pictures, by its logits (N,), as far as its game gives them meaning.

    How often it is right, each kind by itself or, where only differences count, of pairs; and how likely real
    it thinks them, where a logit says so.
    """
    if (bound := loss.decides_at) is None:
        told_apart = (real > fake).float().mean()
        return {"accuracy/real": told_apart, "accuracy/fake": told_apart}
    scores = {"score/D(x)": real.sigmoid().mean(), "score/D(G(z))": fake.sigmoid().mean()}
    right = {"accuracy/real": (real > bound).float().mean(), "accuracy/fake": (fake < bound).float().mean()}
    return (scores if loss.log_odds else {}) | right


def first_nonfinite_metric(values: Mapping[str, float]) -> str | None:
    """The first name whose value is not a finite number."""
    return next((name for name, value in values.items() if not math.isfinite(value)), None)


class SampleGrid:
    """Sample grids of the same z from step to step, for conditional models one class a column, for codes one
    value of the code; for points scatter plots."""

    def __init__(self, model: ModelConfig, seed: int) -> None:
        self.kind = model.kind
        self.columns = min(model.classes or model.code_classes, 16) or 10
        count = DOTS if self.kind == "points" else ROWS * self.columns
        self.z = latents(model, count, stream_seed(seed, "sample_grid"))
        columns = torch.arange(count) % self.columns
        self.labels = columns if model.classes else None
        if model.code_classes and not model.classes:
            first = model.latent - model.code_classes - model.code_numbers
            self.z[:, first : first + model.code_classes] = F.one_hot(columns, model.code_classes).float()

    def draw(self, sampler: Sampler) -> np.ndarray:
        """The samples: pictures as uint8 (N, C, H, W), points as float32 (N, 2, 1, 1)."""
        draw = sampler.numbers if self.kind == "points" else sampler.pictures
        return draw(self.z, self.labels)

    def render(self, sampler: Sampler) -> bytes:
        """The grid as WebP."""
        return self.encode(self.draw(sampler))

    def real(self, images: np.ndarray, labels: np.ndarray | None) -> bytes:
        """Real pictures (N, C, H, W), in the same places, as WebP."""
        if self.labels is None or labels is None or self.kind == "points":
            chosen = np.arange(len(self.z)) % len(images)
        else:
            by_class = [np.flatnonzero(labels[:5000] == k) for k in range(self.columns)]
            chosen = np.array([
                by_class[k][row % len(by_class[k])] if len(by_class[k]) else 0
                for row in range(ROWS) for k in range(self.columns)
            ])  # fmt: skip
        return self.encode(np.asarray(images[chosen]))

    def encode(self, images: np.ndarray) -> bytes:
        """Samples, or real pictures in their places, as WebP."""
        whole = np.nan_to_num(images)  # points of a generator that diverged are to be seen as well
        return webp(preview(whole, self.kind, self.columns))
