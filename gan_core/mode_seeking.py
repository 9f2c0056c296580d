"""Terms added to G's loss that keep its pictures apart.

Functions of noise (N, ...) and what it became, (N, C, H, W), that give one number before its weight.
"""

from __future__ import annotations

from torch import Tensor

TINY = 1e-12
LEAST = 0.1  # below this ratio the term goes on straight: a fresh G draws all alike


def mode_seeking(z: Tensor, other_z: Tensor, pictures: Tensor, other_pictures: Tensor) -> Tensor:
    """1 / E[|G(z) - G(z')| / |z - z'|], both distances mean absolute differences of a pair: small where
    different noise gives different pictures, and never above 2 / `LEAST`.

    Source: Mao et al. 2019, arXiv 1903.05628, section 3.2; below `LEAST` its tangent.
    """
    moved = (z - other_z).abs().flatten(1).mean(1)  # (N,)
    changed = (pictures - other_pictures).abs().flatten(1).mean(1)  # (N,)
    ratio = (changed / moved.clamp_min(TINY)).mean()
    kept = ratio.clamp_min(LEAST)
    return 1.0 / kept + (kept - ratio) / LEAST**2
