"""What the tests of the queue share."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_worker
import pytest

from gan_core.config import TrainConfig
from gan_core.jobs import Jobs
from gan_core.runs import RunPaths, Status, control, find_run, process, read_lines, read_status

Open = Callable[..., Jobs]
posix = pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")


@pytest.fixture
def open_jobs(tmp_path: Path) -> Iterator[Open]:
    """Opens queues on tmp_path; in the end all are closed and their runs stopped."""
    opened: list[Jobs] = []

    def make(**options: object) -> Jobs:
        opened.append(Jobs(tmp_path, **{"worker": fake_worker.COMMAND, **options}))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for jobs in opened:
        jobs.close()
    for path in tmp_path.glob("2*"):
        control.send(RunPaths(path), "stop")
    kept = [s for s in all_statuses(tmp_path) if s.pid != os.getpid()]
    until(lambda: not any(process.alive(s.pid, s.born, "") for s in kept))


def all_statuses(root: Path) -> list[Status]:
    return [read_status(RunPaths(path)) for path in root.glob("2*")]


def put_checkpoint(run: RunPaths, step: int) -> None:
    """A checkpoint as the fake worker writes it."""
    run.checkpoint(step).mkdir(parents=True, exist_ok=True)
    (run.checkpoint(step) / "step").write_text(str(step))


def config(steps: int = 10_000, seed: int = 0) -> TrainConfig:
    return TrainConfig(dataset="glyphs", steps=steps, seed=seed)


def until(true: Callable[[], object], seconds: float = 8.0) -> float:
    """Wait for `true`; the seconds that it took."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < seconds, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - start


def look(root: Path, id: str) -> Status:
    return read_status(find_run(root, id))


def steps_of(root: Path, id: str) -> list[int]:
    return [record["step"] for record in read_lines(find_run(root, id).metrics)[0]]


def trains(root: Path, id: str) -> bool:
    return look(root, id).state == "running" and bool(steps_of(root, id))


def serve(root: Path, *steps: int) -> subprocess.Popen[str]:
    """A server in a process of its own, see fake_worker."""
    return subprocess.Popen(
        [*fake_worker.COMMAND, "jobs", str(root), *map(str, steps)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
