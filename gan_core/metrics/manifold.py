"""Precision and recall: do generated pictures look real, and can every real one be generated?

A cloud of pictures is taken to fill the balls around each of its points that reach to the third nearest
neighbour. Precision is the share of generated pictures inside the real cloud, recall the share of real ones
inside the generated cloud. Real pictures against real ones do not reach 1 either: compare with that.

Source: Kynkäänniemi et al. 2019, arXiv 1904.06991, eq. 1 and 2.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gan_core.metrics.inputs import MetricInput

NEIGHBOUR = 3
AT_MOST = 5000  # pictures of each kind
ROWS = 1000  # distances held in memory at a time: 1000 x 5000


def share_inside(points: np.ndarray, cloud: np.ndarray, neighbour: int = NEIGHBOUR) -> float:
    """Share of `points` (N, D) in at least one ball around a point of `cloud` (M, D), M > `neighbour`.

    The radius of a ball is the distance of its centre from its `neighbour`-th nearest other centre.
    """
    asked, centres = torch.from_numpy(points), torch.from_numpy(cloud)
    squared_radii = torch.cat(
        [_reach(part, centres, neighbour) for part in torch.split(centres, ROWS)]
    )  # (M,)
    inside = [
        (_squared_distances(part, centres) <= squared_radii).any(dim=1) for part in torch.split(asked, ROWS)
    ]
    return float(torch.cat(inside).double().mean())


def precision(inputs: MetricInput) -> float:
    """Share of generated pictures that lie among real ones."""
    generated, real = _equal_parts(inputs)
    return share_inside(generated, real)


def recall(inputs: MetricInput) -> float:
    """Share of real pictures that lie among generated ones: variety."""
    generated, real = _equal_parts(inputs)
    return share_inside(real, generated)


def _equal_parts(inputs: MetricInput) -> tuple[np.ndarray, np.ndarray]:
    count = min(AT_MOST, len(inputs.generated), len(inputs.real))
    return inputs.generated.sample(count).features, inputs.real.sample(count).features


def _reach(some: Tensor, centres: Tensor, neighbour: int) -> Tensor:
    """Squared radii (n,) of the balls around `some` of the `centres`; the nearest is the point itself."""
    return _squared_distances(some, centres).topk(neighbour + 1, largest=False).values[:, -1]


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """(n, D) and (M, D) to (n, M)."""
    squares = a.square().sum(dim=1, keepdim=True) + b.square().sum(dim=1)
    return torch.addmm(squares, a, b.T, alpha=-2).clamp_(min=0)
