"""DCGAN on folded pictures: each 2x2 block of pixels becomes channels, so both networks work at half size.

The same game at about a third of the cost, because the widest and largest layer is gone; it is what reads
digits within seconds on two processor cores. Folding is `pixel_unshuffle` (Shi et al. 2016, arXiv
1609.05158, run backwards); outside the networks pictures stay (N, C, H, W).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from gan_core.config import ModelConfig
from gan_core.networks.base import DiscriminatorOutput, Head, to_pixels
from gan_core.networks.dcgan import LatentProjection, doublings, downs, flat, up

FOLD = 2


class FoldedGenerator(nn.Module):
    """z (N, latent), labels (N,) or None -> pictures (N, C, size, size) in [-1, 1]."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        n = doublings(model.size // FOLD)
        widths = [model.g_width * 2**k for k in reversed(range(n + 1))]  # 32 px: 4w, 2w, w
        self.projection = LatentProjection(model, widths[0])
        self.ups = nn.Sequential(*(up(a, b, model.g_norm) for a, b in zip(widths, widths[1:])))
        self.out = nn.Conv2d(widths[-1], model.channels * FOLD**2, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        folded = self.out(self.ups(self.projection(z, labels)))  # (N, 4C, size/2, size/2)
        return to_pixels(F.pixel_shuffle(folded, FOLD))  # (N, C, size, size)

    def latent_map(self) -> Tensor:
        """See `LatentProjection.latent_map`."""
        return self.projection.latent_map()


class FoldedDiscriminator(nn.Module):
    """pictures (N, C, size, size), labels (N,) or None -> `DiscriminatorOutput`."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        n = doublings(model.size // FOLD)
        widths = [model.channels * FOLD**2] + [model.d_width * 2**k for k in range(n)]
        self.downs = downs(widths, model)
        self.dropout = nn.Dropout(model.d_dropout)
        self.head = Head(widths[-1] * 16, model)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        folded = F.pixel_unshuffle(pictures, FOLD)  # (N, 4C, size/2, size/2)
        return self.head(self.dropout(flat(self.downs(folded))), labels)  # type: ignore[no-any-return]
