"""The pairs that beginners meet in articles, each as it is usually printed, with what is peculiar about it.

Widths are those of `ModelConfig`; the presets `article-*` set the printed ones. Norms and dropout are as
printed: see `fixed` in `NETWORKS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_core.config import ModelConfig
from gan_core.networks.base import DiscriminatorOutput, Head, join_label, to_pixels
from gan_core.networks.dcgan import flat
from gan_core.networks.labels import scale_of


class Dense(nn.Module):
    """A generator of fully connected layers: z (N, latent), labels to pictures (N, C, size, size).

    `widths` are its hidden layers', whose leaky ReLU keeps `leak` of what is below 0. With `sigmoid` its
    pixels are 0 to 1 and are then stretched to -1 to 1.
    """

    def __init__(
        self, model: ModelConfig, widths: Sequence[int], norm: bool, sigmoid: bool = False, leak: float = 0.2
    ) -> None:
        super().__init__()
        self.classes, self.sigmoid = model.classes, sigmoid
        self.shape = (model.channels, model.size, model.size)
        self.first = nn.Linear(model.latent + model.classes, widths[0])
        layers: list[nn.Module] = [nn.LeakyReLU(leak)]
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b)] if norm else []), nn.LeakyReLU(leak)]
        self.rest = nn.Sequential(*layers, nn.Linear(widths[-1], model.channels * model.size**2))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        pixels = self.rest(self.first(join_label(z, labels, self.classes)))  # (N, C * size * size)
        unit = 2 * torch.sigmoid(pixels.float()) - 1 if self.sigmoid else to_pixels(pixels)
        return unit.view(-1, *self.shape)

    def latent_map(self) -> Tensor:
        """The matrix (width, latent) that takes z to the first layer."""
        return self.first.weight[:, : self.first.in_features - self.classes].detach()


class DenseDiscriminator(nn.Module):
    """A discriminator of fully connected layers; `widths` are its hidden layers'."""

    def __init__(self, model: ModelConfig, widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in pairwise([model.channels * model.size**2, *widths]):
            layers += [nn.Linear(a, b), nn.LeakyReLU(0.2), nn.Dropout(model.d_dropout)]
        self.layers = nn.Sequential(*layers)
        self.head = Head(widths[-1], model)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        return self.head(self.layers(pictures.flatten(1)), labels)  # type: ignore[no-any-return]


class ConvGenerator(nn.Module):
    """z to 7x7, then three transposed convolutions of kernel 5, the last two doubling: 28 pixels."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        w = model.g_width
        self.classes, self.width = model.classes, 4 * w
        self.first = nn.Linear(model.latent + model.classes, 49 * 4 * w, bias=False)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(4 * w), nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(4 * w, 2 * w, 5, 1, 2, bias=False), nn.BatchNorm2d(2 * w), nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(2 * w, w, 5, 2, 2, 1, bias=False), nn.BatchNorm2d(w), nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(w, model.channels, 5, 2, 2, 1, bias=False),
        )  # fmt: skip

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self.first(join_label(z, labels, self.classes)).view(-1, 7, 7, self.width)
        return to_pixels(self.layers(h.permute(0, 3, 1, 2)))  # (N, C, 28, 28)

    def latent_map(self) -> Tensor:
        """The matrix (49 * width, latent) that takes z to the normalised 7x7 maps in eval mode."""
        weight = self.first.weight[:, : self.first.in_features - self.classes]
        scale = scale_of(self.layers[0])  # (width,)
        assert scale is not None
        return (weight * scale.repeat(49)[:, None]).detach()


class ConvDiscriminator(nn.Module):
    """Two convolutions of kernel 5, each followed by max pooling: 28 to 7 pixels; no norm."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        w = model.d_width
        self.layers = nn.Sequential(
            nn.Conv2d(model.channels, w, 5, padding=2), nn.LeakyReLU(0.2), nn.MaxPool2d(2),
            nn.Conv2d(w, 2 * w, 5, padding=2), nn.LeakyReLU(0.2), nn.MaxPool2d(2),
        )  # fmt: skip
        self.dropout = nn.Dropout(model.d_dropout)
        self.head = Head(2 * w * 49, model)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        return self.head(self.dropout(flat(self.layers(pictures))), labels)  # type: ignore[no-any-return]


def mlp_28(model: ModelConfig) -> nn.Module:
    """One hidden layer, sigmoid out."""
    return Dense(model, [model.g_width], norm=False, sigmoid=True)


def mlp_28_discriminator(model: ModelConfig) -> nn.Module:
    """One hidden layer."""
    return DenseDiscriminator(model, [model.d_width])


def mlp_64(model: ModelConfig) -> nn.Module:
    """w, 2w, 4w."""
    return Dense(model, [model.g_width * k for k in (1, 2, 4)], norm=False)


def mlp_64_discriminator(model: ModelConfig) -> nn.Module:
    """4w, 2w, w, dropout .3 after each."""
    return DenseDiscriminator(model, [model.d_width * k for k in (4, 2, 1)])


def mlp_32(model: ModelConfig) -> nn.Module:
    """w, 2w, 4w, 8w, batch norm in all but the first."""
    return Dense(model, [model.g_width * k for k in (1, 2, 4, 8)], norm=True)


def mlp_32_discriminator(model: ModelConfig) -> nn.Module:
    """4w, 2w."""
    return DenseDiscriminator(model, [model.d_width * k for k in (4, 2)])
