"""Branches: their parents, their curves from the first ancestor on, and which steps have branches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gan_core.config import TrainConfig
from gan_core.runs import RunPaths, RunWriter, create_run, lineage
from gan_core.runs.lineage import Branches, Parent, curve, inherited, parent_of

CONFIG = TrainConfig(dataset="glyphs", steps=100)


def made(root: Path, steps: range, value: float, parent: tuple[RunPaths, int] | None = None) -> RunPaths:
    """A run with a point of its curve at each of `steps`."""
    about = parent and {"run": parent[0].id, "step": parent[1], "changed": {}}
    run = create_run(root, CONFIG, state="stopped", parent=about)
    writer = RunWriter(run)
    for step in steps:
        writer.record({"step": step, "loss/D": value})
    return run


def values(points: list[dict[str, float]]) -> list[tuple[float, float]]:
    return [(point["step"], point["loss/D"]) for point in points]


def test_a_branch_names_its_parent(tmp_path: Path) -> None:
    old = made(tmp_path, range(10, 60, 10), 1.0)
    new = made(tmp_path, range(40, 70, 10), 2.0, (old, 30))
    assert parent_of(new) == Parent(old, 30) and parent_of(old) is None
    assert values(inherited(new)) == [(10, 1.0), (20, 1.0), (30, 1.0)] and inherited(old) == []
    assert values(curve(new)) == [(10, 1), (20, 1), (30, 1), (40, 2), (50, 2), (60, 2)]
    assert values(curve(old)) == [(step, 1.0) for step in (10, 20, 30, 40, 50)]


def test_a_branch_of_a_branch_reaches_back_to_the_first(tmp_path: Path) -> None:
    one = made(tmp_path, range(10, 60, 10), 1.0)
    two = made(tmp_path, range(40, 90, 10), 2.0, (one, 30))
    three = made(tmp_path, range(60, 80, 10), 3.0, (two, 50))
    assert values(curve(three)) == [(10, 1), (20, 1), (30, 1), (40, 2), (50, 2), (60, 3), (70, 3)]
    before = made(tmp_path, range(30, 50, 10), 4.0, (two, 20))  # at a step that is the grandparent's
    assert values(curve(before)) == [(10, 1), (20, 1), (30, 4), (40, 4)]


def test_what_a_run_lost_when_it_went_back_is_not_on_its_curve(tmp_path: Path) -> None:
    """Each point has a value of its own, so that it is seen which ones are kept."""

    def record(run: RunPaths, *points: tuple[float, float]) -> RunPaths:
        for step, value in points:
            RunWriter(run).record({"step": step, "loss/D": value})
        return run

    past = [(10, 1.0), (20, 2.0), (30, 3.0)]
    run = record(made(tmp_path, range(0), 0.0), *past, (40, 4.0), (50, 5.0))
    record(run, (35, 6.0), (40, 7.0))  # from a checkpoint of step 30 on, to an earlier end
    kept = [*past, (35, 6.0), (40, 7.0)]
    assert values(curve(run)) == kept
    child = record(made(tmp_path, range(0), 0.0, (run, 40)), (50, 8.0), (60, 9.0), (70, 10.0), (60, 11.0))
    assert values(curve(child)) == [*kept, (50, 8.0), (60, 11.0)]
    early = made(tmp_path, range(0), 1.0, (run, 37))
    assert values(inherited(early)) == kept[:4]
    record(run, (12, 12.0))  # once more, from before all of these
    assert values(curve(run)) == [(10, 1.0), (12, 12.0)]


def test_of_a_step_made_twice_the_last_point_counts(tmp_path: Path) -> None:
    run = made(tmp_path, range(10, 40, 10), 1.0)
    for step, value in ((20, 5.0), (30, 1.0)):
        RunWriter(run).record({"step": step, "loss/D": value})
    with run.metrics.open("ab") as stream:
        stream.write(b'{"loss/D": 1}\n{"step": "x"}\n')
    assert values(curve(run)) == [(10, 1.0), (20, 5.0), (30, 1.0)]


def test_a_parent_that_is_gone_or_odd_leaves_the_rest(tmp_path: Path) -> None:
    lost = made(tmp_path, range(40, 60, 10), 2.0, (RunPaths(tmp_path / "deleted"), 30))
    assert values(curve(lost)) == [(40, 2.0), (50, 2.0)]
    for odd in ("deleted", {"run": "../../etc", "step": 3}, {"run": lost.id}, None, {"run": 3, "step": 3}):
        about = json.loads(lost.config.read_text())
        lost.config.write_text(json.dumps(about | {"parent": odd}))
        assert parent_of(lost) is None
    about = json.loads(lost.config.read_text())
    lost.config.write_text(json.dumps(about | {"parent": {"run": lost.id, "step": 40}}))
    assert values(curve(lost)) == [(40, 2.0), (50, 2.0)], "its own parent: no endless way"


def test_branches_born_later_are_seen(tmp_path: Path) -> None:
    run = made(tmp_path, range(10, 20, 10), 1.0)
    branches = Branches(run)
    assert branches.steps() == set()
    other = made(tmp_path, range(0), 1.0, (run, 10))
    made(tmp_path, range(0), 1.0, (other, 20))
    assert branches.steps() == {10}
    made(tmp_path, range(0), 1.0, (run, 30))
    assert branches.steps() == {10, 30} and Branches(other).steps() == {20}


def test_of_a_very_long_curve_every_second_point_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "MOST", 20)
    steps = [step for step, _ in values(curve(made(tmp_path, range(1, 201), 1.0)))]
    assert len(steps) <= 20 and steps == sorted(set(steps)) and steps[0] == 1 and steps[-1] >= 195
