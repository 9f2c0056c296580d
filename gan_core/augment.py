"""Changes made to real and fake pictures alike before D sees them, differentiable, so that G learns through.

A row of `AUGMENTS` maps (N, C, H, W) in [-1, 1] to the same shape, each picture changed by chance in its own
way. Because fakes are changed as well, G is never asked to draw the changes. Source of the three parts: Zhao
et al. 2020, arXiv 2006.10738, section 4. Random numbers come from torch's own generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

BACKGROUND = -1.0  # black: what a shifted picture uncovers


@dataclass(frozen=True, slots=True)
class Augment:
    """A row of `AUGMENTS` or `REAL_AUGMENTS`: what is done, one change after the other, and what it is good
    for."""

    changes: Sequence[Callable[[Tensor], Tensor]]
    summary: str

    def __call__(self, pictures: Tensor) -> Tensor:
        """The pictures after all changes."""
        for change in self.changes:
            pictures = change(pictures)
        return pictures


def unchanged(pictures: Tensor) -> Tensor:
    """No augmentation."""
    return pictures


def by_chance(change: Callable[[Tensor], Tensor], pictures: Tensor, chance: float) -> Tensor:
    """`change` made to each of the pictures (N, C, H, W) with this chance; the others stay as they are."""
    chosen = torch.rand(len(pictures), 1, 1, 1, device=pictures.device) < chance
    return torch.where(chosen, change(pictures), pictures)


def translation(pictures: Tensor, share: float = 1 / 8) -> Tensor:
    """Shift each picture by up to `share` of its side, whole pixels both ways; black moves in."""
    count, _, height, width = pictures.shape
    device, reach = pictures.device, round(height * share)
    down = torch.randint(-reach, reach + 1, (count, 1, 1), device=device)
    right = torch.randint(-reach, reach + 1, (count, 1, 1), device=device)
    rows = (torch.arange(height, device=device)[None, :, None] + down).clamp(-1, height) + 1  # (N, H, 1)
    columns = (torch.arange(width, device=device)[None, None, :] + right).clamp(-1, width) + 1  # (N, 1, W)
    framed = F.pad(pictures, (1, 1, 1, 1), value=BACKGROUND)  # (N, C, H + 2, W + 2)
    each = torch.arange(count, device=device)[:, None, None]
    return framed.permute(0, 2, 3, 1)[each, rows, columns].permute(0, 3, 1, 2)  # (N, C, H, W)


def cutout(pictures: Tensor, share: float = 1 / 2) -> Tensor:
    """Put grey over a square of `share` of the side, somewhere in each picture, perhaps partly outside."""
    count, _, height, width = pictures.shape
    device, side = pictures.device, round(height * share)
    top = torch.randint(-(side // 2), height - side // 2 + 1, (count, 1, 1), device=device)
    left = torch.randint(-(side // 2), width - side // 2 + 1, (count, 1, 1), device=device)
    y, x = torch.arange(height, device=device)[None, :, None], torch.arange(width, device=device)[None, None]
    covered = (y >= top) & (y < top + side) & (x >= left) & (x < left + side)  # (N, H, W)
    return pictures * (~covered)[:, None].to(pictures.dtype)


def color(pictures: Tensor) -> Tensor:
    """Change brightness (+-.5), saturation (0 to 2 times) and contrast (.5 to 1.5 times) of each picture."""

    def chance(low: float, high: float) -> Tensor:
        return torch.empty(len(pictures), 1, 1, 1, device=pictures.device).uniform_(low, high)

    pictures = pictures + chance(-0.5, 0.5)
    grey = pictures.mean(1, keepdim=True)
    pictures = grey + (pictures - grey) * chance(0.0, 2.0)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    return mean + (pictures - mean) * chance(0.5, 1.5)


def flip(pictures: Tensor) -> Tensor:
    """Mirror each picture, left for right, with a chance of one half."""
    return by_chance(lambda every: every.flip(3), pictures, 0.5)


def rotation(pictures: Tensor, degrees: float = 15.0) -> Tensor:
    """Turn each picture about its middle by up to `degrees` either way; black moves in at the corners."""
    angle = torch.empty(len(pictures), device=pictures.device).uniform_(-degrees, degrees) * math.pi / 180
    sine, cosine, none = angle.sin(), angle.cos(), torch.zeros_like(angle)
    turn = torch.stack([cosine, -sine, none, sine, cosine, none], 1).view(-1, 2, 3)  # (N, 2, 3)
    grid = F.affine_grid(turn, list(pictures.shape), align_corners=False).to(pictures.dtype)
    return F.grid_sample(pictures - BACKGROUND, grid, align_corners=False) + BACKGROUND


AUGMENTS: dict[str, Augment] = {
    "none": Augment((), "Pictures as they are: best when there are many."),
    "translation": Augment((translation,), "Shifts: suits digits and all else on black."),
    "translation-cutout": Augment(
        (translation, cutout),
        "Shifts and covered squares: for a few thousand pictures.",
    ),
    "color-translation-cutout": Augment(
        (color, translation, cutout),
        "Colours, shifts and covered squares: for a few hundred photographs; not for black backgrounds.",
    ),
}

REAL_AUGMENTS: dict[str, Augment] = {  # of real pictures only: the generator learns to draw these too
    "none": Augment((), "Real pictures as they are."),
    "flip": Augment((flip,), "Mirrored by chance: for faces and things, not for letters and digits."),
    "shift": Augment((translation,), "Moved by up to an eighth of the side."),
    "rotation": Augment((rotation,), "Turned by up to 15 degrees."),
    "shift-rotation": Augment((translation, rotation), "Moved and turned."),
}


@dataclass(slots=True)
class InstanceNoise:
    """Add normal noise of size `sigma * share` to real and fake pictures; `share` falls from 1 to 0.

    Source: Sonderby et al. 2017, arXiv 1610.04490; Arjovsky and Bottou 2017, arXiv 1701.04862.
    """

    sigma: float
    share: float = 1.0

    def __call__(self, pictures: Tensor) -> Tensor:
        """The same pictures with fresh noise on each pixel."""
        return pictures + self.sigma * self.share * torch.randn_like(pictures)
