"""Terms added to G's loss that keep its pictures apart.

Functions of noise (N, ...) and what it became, (N, C, H, W), that give one number before its weight.
"""

from __future__ import annotations

from torch import Tensor

TINY = 1e-5


def mode_seeking(z: Tensor, other_z: Tensor, pictures: Tensor, other_pictures: Tensor) -> Tensor:
    """1 / E[|G(z) - G(z')| / |z - z'|], both distances mean absolute differences of a pair: small where
    different noise gives different pictures.

    Source: Mao et al. 2019, arXiv 1903.05628, section 3.2.
    """
    moved = (z - other_z).abs().flatten(1).mean(1)  # (N,)
    changed = (pictures - other_pictures).abs().flatten(1).mean(1)  # (N,)
    return 1.0 / ((changed / moved.clamp_min(TINY)).mean() + TINY)
