"""Fully connected pairs for points in the plane: pictures of one pixel with two channels, x and y."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_core.config import ModelConfig
from gan_core.networks.articles import Dense
from gan_core.networks.base import Head, Judgement

G_LAYERS, D_LAYERS = 5, 3  # depth lets G tear the plane apart between two clouds
SPREAD = 4.0  # z is taken this many times, for the same reason
OCTAVES = 4  # waves of length 2, 1, 1/2 and 1/4 across a plane from -1 to 1


class PointGenerator(Dense):
    """z (N, latent), labels (N,) or None to points (N, 2, 1, 1); five hidden layers."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__(model, [model.g_width] * G_LAYERS, norm=model.g_norm == "batch")

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(SPREAD * z, labels)


class PointJudge(nn.Module):
    """Points (N, C, 1, 1), labels to a `Judgement`: three hidden layers on the place and on waves over it.

    A plain net of this size sees blurs for a long time; waves let it see clouds a hundredth wide.
    Source: Tancik et al. 2020, arXiv 2006.10739, section 6 (positional encoding). No norm: each point is
    judged alone.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        inputs = model.channels * model.size**2 * (1 + 2 * OCTAVES)
        layers: list[nn.Module] = []
        for a, b in pairwise([inputs, *[model.d_width] * D_LAYERS]):
            layers += [nn.Linear(a, b), nn.LeakyReLU(0.2), nn.Dropout(model.d_dropout)]
        self.layers = nn.Sequential(*layers)
        self.head = Head(model.d_width, model)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Judgement:
        place = pictures.flatten(1)  # (N, C)
        turns = [math.pi * 2**octave * place for octave in range(OCTAVES)]
        seen = torch.cat([place, *(turn.sin() for turn in turns), *(turn.cos() for turn in turns)], 1)
        return self.head(self.layers(seen), labels)  # type: ignore[no-any-return]
