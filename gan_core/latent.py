"""Points in the generator's latent space and interpolations between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Noise:
    """A row of `NOISES`: `transform` turns standard normal numbers into numbers of this distribution.

    `turns` says whether points halfway round from one of its points to another are of this distribution too.
    Only normal ones are. Of uniform ones 8 % of the numbers then lie beyond the -1 to 1 that a network was
    trained on, of truncated ones 6 % (at 64 numbers); Laplace's have no bounds, but their tails grow lighter.
    """

    transform: Callable[[Tensor], Tensor]
    turns: bool
    summary: str


def uniform(normal: Tensor) -> Tensor:
    """Even between -1 and 1: standard deviation 0.577."""
    numbers: Tensor = 2 * torch.special.ndtr(normal) - 1
    return numbers


def laplace(normal: Tensor) -> Tensor:
    """Density exp(-sqrt(2) |z|) / sqrt(2): standard deviation 1, heavier tails than the normal."""
    tail = torch.special.ndtr(-normal.abs()).clamp_min(1e-30)  # 0 to 1/2
    numbers: Tensor = -normal.sign() * (2 * tail).log() / 2**0.5
    return numbers


def truncated(normal: Tensor) -> Tensor:
    """Normal numbers between -1 and 1 only: standard deviation 0.540."""
    low, high = 0.15865525393145707, 0.8413447460685429  # the normal's share below -1, and below 1
    numbers: Tensor = torch.special.ndtri(low + (high - low) * torch.special.ndtr(normal))
    return numbers.clamp(-1, 1)


NOISES: dict[str, Noise] = {
    "gaussian": Noise(lambda normal: normal, True, "Normal, standard deviation 1: the usual choice."),
    "uniform": Noise(uniform, False, "Even between -1 and 1, as in the first DCGANs."),
    "laplace": Noise(laplace, False, "Standard deviation 1 with rare large numbers: rare, odd pictures."),
    "truncated": Noise(truncated, False, "Normal within -1 and 1: fewer odd pictures, less variety."),
}


def noise_transform(noise: str, classes: int = 0, numbers: int = 0) -> Callable[[Tensor], Tensor]:
    """From standard normal numbers (N, L) to z (N, L): noise of this row, then InfoGAN's codes.

    The codes are a one-hot code of `classes` values, each equally often, and `numbers` even between -1 and 1.
    """
    plain = NOISES[noise].transform
    if classes + numbers == 0:
        return plain

    def transform(normal: Tensor) -> Tensor:
        first = normal.shape[1] - classes - numbers
        free, code, even = normal.tensor_split((first, first + classes), dim=1)
        parts = [plain(free)]
        if classes:  # the largest of K normal numbers is each of them equally often
            parts.append(F.one_hot(code.argmax(1), classes).to(normal.dtype))
        return torch.cat([*parts, uniform(even)], dim=1)

    return transform


def sample_latents(
    count: int, dim: int, seed: int, noise: str = "gaussian", codes: tuple[int, int] = (0, 0)
) -> Tensor:
    """Points of a row of `NOISES`, (count, dim) float32; row i depends on (seed, i) only, not on `count`.

    `codes` are the code's classes and the numbers at the end of z: see `noise_transform`.
    """
    rows = np.random.default_rng(seed).standard_normal((count, dim))
    return noise_transform(noise, *codes)(torch.from_numpy(rows.astype(np.float32)))


def lerp(a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
    """Linear interpolation, a at t = 0 and b at t = 1; its middle lies nearer the origin than z ever does."""
    return a + (b - a) * t


def slerp(a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
    """Spherical interpolation, around the origin: directions by equal angles, lengths in proportion.

    a, b: (..., dim); t: number or (..., 1). Source: Shoemake 1985; White 2016, arXiv 1609.04468. Ends that
    point the same way, or exactly opposite ways (where no single arc exists), fall back to `lerp`. The
    angle is Kahan's (2006, "How Futile are Mindless Assessments of Roundoff", section 12): the cosine of one
    near 0 or pi says next to nothing of it.
    """
    length_a, length_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    unit_a, unit_b = a / length_a.clamp_min(1e-12), b / length_b.clamp_min(1e-12)
    apart, together = ((unit_a + sign * unit_b).norm(dim=-1, keepdim=True) for sign in (-1, 1))
    angle = 2 * torch.atan2(apart, together)
    sine = torch.sin(angle)
    arc = (torch.sin((1 - t) * angle) * unit_a + torch.sin(t * angle) * unit_b) / sine.clamp_min(1e-6)
    arc = arc * lerp(length_a, length_b, t)
    return torch.where(sine < 1e-4, lerp(a, b, t), arc)


INTERPOLATIONS = {"spherical": slerp, "linear": lerp}


ASTRAY = (
    "Spherical interpolation suits normal noise alone: on its way the noise or the codes of this network "
    "leave their range or their distribution. Linear interpolation keeps within their range."
)


def suitable_interpolation(noise: str, codes: int = 0) -> str:
    """The row of `INTERPOLATIONS` that stays among the z a network knows: spherical for normal noise, linear
    for any other, which it keeps within its range, and where z ends in that many `codes`."""
    return "spherical" if NOISES[noise].turns and not codes else "linear"


def path(a: Tensor, b: Tensor, count: int, interpolation: str) -> Tensor:
    """`count` points from a to b, ends included, by a row of `INTERPOLATIONS`: (count, dim). a, b: (dim,)."""
    t = torch.linspace(0.0, 1.0, count)[:, None]
    return INTERPOLATIONS[interpolation](a[None], b[None], t)
