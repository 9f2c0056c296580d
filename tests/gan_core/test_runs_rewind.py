"""What a run loses when it goes back to a checkpoint: its files say so, and every reader knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gan_core.config import TrainConfig
from gan_core.runs import RunPaths, RunWriter, create_run, read_lines, read_status
from gan_core.runs.lineage import curve
from gan_core.runs.reader import best_steps
from gan_core.runs.rewind import surviving
from gan_core.training.evaluator import DISTANCE, PeriodicEvaluator

CONFIG = TrainConfig(dataset="glyphs", steps=100)


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """Five points, two scores and three grids, up to step 50."""
    run = create_run(tmp_path, CONFIG)
    writer = RunWriter(run)
    for step in (10, 20, 30, 40, 50):
        writer.record({"step": step, "loss/D": step / 10})
    for step, distance in ((20, 5.0), (50, 3.0)):
        writer.score({"step": step, "seconds": step / 10, DISTANCE: distance, "best": True, "took": 0.1})
    for step in (0, 30, 50):
        writer.sample(step, b"grid")
    writer.update(step=50)
    return run


def steps(rows: list[dict[str, Any]]) -> list[Any]:
    return [row.get("step") for row in rows]


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3, "<2"], [1, 2]),
        ([1, 2, 3, "<2", 3, 4], [1, 2, 3, 4]),
        ([1, 2, 3, "<2", 3, 4, "<1", 2], [1, 2]),
        ([1, 2, "<9", 3], [1, 2, 3]),
        ([1, 2, None, "<0"], [None]),
    ],
)
def test_of_what_stands_before_the_line_later_steps_are_lost(told: list[Any], left: list[Any]) -> None:
    rows = [{"back_to": int(one[1:])} if isinstance(one, str) else {"step": one} for one in told]
    assert steps(surviving(rows)) == left


def test_a_line_that_names_no_step_loses_nothing() -> None:
    rows: list[dict[str, Any]] = [{"step": 1}, {"back_to": "x"}, {"back_to": None}, {"back_to": True}]
    assert steps(surviving(rows)) == [1, None, None, None]


def test_going_back_is_written_once_into_each_file_that_reaches_further(run: RunPaths) -> None:
    RunWriter(run).back_to(30)
    assert read_lines(run.metrics)[0][-1] == read_lines(run.scores)[0][-1] == {"back_to": 30}
    status = read_status(run)
    assert (status.rewinds, status.step, status.grid_step) == (1, 30, 30)
    before = [path.read_bytes() for path in (run.metrics, run.scores, run.status)]
    RunWriter(run).back_to(30)
    assert [path.read_bytes() for path in (run.metrics, run.scores, run.status)] == before, (
        "nothing is beyond"
    )
    writer = RunWriter(run)
    writer.record({"step": 40, "loss/D": 9.0})
    writer.back_to(30)
    assert read_status(run).rewinds == 2 and read_lines(run.scores)[0].count({"back_to": 30}) == 1


def test_no_reader_counts_what_is_lost(run: RunPaths) -> None:
    assert best_steps(run) == [20, 50]
    writer = RunWriter(run)
    writer.back_to(30)
    writer.record({"step": 35, "loss/D": 9.0})
    assert best_steps(run) == [20]
    assert [(p["step"], p["loss/D"]) for p in curve(run)] == [(10, 1), (20, 2), (30, 3), (35, 9)]
    evaluator = PeriodicEvaluator(CONFIG, writer, 3.0)
    assert (evaluator._best, evaluator._last) == (5.0, 2.0), "of the score that is left"


def test_a_run_whose_status_knows_nothing_of_it_goes_on(run: RunPaths) -> None:
    """One of an earlier version."""
    status = json.loads(run.status.read_text())
    del status["rewinds"]
    run.status.write_text(json.dumps(status))
    RunWriter(run).back_to(20)
    assert read_status(run).rewinds == 1
