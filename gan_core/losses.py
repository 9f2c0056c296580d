"""The games that a generator and a discriminator can play.

A row of `LOSSES` is a pair of functions of two (N,) float32 tensors of logits, `real = D(x)` and
`fake = D(G(z))`, row i of both belonging to the same label. Both are given to both functions, because
some games compare them. Each returns one number, the mean over the batch, to be minimised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class GanLoss:
    """One game: what D minimises, what G minimises, and both values when G draws perfectly."""

    d: Callable[[Tensor, Tensor], Tensor]
    g: Callable[[Tensor, Tensor], Tensor]
    at_rest: tuple[float, float]  # (D loss, G loss) once nobody can tell real from fake
    paper: str
    summary: str
    g_compares: bool = False  # G's side looks at the real logits too


def non_saturating_d(real: Tensor, fake: Tensor) -> Tensor:
    """mean softplus(-D(x)) + softplus(D(G(z))): binary cross-entropy with targets 1 and 0."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def non_saturating_g(real: Tensor, fake: Tensor) -> Tensor:
    """mean softplus(-D(G(z))): the same cross-entropy with the target turned to 1."""
    return F.softplus(-fake).mean()


LOSSES: dict[str, GanLoss] = {
    "non-saturating": GanLoss(
        d=non_saturating_d,
        g=non_saturating_g,
        at_rest=(1.3863, 0.6931),  # 2 ln 2, ln 2
        paper="Goodfellow et al. 2014, arXiv 1406.2661, section 3",
        summary="The classic game: D says real or fake, G wants its fakes called real.",
    ),
}
