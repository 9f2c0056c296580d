"""Points in the generator's latent space and the ways between them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def sample_latents(count: int, dim: int, seed: int) -> Tensor:
    """Standard normal points, (count, dim) float32; row i depends on (seed, i) only, never on `count`."""
    rows = np.random.default_rng(seed).standard_normal((count, dim))
    return torch.from_numpy(rows.astype(np.float32))


def lerp(a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
    """The straight way from a (t = 0) to b (t = 1); its middle lies nearer the origin than z ever does."""
    return a + (b - a) * t


def slerp(a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
    """The way from a to b around the sphere: directions by equal angles, lengths in proportion.

    a, b: (..., dim); t: number or (..., 1). Source: Shoemake 1985; White 2016, arXiv 1609.04468. Ends that
    point the same way, or exactly opposite ways (where no single arc exists), fall back to `lerp`.
    """
    length_a, length_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    unit_a, unit_b = a / length_a.clamp_min(1e-12), b / length_b.clamp_min(1e-12)
    angle = torch.acos((unit_a * unit_b).sum(-1, keepdim=True).clamp(-1.0, 1.0))
    sine = torch.sin(angle)
    arc = (torch.sin((1 - t) * angle) * unit_a + torch.sin(t * angle) * unit_b) / sine.clamp_min(1e-6)
    arc = arc * lerp(length_a, length_b, t)
    return torch.where(sine < 1e-4, lerp(a, b, t), arc)


INTERPOLATIONS = {"spherical": slerp, "linear": lerp}


def path(a: Tensor, b: Tensor, count: int, mode: str = "spherical") -> Tensor:
    """`count` points from a to b, ends included: (count, dim). a, b: (dim,)."""
    t = torch.linspace(0.0, 1.0, count)[:, None]
    return INTERPOLATIONS[mode](a[None], b[None], t)
