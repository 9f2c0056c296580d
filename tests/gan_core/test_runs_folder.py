"""What goes first when a folder of runs is full, and what never goes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from jobs_tools import Open, config, until

from gan_core.limits import Limits
from gan_core.runs import RunPaths, control, create_run
from gan_core.runs.folder import remove, size, trim
from gan_core.runs.layout import run_paths
from gan_core.runs.lock import only_writer
from gan_core.runs.writer import amend_status


def made(
    root: Path, state: str, created: float, owner: str = "a", kept: bool = True, megabytes: int = 0
) -> str:
    run = create_run(root, config(), state="stopped", owner=owner)
    amend_status(run, state=state, created=created, pid=os.getpid(), heartbeat=time.time())
    if kept:
        run.generator.write_bytes(b"weights")
    run.metrics.write_bytes(bytes(megabytes * 1_000_000))
    return run.id


def left(root: Path) -> set[str]:
    return {run.id for run in run_paths(root)}


def test_what_has_no_generator_goes_first_then_what_was_stopped_then_what_finished(tmp_path: Path) -> None:
    finished = made(tmp_path, "finished", 1.0)
    later = made(tmp_path, "finished", 2.0)
    stopped = made(tmp_path, "stopped", 3.0)
    failed = made(tmp_path, "failed", 4.0)
    empty = made(tmp_path, "stopped", 6.0, kept=False)
    older = made(tmp_path, "failed", 5.0, kept=False)
    order = [older, empty, stopped, failed, finished, later]
    for count in range(5, -1, -1):
        assert trim(tmp_path, most_runs=max(count, 1)) == ([order[5 - count]] if count else [])
    assert left(tmp_path) == {later}


def test_active_runs_and_those_of_the_command_line_stay_and_only_visitors_count(tmp_path: Path) -> None:
    keep = {made(tmp_path, state, 1.0, kept=False) for state in ("queued", "running", "paused")}
    keep |= {made(tmp_path, "stopped", 1.0, owner="", kept=False) for _ in range(3)}
    assert trim(tmp_path, most_runs=3) == []
    gone = made(tmp_path, "finished", 9.0)
    assert trim(tmp_path, most_runs=3) == [gone] and trim(tmp_path, most_runs=1) == []
    assert left(tmp_path) == keep


def test_a_crowd_makes_room_for_itself(tmp_path: Path) -> None:
    """Whoever makes many runs pushes out the own ones, not the older one of somebody else."""
    other = made(tmp_path, "finished", 1.0, owner="b")
    crowd = [made(tmp_path, "finished", when, owner="a") for when in (2.0, 3.0, 4.0)]
    assert trim(tmp_path, most_runs=2) == crowd[:2] and left(tmp_path) == {other, crowd[2]}
    assert trim(tmp_path, most_runs=1) == [other], "of one run each the oldest goes"


def test_megabytes_are_counted(tmp_path: Path) -> None:
    old, new = (made(tmp_path, "finished", when, megabytes=2) for when in (1.0, 2.0))
    made(tmp_path, "finished", 0.0, owner="", megabytes=9)
    assert size(RunPaths(tmp_path / old)) > 2_000_000
    assert trim(tmp_path, most_megabytes=4.1) == []
    assert trim(tmp_path, most_megabytes=3.9) == [old] and new in left(tmp_path)


def test_a_paused_run_without_a_process_goes_in_its_turn_unless_it_was_told_to_go_on(tmp_path: Path) -> None:
    parked = {command: made(tmp_path, "paused", when) for when, command in enumerate(("wait", "pause"), 1)}
    for command, id in parked.items():
        amend_status(RunPaths(tmp_path / id), pid=0)
        control.send(RunPaths(tmp_path / id), command)
    standing = made(tmp_path, "paused", 0.0)
    control.send(RunPaths(tmp_path / standing), "pause")
    stopped, later = made(tmp_path, "stopped", 8.0), made(tmp_path, "finished", 9.0)
    assert trim(tmp_path, most_runs=1) == [stopped, parked["pause"], later]
    assert left(tmp_path) == {parked["wait"], standing}


def test_a_run_in_somebodys_hands_stays(tmp_path: Path) -> None:
    run = RunPaths(tmp_path / made(tmp_path, "stopped", 1.0))
    with only_writer(run):
        assert not remove(run) and run.path.is_dir()
    assert remove(run) and not run.path.exists()


def test_a_damaged_run_of_a_visitor_can_go(tmp_path: Path) -> None:
    bad = RunPaths(tmp_path / made(tmp_path, "finished", 1.0))
    bad.status.write_text("half of i")
    good = made(tmp_path, "finished", 2.0)
    assert trim(tmp_path, most_runs=1) == [bad.id] and left(tmp_path) == {good}


def test_the_queue_keeps_its_folder_within_the_limit(
    tmp_path: Path, open_jobs: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_core.jobs.TRIM_SECONDS", 0.1)
    jobs = open_jobs(limits=Limits(folder_runs=2))
    for _ in range(6):
        jobs.stop(jobs.submit(config(), owner="a"))
    mine = jobs.submit(config(), owner="")
    until(lambda: len(left(tmp_path)) <= 3)
    assert mine in left(tmp_path)
