"""Real pictures for the training step: shuffled anew each epoch, no Python per picture."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gan_core.augment import unchanged
from gan_core.images import to_unit
from gan_core.seeds import stream_seed


@dataclass(frozen=True, slots=True)
class Batch:
    """Real pictures (N, C, H, W) in [-1, 1] and their labels (N,), or None without labels."""

    images: Tensor
    labels: Tensor | None


class BatchSampler:
    """Batches of a data set in an order that depends on the seed and the position only.

    images: uint8 (N, C, H, W), may be a memory map; labels: (N,) or None. On a GPU all of it is moved there
    once. Position p is the p-th picture ever drawn: a run resumed at the same position goes on in the same
    order. `change` is made to each batch, (N, C, H, W) in [-1, 1].
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray | None, *, seed: int, device: str,
        layout: torch.memory_format = torch.contiguous_format,
        change: Callable[[Tensor], Tensor] = unchanged,
    ) -> None:  # fmt: skip
        with warnings.catch_warnings():  # torch warns that a read-only map is not writable; we never write
            warnings.simplefilter("ignore")
            self.images = torch.from_numpy(images).to(device)
        self.labels = None if labels is None else torch.from_numpy(np.array(labels)).to(device)
        self.seed, self.layout, self.change = seed, layout, change
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def batch(self, position: int, count: int, share: slice = slice(None)) -> Batch:
        """The batch of `count` that starts at `position`, or a share of it."""
        rows = self._rows(position, count)[share].to(self.images.device)
        pixels = self.images[rows].to(memory_format=self.layout)
        labels = None if self.labels is None else self.labels[rows]
        return Batch(self.change(to_unit(pixels)), labels)

    def _rows(self, position: int, count: int) -> Tensor:
        parts: list[Tensor] = []
        while count > 0:
            epoch, offset = divmod(position, len(self.images))
            parts.append(self._permutation(epoch)[offset : offset + count])
            position, count = position + len(parts[-1]), count - len(parts[-1])
        return torch.cat(parts)

    def _permutation(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            shuffle = torch.Generator().manual_seed(stream_seed(self.seed, "data_order", epoch))
            self._epoch, self._order = epoch, torch.randperm(len(self.images), generator=shuffle)
        return self._order
