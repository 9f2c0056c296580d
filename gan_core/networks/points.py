"""Fully connected pairs for points in the plane: pictures of one pixel with two channels, x and y."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_core.config import ModelConfig
from gan_core.networks.articles import Dense
from gan_core.networks.base import DiscriminatorOutput, Head

G_LAYERS, D_LAYERS = 5, 3  # depth lets G tear the plane apart between two clouds
SPREAD = 8.0  # z is taken this many times, for the same reason
OCTAVES = 3  # waves of length 2, 1 and 1/2 across a plane from -1 to 1


class PointGenerator(Dense):
    """z (N, latent), labels (N,) or None to points (N, 2, 1, 1); five hidden layers.

    Their ReLU is 0 on half of its range: where it is, z may move and the point stays, as clouds with empty
    space between them ask. With a leak a twentieth of the points stays on the way from one to the next.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__(model, [model.g_width] * G_LAYERS, norm=model.g_norm == "batch", leak=0.0)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(SPREAD * z, labels)

    def latent_map(self) -> Tensor:
        """The matrix (width, latent) that takes z to the first layer, its spread included."""
        return SPREAD * super().latent_map()


class PointDiscriminator(nn.Module):
    """Points (N, C, 1, 1), labels to a `DiscriminatorOutput`: three hidden layers on place and waves over it.

    A plain net of this size sees blurs for a long time; waves let it see clouds a hundredth wide.
    Source: Tancik et al. 2020, arXiv 2006.10739, section 6 (positional encoding). No norm: each point is
    seen alone.
    """

    waves: Tensor

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        inputs = model.channels * model.size**2 * (1 + 2 * OCTAVES)
        layers: list[nn.Module] = []
        for a, b in pairwise([inputs, *[model.d_width] * D_LAYERS]):
            layers += [nn.Linear(a, b), nn.LeakyReLU(0.2), nn.Dropout(model.d_dropout)]
        self.layers = nn.Sequential(*layers)
        self.register_buffer("waves", math.pi * 2.0 ** torch.arange(OCTAVES), persistent=False)
        self.head = Head(model.d_width, model)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        place = pictures.flatten(1)  # (N, C)
        turns = (place.unsqueeze(2) * self.waves).flatten(1)  # (N, C * OCTAVES)
        seen = torch.cat([place, turns.sin(), turns.cos()], 1)
        return self.head(self.layers(seen), labels)  # type: ignore[no-any-return]
