"""Where a run comes from and what came of it: a branch's parent, its whole curve, the branches of a run."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gan_core.errors import RunError
from gan_core.runs.layout import RunPaths, is_id, run_paths
from gan_core.runs.reader import read_config
from gan_core.runs.records import read_all
from gan_core.runs.rewind import rewound_to

MOST = 20_000  # points of one run's curves that are kept; of more every second one


@dataclass(frozen=True, slots=True)
class Parent:
    """The run that a branch began in, and the step of the checkpoint it began at."""

    run: RunPaths
    step: int


def place(steps: Sequence[float], step: float) -> int:
    """Where a point of `step` goes among the earlier ones at `steps`, which are in order.

    What stands there and beyond was lost when the run went back to a checkpoint: the caller drops it. Files
    written until 24 November 2026 say it in no other way (see `rewind`).
    """
    return len(steps) if not steps or step > steps[-1] else bisect_left(steps, step)


def parent_of(run: RunPaths) -> Parent | None:
    """The parent that the run's config.json names; None for a run that began by itself, or cannot be read."""
    try:
        told = read_config(run).get("parent")
    except RunError:
        return None
    if not isinstance(told, dict) or not is_id(told.get("run")) or not isinstance(told.get("step"), int):
        return None
    return Parent(RunPaths(run.path.parent / told["run"]), told["step"])


def inherited(run: RunPaths) -> list[dict[str, Any]]:
    """The points of the curves that a branch has from its parents, each up to where the next one begins.

    In order of steps, without points that a run lost when it went back to a checkpoint. A parent that was
    deleted leaves its part out. Empty for a run that began by itself.
    """
    points: dict[float, dict[str, Any]] = {}
    seen, limit = {run.id}, float("inf")
    while (parent := parent_of(run)) is not None and parent.run.id not in seen:
        run, limit = parent.run, min(limit, parent.step)
        seen.add(run.id)
        points = _points(run, limit) | points  # a nearer relative's word counts
    return [points[step] for step in sorted(points)]


def curve(run: RunPaths) -> list[dict[str, Any]]:
    """All points of a run's curves in order of steps, for a branch from its first ancestor's beginning on.

    Points that a run lost when it went back to a checkpoint are not among them.
    """
    points = {point["step"]: point for point in inherited(run)} | _points(run, float("inf"))
    return [points[step] for step in sorted(points)]


class Branches:
    """The steps at which other runs branched off; each of them is looked at once."""

    def __init__(self, run: RunPaths) -> None:
        self._run = run
        self._parents: dict[str, Parent | None] = {}

    def steps(self) -> set[int]:
        """The steps by now. A run never changes its parent, but new ones may be born at any time."""
        for other in run_paths(self._run.path.parent):
            if other.id not in self._parents:
                self._parents[other.id] = parent_of(other)
        return {p.step for p in self._parents.values() if p is not None and p.run.id == self._run.id}


def _points(run: RunPaths, limit: float) -> dict[float, dict[str, Any]]:
    steps: list[float] = []
    points: list[dict[str, Any]] = []
    for record in read_all(run.metrics):
        if (back := rewound_to(record)) is not None:
            del points[bisect_right(steps, back) :]
            del steps[len(points) :]
        step = record.get("step")
        if isinstance(step, (int, float)) and step <= limit:
            at = place(steps, step)
            steps[at:], points[at:] = [step], [record]
            if len(steps) > MOST:
                del steps[1::2], points[1::2]
    return dict(zip(steps, points))
