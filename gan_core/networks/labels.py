"""Labels by other ways than beside z or in the head: as planes beside the picture, as gains in batch norm."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_core.networks.base import DiscriminatorOutput


class LabelPlanes(nn.Module):
    """A discriminator that is shown the label beside the picture, one constant plane a class.

    `D` takes pictures (P, m * C + m * classes, H, W) without labels; m is 1, or the pictures of a pack. The
    plane of the picture's own class is 1, the others 0.
    Source: Mirza and Osindero 2014, arXiv 1411.1784, eq. 2 (the label as an input of D).
    """

    def __init__(self, D: nn.Module, classes: int) -> None:
        super().__init__()
        self.D, self.classes = D, classes

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        if labels is None:
            raise ValueError("a conditional discriminator needs labels")
        own = F.one_hot(labels, self.classes).to(pictures.dtype).view(len(pictures), -1, 1, 1)
        planes = own.expand(-1, -1, *pictures.shape[2:])  # (P, m * classes, H, W)
        return self.D(torch.cat([pictures, planes], dim=1), None)  # type: ignore[no-any-return]


class ClassNorm(nn.Module):
    """Batch norm whose gain and offset belong to the label: h (N, F, ...) to the same shape.

    The statistics are those of the whole batch; a row of `gain` and `offset` (classes, F) is a class. A label
    between classes takes the mean of their rows by its shares. `labels` is put here by `ClassNorms`.
    Source: Dumoulin et al. 2017, arXiv 1610.07629, eq. 5; de Vries et al. 2017, arXiv 1707.00683.
    """

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, classes: int) -> None:
        super().__init__()
        width = norm.num_features
        self.norm = type(norm)(width, norm.eps, norm.momentum, affine=False)
        self.gain = nn.Parameter(torch.ones(classes, width))
        self.offset = nn.Parameter(torch.zeros(classes, width))
        self.labels: Tensor | None = None

    def forward(self, h: Tensor) -> Tensor:
        assert self.labels is not None
        shape = (len(h), -1, *(1 for _ in h.shape[2:]))
        gain, offset = (_rows(table, self.labels).view(shape) for table in (self.gain, self.offset))
        return self.norm(h) * gain + offset  # type: ignore[no-any-return]


class ClassNorms(nn.Module):
    """A generator that hears the label in its norms alone: each batch norm of `G` becomes a `ClassNorm`."""

    def __init__(self, G: nn.Module, classes: int) -> None:
        super().__init__()
        self.G = G
        for parent in list(G.modules()):
            for name, norm in list(parent.named_children()):
                if isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d)):
                    setattr(parent, name, ClassNorm(norm, classes))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None:
            raise ValueError("a conditional generator needs labels")
        self._set_labels(labels)
        pictures: Tensor = self.G(z, None)
        self._set_labels(None)  # nothing of the batch stays behind, in a copy or in a checkpoint
        return pictures

    def _set_labels(self, labels: Tensor | None) -> None:
        for part in self.G.modules():
            if isinstance(part, ClassNorm):
                part.labels = labels

    def latent_map(self) -> Tensor:
        """That of `G`, with the mean of the classes' gains."""
        return self.G.latent_map()  # type: ignore[operator, no-any-return]


def _rows(table: Tensor, labels: Tensor) -> Tensor:
    """The rows of `table` (K, F) that belong to whole labels (N,), or their mix by shares (N, K): (N, F)."""
    if labels.is_floating_point():
        return labels.to(table.dtype) @ table
    return F.embedding(labels, table)


def scale_of(norm: nn.Module) -> Tensor | None:
    """By what a norm multiplies each feature in eval mode, (F,): the mean over classes; None without norm."""
    if isinstance(norm, ClassNorm):
        gain, norm = norm.gain.mean(0), norm.norm
    elif isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d)):
        gain = norm.weight
    else:
        return None
    assert norm.running_var is not None
    return gain / (norm.running_var + norm.eps).sqrt()
