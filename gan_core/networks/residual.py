"""Deeper pairs: sndcgan, resnet and the norm-free residual r3.

Each halves or doubles the side between `size` and 4 pixels; widths double towards 4 pixels, up to 8 times.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_core.config import ModelConfig
from gan_core.networks.base import DiscriminatorOutput, Head, NormFree, join_label, to_pixels
from gan_core.networks.dcgan import LatentProjection, doublings, flat, up

DEEPEST = 3  # doublings of the width


def widths(width: int, size: int) -> list[int]:
    """Channels at 4 pixels first, at `size` last: [8w, 4w, 2w, w] for 32 pixels, never more than 8w."""
    n = doublings(size)
    return [width * 2 ** min(k, DEEPEST) for k in reversed(range(n + 1))]


class SnGenerator(nn.Module):
    """A DCGAN generator with a 3x3 convolution at its end.

    After Miyato et al. 2018, arXiv 1802.05957, table 3.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        w = widths(model.g_width, model.size)
        self.projection = LatentProjection(model, w[0])
        self.ups = nn.Sequential(*(up(a, b, model.g_norm) for a, b in zip(w, w[1:])))
        self.out = nn.Conv2d(w[-1], model.channels, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return to_pixels(self.out(self.ups(self.projection(z, labels))))

    def latent_map(self) -> Tensor:
        """See `LatentProjection.latent_map`."""
        return self.projection.latent_map()


class SnDiscriminator(nn.Module):
    """Pairs of a 3x3 and a halving 4x4 convolution, each under spectral normalisation."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        w = widths(model.d_width, model.size)[::-1]
        layers: list[nn.Module] = [nn.Conv2d(model.channels, w[0], 3, padding=1), nn.LeakyReLU(0.1)]
        for a, b in zip(w, w[1:]):
            layers += [nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.1), nn.Conv2d(b, b, 3, padding=1),
                       nn.LeakyReLU(0.1)]  # fmt: skip
        self.layers = nn.Sequential(*layers)
        self.head = Head(w[-1] * 16, model)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        return self.head(flat(self.layers(pictures)), labels)  # type: ignore[no-any-return]


class UpBlock(nn.Module):
    """Double the side: batch norm, ReLU, nearest x2, 3x3, batch norm, ReLU, 3x3, plus a 1x1 shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.one = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.two = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.short = nn.Conv2d(inputs, outputs, 1)

    def forward(self, h: Tensor) -> Tensor:
        way = self.one(F.interpolate(F.relu(self.first(h)), scale_factor=2))
        way = self.two(F.relu(self.second(way)))
        return way + F.interpolate(self.short(h), scale_factor=2)  # type: ignore[no-any-return]


class DownBlock(nn.Module):
    """Halve the side: ReLU, 3x3, ReLU, 3x3, mean of 2x2, plus a 1x1 shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.two = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.short = nn.Conv2d(inputs, outputs, 1)

    def forward(self, h: Tensor) -> Tensor:
        way = self.two(F.relu(self.one(F.relu(h))))
        return F.avg_pool2d(way + self.short(h), 2)


class ResGenerator(nn.Module):
    """A residual generator like SNGAN's, with widths that double towards 4 pixels.

    After Miyato et al. 2018, arXiv 1802.05957, table 4, where all blocks have the same 256 channels.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        w = widths(model.g_width, model.size)
        self.projection = LatentProjection(model, w[0])
        self.blocks = nn.Sequential(*(UpBlock(a, b) for a, b in zip(w, w[1:])))
        self.norm = nn.BatchNorm2d(w[-1])
        self.out = nn.Conv2d(w[-1], model.channels, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self.blocks(self.projection(z, labels))
        return to_pixels(self.out(F.relu(self.norm(h))))

    def latent_map(self) -> Tensor:
        """See `LatentProjection.latent_map`."""
        return self.projection.latent_map()


class ResDiscriminator(nn.Module):
    """A residual discriminator like SNGAN's, under spectral norm: features are summed over 4x4 places.

    After the same table, where all blocks have 128 channels and only the first two of four halve the side.
    Here each block halves it, down to 4 pixels, and doubles the width up to 8 times.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        w = widths(model.d_width, model.size)[::-1]
        self.first = nn.Conv2d(model.channels, w[0], 3, padding=1)
        self.blocks = nn.Sequential(*(DownBlock(a, b) for a, b in zip(w, w[1:])))
        self.head = Head(w[-1], model)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        h = F.relu(self.blocks(self.first(pictures)))
        return self.head(h.sum((2, 3)), labels)  # type: ignore[no-any-return]


class R3Block(NormFree):
    """1x1 to twice the width, LeakyReLU, grouped 3x3, LeakyReLU, 1x1 back, added to the input; no norm.

    The last layer starts at 0, so that the block starts as nothing at all.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = 2 * width
        self.one = nn.Conv2d(width, wide, 1)
        self.two = nn.Conv2d(wide, wide, 3, padding=1, groups=_groups(wide), bias=False)
        self.three = nn.Conv2d(wide, width, 1, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        way = F.leaky_relu(self.two(F.leaky_relu(self.one(h), 0.2)), 0.2)
        return h + self.three(way)  # type: ignore[no-any-return]

    def begin(self, generator: torch.Generator | None) -> None:
        """The first weights of a norm-free block."""
        for layer in (self.one, self.two):
            _kaiming(layer.weight, generator)
        nn.init.zeros_(self.three.weight)


def _groups(wide: int) -> int:
    """How many groups `wide` channels fall into: of 16 each, or of as few more as divide them evenly."""
    return next(count for count in range(max(1, wide // 16), 0, -1) if wide % count == 0)


class R3Generator(NormFree):
    """4x4 from z, a norm-free block a side, bilinear doubling with a 1x1 convolution.

    After Huang et al. 2024, arXiv 2501.05441, section 4, one block a side and a tanh at the end.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        w = widths(model.g_width, model.size)
        self.classes, self.width = model.classes, w[0]
        self.first = nn.Linear(model.latent + model.classes, w[0] * 16)
        self.blocks = nn.ModuleList(R3Block(a) for a in w)
        self.grow = nn.ModuleList(nn.Conv2d(a, b, 1, bias=False) for a, b in zip(w, w[1:]))
        self.out = nn.Conv2d(w[-1], model.channels, 1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self.first(join_label(z, labels, self.classes)).view(-1, 4, 4, self.width).permute(0, 3, 1, 2)
        h = self.blocks[0](h)
        for grow, block in zip(self.grow, list(self.blocks)[1:]):
            h = block(F.interpolate(grow(h), scale_factor=2, mode="bilinear", align_corners=False))
        return to_pixels(self.out(h))

    def latent_map(self) -> Tensor:
        """The matrix (16 * width, latent) that takes z to the first feature map."""
        return self.first.weight[:, : self.first.in_features - self.classes].detach()

    def begin(self, generator: torch.Generator | None) -> None:
        """The first weights of a network without norm."""
        for layer in (self.first, *self.grow, self.out):
            _kaiming(layer.weight, generator)


class R3Discriminator(NormFree):
    """The mirror image: norm-free blocks, bilinear halving, a depthwise 4x4 convolution before the head."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        w = widths(model.d_width, model.size)[::-1]
        self.first = nn.Conv2d(model.channels, w[0], 1)
        self.blocks = nn.ModuleList(R3Block(a) for a in w)
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 1, bias=False) for a, b in zip(w, w[1:]))
        self.basis = nn.Conv2d(w[-1], w[-1], 4, groups=w[-1], bias=False)
        self.head = Head(w[-1], model)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        h = self.blocks[0](self.first(pictures))
        for shrink, block in zip(self.shrink, list(self.blocks)[1:]):
            h = block(shrink(F.avg_pool2d(h, 2)))
        return self.head(self.basis(h).flatten(1), labels)  # type: ignore[no-any-return]

    def begin(self, generator: torch.Generator | None) -> None:
        """The first weights of a network without norm."""
        for layer in (self.first, *self.shrink, self.basis):
            _kaiming(layer.weight, generator)


def _kaiming(weight: Tensor, generator: torch.Generator | None) -> None:
    """Normal, 1 / sqrt(inputs). Source: He et al. 2015, arXiv 1502.01852, without its factor for ReLU."""
    inputs = weight[0].numel()
    nn.init.normal_(weight, 0.0, 1 / math.sqrt(inputs), generator=generator)
