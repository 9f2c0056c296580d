"""A run's records as one stream: points of the curves and scores, in the order of their steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from typing import Any

from gan_core.runs.layout import RunPaths
from gan_core.runs.records import ALL_MOST, SCORES_MOST, number, read_all
from gan_core.runs.rewind import beyond, rewound_to


def history(run: RunPaths) -> Iterator[dict[str, Any]]:
    """All records that were not lost by going back; of the same step the point of the curves comes first.

    Each file is read twice, a part at a time: a week's curves need not fit into memory.
    """
    streams = (_surviving(run.metrics, ALL_MOST), _surviving(run.scores, SCORES_MOST))
    return merge(*streams, key=lambda row: number(row, "step", 0.0))


def _surviving(path: Path, most: int) -> Iterator[dict[str, Any]]:
    """`rewind.surviving` of a file, one record at a time."""
    looked = ((place, rewound_to(record)) for place, record in enumerate(read_all(path, most)))
    backs = deque((place, step) for place, step in looked if step is not None)
    for place, record in enumerate(read_all(path, most)):
        if backs and backs[0][0] == place:
            backs.popleft()
        elif not any(beyond(record, step) for _, step in backs):
            yield record
