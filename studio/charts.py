"""Curves for the page: one chart a group of metrics, thinned, knowing no metric by name.

A metric is called `group/name` ("loss/D"); whatever a trainer records under such a name appears as the
curve `name` in the chart `group`, with the step as its horizontal axis.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

from gan_core.runs.downsample import downsample
from gan_core.runs.lineage import place
from gan_core.runs.rewind import rewound_to

LIMIT = 500  # points of one curve that reach a browser, however long the run
KEPT = 20_000  # points of one curve in memory: of more every second one
MOST = 100  # curves of one run

Lines = Mapping[str, Mapping[str, float]]  # group -> curve name -> value it settles at in theory


class Columns:
    """The metrics of one run by name, growing as records arrive."""

    def __init__(self) -> None:
        self._columns: dict[str, tuple[array[float], array[float]]] = {}
        self._names: dict[str, set[str]] = {}  # the curves that each file holds
        self.records = 0
        self.drawn = -1  # number of records in the charts made last

    def add(self, records: Iterable[dict[str, Any]], source: str = "") -> None:
        """Take in records as read from the file `source` (metrics.jsonl, scores.jsonl); no number is a gap.

        Where the file says that the run went back to a checkpoint, what it had of later steps is lost. In a
        file that never says so, a step no larger than the last one means it.
        """
        names = self._names.setdefault(source, set())
        for record in records:
            if (back := rewound_to(record)) is not None:
                self._go_back(names, back)
            step = _number(record.get("step"))
            if math.isnan(step):
                continue
            self.records += 1
            for name, value in record.items():
                if "/" in name and (name in self._columns or len(self._columns) < MOST):
                    names.add(name)
                    self._append(name, step, _number(value))

    def _go_back(self, names: Iterable[str], step: float) -> None:
        for name in names:
            xs, ys = self._columns[name]
            at = bisect_right(xs, step)
            if at < len(xs):
                del xs[at:], ys[at:]
                self.drawn = -1  # what was drawn is no longer so

    def _append(self, name: str, step: float, value: float) -> None:
        xs, ys = self._columns.setdefault(name, (array("d"), array("d")))
        at = place(xs, step)
        xs[at:], ys[at:] = array("d", [step]), array("d", [value])
        if len(xs) > KEPT:  # a run without end, or a file made to fill the memory
            del xs[1::2], ys[1::2]

    def last(self, name: str) -> float | None:
        """The newest number of a curve; None where there is none."""
        ys = self._columns[name][1] if name in self._columns else ()
        return ys[-1] if ys and math.isfinite(ys[-1]) else None

    def last_step(self, name: str) -> float | None:
        """The step of the newest number of a curve; None where there is none."""
        xs = self._columns[name][0] if name in self._columns else ()
        return xs[-1] if xs else None

    def group(self, group: str) -> list[float]:
        """The newest numbers of the curves of a group, in the order in which they came."""
        names = [name for name in self._columns if name.partition("/")[0] == group]
        return [value for name in names if (value := self.last(name)) is not None]

    def worth_drawing(self) -> bool:
        """Whether the charts would look different: at least the width of one point has been added."""
        added = self.records - self.drawn
        return self.drawn < 0 or added > self.drawn / LIMIT

    def charts(self, lines: Lines | None = None, without: str = "") -> list[dict[str, Any]]:
        """JSON-ready charts: [{"group", "curves": [{"name", "x", "y"}], "lines": [{"name", "value"}]}].

        All groups but `without`.

        No curve has more than `LIMIT` points; a gap in a curve is None.
        """
        groups: dict[str, list[dict[str, Any]]] = {}
        for name, (xs, ys) in self._columns.items():
            group, _, curve = name.partition("/")
            if not xs or group == without:  # all of it was lost, or is shown otherwise
                continue
            groups.setdefault(group, []).append(_curve(curve, xs, ys))
        self.drawn = self.records
        return [
            {"group": group, "curves": curves, "lines": _lines(curves, (lines or {}).get(group, {}))}
            for group, curves in groups.items()
        ]


def _curve(name: str, xs: array[float], ys: array[float]) -> dict[str, Any]:
    kept_x, kept_y = downsample(xs, ys, LIMIT)
    return {
        "name": name,
        "x": [int(x) if x == int(x) else x for x in kept_x],
        "y": [_short(y) for y in kept_y],
    }


def _lines(curves: list[dict[str, Any]], values: Mapping[str, float]) -> list[dict[str, Any]]:
    names = {curve["name"] for curve in curves}
    return [{"name": name, "value": value} for name, value in values.items() if name in names]


def _number(value: Any) -> float:
    """`value` as a finite number, else NaN (also for text, None and infinity)."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _short(value: float | None) -> float | None:
    """Five significant digits, so that a curve is half as many bytes; None for a gap."""
    if value is None or math.isnan(value):
        return None
    return float(f"{value:.5g}")
