"""A run's records as one stream: points of the curves and scores, in the order of their steps."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from typing import Any

from gan_core.runs.layout import RunPaths
from gan_core.runs.records import ALL_MOST, SCORES_MOST, number, read_all
from gan_core.runs.rewind import surviving


def history(run: RunPaths) -> Iterator[dict[str, Any]]:
    """All records that were not lost by going back; of the same step the point of the curves comes first."""
    files = ((run.metrics, ALL_MOST), (run.scores, SCORES_MOST))
    return merge(*(surviving(read_all(*file)) for file in files), key=lambda row: number(row, "step", 0.0))
