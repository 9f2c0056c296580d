"""Directions in the latent space along which the pictures change most."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_core.sampling import Sampler


def principal_directions(sampler: Sampler, count: int) -> tuple[Tensor, Tensor]:
    """The `count` strongest directions, (count, latent) unit rows, and their strengths (count,).

    The first layer of every generator here is linear, so what moves its output most are the right singular
    vectors of its weight. Batch norm in eval mode is linear too and is folded in. Source: SeFa, Shen & Zhou
    2021, arXiv 2007.06600; equal to GANSpace's PCA (arXiv 2004.02546) for a linear layer and Gaussian z.

    Raises:
        ValueError: `count` is more than the latent size.
    """
    latent = sampler.model.latent
    if count > latent:
        raise ValueError(f"there are only {latent} directions")
    first: Tensor = sampler.generator.latent_map()  # type: ignore[operator]
    _, strengths, rows = torch.linalg.svd(first, full_matrices=False)
    signs = torch.sign(rows.gather(1, rows.abs().argmax(1, keepdim=True)))  # the same way round each time
    return (rows * signs)[:count], strengths[:count]
