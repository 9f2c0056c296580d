"""The textbook DCGAN (Radford, Metz, Chintala 2016, arXiv 1511.06434) for 16 to 128 pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_core.config import ModelConfig
from gan_core.networks.base import DiscriminatorOutput, Head, join_label, to_pixels
from gan_core.networks.labels import scale_of


def doublings(side: int) -> int:
    """How often 4 must be doubled to give `side`: 3 for 32."""
    return (side // 4).bit_length() - 1


def up(inputs: int, outputs: int, norm: str = "batch") -> nn.Sequential:
    """(N, inputs, h, w) to (N, outputs, 2h, 2w); kernel 4 stride 2 leaves no checkerboard."""
    middle = nn.BatchNorm2d(outputs) if norm == "batch" else nn.Identity()
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), middle, nn.ReLU())


def down(inputs: int, outputs: int, norm: bool) -> nn.Sequential:
    """(N, inputs, h, w) to (N, outputs, h/2, w/2)."""
    middle = nn.BatchNorm2d(outputs) if norm else nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not norm), middle, nn.LeakyReLU(0.2))


def downs(widths: Sequence[int], model: ModelConfig) -> nn.Sequential:
    """Halvings from `widths[0]` channels to `widths[-1]`; batch norm, if any, in all but the first."""
    layers = (down(a, b, norm=k > 0 and model.d_norm == "batch")
              for k, (a, b) in enumerate(zip(widths, widths[1:])))  # fmt: skip
    return nn.Sequential(*layers)


def apply_spectral_norm(
    D: nn.Module, model: ModelConfig, wrap: Callable[[nn.Module], object] = spectral_norm
) -> None:
    """Divide each weight of D by its largest singular value where `spectral` is asked for.

    The value is followed by one power iteration a forward pass. Source: Miyato et al. 2018, arXiv 1802.05957.
    `wrap` does it to a layer.
    """
    if model.d_norm == "spectral":
        for layer in list(D.modules()):
            if isinstance(layer, (nn.Conv2d, nn.Linear, nn.Embedding)):
                wrap(layer)


def flat(h: Tensor) -> Tensor:
    """(N, C, h, w) to (N, h * w * C): channels last, so that in that layout nothing has to move.

    Where two layouts meet, an activation's backward pass leaves its fast path and takes many times as long.
    """
    return h.permute(0, 2, 3, 1).flatten(1)


class LatentProjection(nn.Module):
    """z and label to the first 4x4 feature map: (N, latent), (N,) to (N, width, 4, 4)."""

    def __init__(self, model: ModelConfig, width: int) -> None:
        super().__init__()
        self.classes, self.width = model.classes, width
        self.linear = nn.Linear(model.latent + model.classes, width * 16, bias=False)
        self.norm = nn.BatchNorm2d(width) if model.g_norm == "batch" else nn.Identity()

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        h = self.linear(join_label(z, labels, self.classes))  # (N, width * 16)
        h = h.view(-1, 4, 4, self.width).permute(0, 3, 1, 2)  # (N, width, 4, 4), channels last as it lies
        return torch.relu(self.norm(h))

    def latent_map(self) -> Tensor:
        """The matrix (width * 16, latent) that takes z to the normalised feature map in eval mode."""
        weight = self.linear.weight[:, : self.linear.in_features - self.classes]  # the rest is the label's
        scale = scale_of(self.norm)  # (width,)
        return (weight if scale is None else weight * scale.repeat(16)[:, None]).detach()


class Generator(nn.Module):
    """z (N, latent), labels (N,) or None -> pictures (N, C, size, size) in [-1, 1].

    `g_width` channels before the last layer, doubled at each halving of the side.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        n = doublings(model.size)
        widths = [model.g_width * 2**k for k in reversed(range(n))]  # 32 px: 4w, 2w, w
        self.projection = LatentProjection(model, widths[0])
        self.ups = nn.Sequential(*(up(a, b, model.g_norm) for a, b in zip(widths, widths[1:])))
        self.out = nn.ConvTranspose2d(widths[-1], model.channels, 4, 2, 1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return to_pixels(self.out(self.ups(self.projection(z, labels))))

    def latent_map(self) -> Tensor:
        """See `LatentProjection.latent_map`."""
        return self.projection.latent_map()


class Discriminator(nn.Module):
    """pictures (N, C, size, size), labels (N,) or None -> `DiscriminatorOutput`.

    No batch norm on the first layer.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        n = doublings(model.size)
        widths = [model.channels] + [model.d_width * 2**k for k in range(n)]
        self.downs = downs(widths, model)
        self.dropout = nn.Dropout(model.d_dropout)
        self.head = Head(widths[-1] * 16, model)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        return self.head(self.dropout(flat(self.downs(pictures))), labels)  # type: ignore[no-any-return]
