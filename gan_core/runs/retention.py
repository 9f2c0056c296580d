"""Which checkpoints of a run stay when together they may fill only so much of the disk."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path

from gan_core.runs.layout import RunPaths
from gan_core.runs.listing import numbered

MEGABYTE = 1_000_000


def retained_checkpoints(sizes: Mapping[int, int], most: float, guarded: Collection[int] = ()) -> set[int]:
    """Which steps of `sizes` (step -> bytes) stay, so that together they fill at most `most` bytes.

    The first, the last and the `guarded` stay whatever they fill. Of the others ever fewer stay the further
    back one looks: 10, 20, 30, ... 100 thin out to something like 10, 50, 80, 90, 100.
    """
    kept = sorted(sizes)

    def gap(i: int) -> float:
        """The gap that would open, beside how long ago it is: the least noticeable one may open."""
        return (kept[i + 1] - kept[i - 1]) / (kept[-1] - kept[i - 1])

    while sum(sizes[step] for step in kept) > most:
        free = [i for i in range(1, len(kept) - 1) if kept[i] not in guarded]
        if not free:
            break
        kept.pop(min(free, key=gap))
    return set(kept)


def checkpoint_sizes(run: RunPaths) -> dict[int, int]:
    """Bytes of each checkpoint by its step."""
    return {step: _size(run.checkpoint(step)) for step in numbered(run, run.checkpoints)}


def _size(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):
        total = sum(path.stat().st_size for path in folder.iterdir())
    return total
