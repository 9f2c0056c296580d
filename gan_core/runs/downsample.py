"""Fewer points for the same curve, its spikes kept."""

from __future__ import annotations

import math
from collections.abc import Sequence


def downsample(
    xs: Sequence[float], ys: Sequence[float | None], limit: int = 500
) -> tuple[list[float], list[float | None]]:
    """At most `limit` (>= 2) points of the curve: first, last, and each bucket's lowest and highest.

    A missing value (None or NaN) never hides a point; a bucket with nothing else keeps one, so that a gap
    in the curve stays a gap.
    """
    if len(xs) != len(ys) or limit < 2:
        raise ValueError("downsample wants as many x as y and a limit of at least 2")
    kept: list[int] = list(range(len(xs)))
    if len(xs) > limit:
        kept = [0, *_extremes(ys, (limit - 2) // 2), len(xs) - 1]
    return [xs[i] for i in kept], [ys[i] for i in kept]


def _extremes(ys: Sequence[float | None], buckets: int) -> list[int]:
    """Indices of the extremes in `buckets` equal stretches of what lies between first and last."""
    kept: list[int] = []
    inner = len(ys) - 2
    for b in range(buckets):
        stretch = range(1 + b * inner // buckets, 1 + (b + 1) * inner // buckets)
        there = [(y, i) for i in stretch if (y := ys[i]) is not None and not math.isnan(y)]
        kept += sorted({min(there)[1], max(there)[1]}) if there else [stretch[0]]
    return kept
