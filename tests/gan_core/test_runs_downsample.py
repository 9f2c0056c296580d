"""Thinning keeps the shape of a curve and its spikes."""

from __future__ import annotations

import math
import random

import pytest

from gan_core.runs import downsample


@pytest.mark.parametrize("limit", [2, 3, 4, 5, 101, 500])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 499, 500, 501, 502, 10_007])
def test_never_more_than_the_limit_and_both_ends_kept(count: int, limit: int) -> None:
    rng = random.Random(count)
    xs = [float(i) for i in range(count)]
    ys: list[float | None] = [rng.random() for _ in xs]
    tx, ty = downsample(xs, ys, limit)
    assert len(tx) == len(ty) <= limit and tx == sorted(set(tx))
    assert all(ys[int(x)] == y for x, y in zip(tx, ty, strict=True))
    if count:
        assert (tx[0], tx[-1]) == (xs[0], xs[-1])
    if count <= limit:
        assert (tx, ty) == (xs, ys)
    elif limit >= 4:
        assert max(ty[1:-1]) == max(ys[1:-1]) and min(ty[1:-1]) == min(ys[1:-1])  # type: ignore[type-var]


@pytest.mark.parametrize("place", [1, 777, 49_998])
@pytest.mark.parametrize("spike", [1e9, -1e9, math.inf])
def test_a_spike_is_never_lost(place: int, spike: float) -> None:
    ys: list[float | None] = [math.sin(i / 900) for i in range(50_000)]
    ys[place] = spike
    tx, ty = downsample(list(range(50_000)), ys)
    assert (place, spike) in zip(tx, ty, strict=True)


def test_missing_values_neither_hide_points_nor_close_gaps() -> None:
    ys: list[float | None] = [1.0] * 4000
    ys[1000:2000] = [None] * 1000
    ys[3000:3500] = [math.nan] * 500
    ys[1500] = 7.0
    tx, ty = downsample(list(range(4000)), ys, 100)
    assert len(tx) <= 100 and (1500, 7.0) in zip(tx, ty, strict=True)
    assert any(1000 < x < 2000 and y is None for x, y in zip(tx, ty, strict=True))
    assert any(3000 < x < 3500 and y is not None and math.isnan(y) for x, y in zip(tx, ty, strict=True))


def test_what_cannot_be_thinned_is_refused() -> None:
    with pytest.raises(ValueError, match="as many x as y"):
        downsample([1.0], [])
    with pytest.raises(ValueError, match="at least 2"):
        downsample([1.0], [1.0], 1)
