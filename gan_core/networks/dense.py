"""The folded pair with a hidden dense layer between z and the pictures, and between them and the answer.

Where noise and code only add up, each keeps to its own; through a hidden layer the one decides what the other
does. It is what lets InfoGAN's codes become kinds. Source: Chen et al. 2016, arXiv 1606.03657, appendix C.1.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_core.config import ModelConfig
from gan_core.networks.base import DiscriminatorOutput, Head, join_label
from gan_core.networks.dcgan import doublings, downs, flat
from gan_core.networks.folded import FOLD, FoldedGenerator
from gan_core.networks.labels import scale_of

HIDDEN = 16  # times the width: units of the dense layer


class DenseFoldedGenerator(nn.Module):
    """z (N, latent), labels (N,) or None -> pictures (N, C, size, size) in [-1, 1]."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        self.classes, hidden = model.classes, HIDDEN * model.g_width
        self.first = nn.Linear(model.latent + model.classes, hidden, bias=False)
        self.norm = nn.BatchNorm1d(hidden) if model.g_norm == "batch" else nn.Identity()
        self.rest = FoldedGenerator(replace(model, latent=hidden))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        h = torch.relu(self.norm(self.first(join_label(z, labels, self.classes))))  # (N, hidden)
        return self.rest(h, labels)  # type: ignore[no-any-return]

    def latent_map(self) -> Tensor:
        """The matrix (hidden, latent) that takes z to the normalised hidden layer in eval mode."""
        weight = self.first.weight[:, : self.first.in_features - self.classes]
        scale = scale_of(self.norm)
        return (weight if scale is None else weight * scale[:, None]).detach()


class DenseFoldedDiscriminator(nn.Module):
    """pictures (N, C, size, size), labels (N,) or None -> `DiscriminatorOutput`."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        n, hidden = doublings(model.size // FOLD), HIDDEN * model.d_width
        widths = [model.channels * FOLD**2] + [model.d_width * 2**k for k in range(n)]
        norm = nn.BatchNorm1d(hidden) if model.d_norm == "batch" else nn.Identity()
        self.downs = downs(widths, model)
        self.dense = nn.Sequential(nn.Linear(widths[-1] * 16, hidden), norm, nn.LeakyReLU(0.2))
        self.dropout = nn.Dropout(model.d_dropout)
        self.head = Head(hidden, model)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        folded = F.pixel_unshuffle(pictures, FOLD)  # (N, 4C, size/2, size/2)
        hidden = self.dense(flat(self.downs(folded)))  # (N, hidden)
        return self.head(self.dropout(hidden), labels)  # type: ignore[no-any-return]
