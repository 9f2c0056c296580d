"""The writer: every write is whole or did not happen, on a full disk and under kill -9."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_core.config import TrainConfig
from gan_core.errors import RunError
from gan_core.messages import Message
from gan_core.runs import (
    RunPaths,
    RunWriter,
    branch,
    control,
    create_run,
    list_runs,
    read_lines,
    read_settings,
    read_status,
)
from gan_core.runs.reader import Verdict, checkpoint_steps, read_verdicts, sample_steps
from gan_core.runs.sweep import put_back
from gan_core.runs.writer import amend_status

CONFIG = TrainConfig(dataset="glyphs", steps=100)
WHY = Message("file-write", path="忘.png", reason="Why")


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return create_run(tmp_path, CONFIG, "digits")


def test_update_keeps_what_is_not_changed_and_renews_the_heartbeat(run: RunPaths) -> None:
    amend_status(run, heartbeat=1.0, pid=1, messages=[WHY])
    writer = RunWriter(run)
    writer.update(step=3)
    first = read_status(run)
    assert (first.step, first.preset, first.messages, first.pid) == (3, "digits", (WHY,), os.getpid())
    time.sleep(0.02)
    writer.update()
    assert read_status(run).heartbeat > first.heartbeat > time.time() - 5
    writer.update(state="paused")
    assert (read_status(run).messages, read_status(run).step) == ((), 3)


def test_a_field_that_does_not_exist_is_a_bug(run: RunPaths) -> None:
    with pytest.raises(TypeError, match="a status has no colour"):
        RunWriter(run).update(colour="blue")


def test_amending_leaves_the_process_out(run: RunPaths) -> None:
    amend_status(run, pid=0, heartbeat=5.0)
    amend_status(run, state="failed", messages=[WHY])
    status = read_status(run)
    assert (status.state, status.messages, status.pid, status.heartbeat) == ("failed", (WHY,), 0, 5.0)
    (kept,) = json.loads(run.status.read_text("utf-8"))["messages"]
    assert kept == {"code": "file-write", "values": {"path": "忘.png", "reason": "Why"}}, "data, and no prose"


def test_records_scores_verdicts_and_log(run: RunPaths) -> None:
    writer = RunWriter(run)
    writer.record({"step": 1, "loss/G": 0.5})
    with run.metrics.open("ab") as stream:
        stream.write(b'{"step": 2, "lo')  # a kill
    RunWriter(run).record({"step": 3})
    writer.score({"frechet": 1.0})
    writer.verdict(Verdict("diverged", 3, {"value": "loss/G"}))
    writer.log(WHY, Message("meant", near="é"))
    assert [record["step"] for record in read_lines(run.metrics)[0]] == [1, 3]
    assert read_lines(run.scores)[0] == [{"frechet": 1.0}]
    row = {"kind": "diverged", "step": 3, "figures": {"value": "loss/G"}}
    assert read_lines(run.verdicts)[0] == [row] and read_verdicts(run) == [Verdict(**row)]
    assert run.log.read_text(encoding="utf-8").endswith("  忘.png cannot be written: Why. Did you mean é?\n")


def test_a_sample_is_named_in_the_status(run: RunPaths) -> None:
    RunWriter(run).sample(500, b"webp")
    assert (run.samples / "step-000500.webp").read_bytes() == b"webp"
    assert read_status(run).grid_step == 500


def test_checkpoints_fill_no_more_of_the_disk_than_they_may(run: RunPaths) -> None:
    writer = RunWriter(run)
    for step in (10, 20, 30, 30, 40, 50, 1_000_000):
        writer.checkpoint(
            step, lambda path, step=step: path.joinpath("state").write_text(f"{step:1000}"), 0.0041
        )  # type: ignore[misc]
    assert sorted(p.name for p in run.checkpoints.iterdir()) == [
        "step-000010",
        "step-000030",
        "step-000050",
        "step-1000000",
    ]
    assert int((run.checkpoints / "step-000030" / "state").read_text()) == 30


def test_the_best_checkpoint_and_branch_points_are_never_thinned_out(run: RunPaths) -> None:
    def fill(path: Path) -> None:
        path.joinpath("state").write_bytes(bytes(1000))

    writer = RunWriter(run)
    for step in (10, 20, 30, 40):
        writer.checkpoint(step, fill)
    writer.score({"step": 10, "best": True})
    writer.score({"step": 20, "best": True})
    writer.score({"step": 40, "best": False})
    child = branch(run, 30, CONFIG, CONFIG, "")
    for step in (50, 60, 70):
        writer.checkpoint(step, fill, 0.001)
    assert checkpoint_steps(run) == [10, 20, 30, 70]
    assert (child.checkpoint(30) / "state").stat().st_size == 1000, "a branch has a copy of its own"


def test_a_checkpoint_that_fails_leaves_the_former_one(run: RunPaths) -> None:
    def fill(path: Path) -> None:
        (path / "half").write_text("x")
        raise ValueError("no")

    writer = RunWriter(run)
    writer.checkpoint(10, lambda path: path.joinpath("state").write_text("good"))  # type: ignore[arg-type, return-value]
    for step in (10, 20):
        with pytest.raises(ValueError, match="no"):
            writer.checkpoint(step, fill)
    assert [p.name for p in run.checkpoints.iterdir()] == ["step-000010"]
    assert (run.checkpoints / "step-000010" / "state").read_text() == "good"


KILLED = """
import os, sys
from pathlib import Path
from gan_core.runs import RunPaths, RunWriter
moves, after, path = 0, int(sys.argv[2]), Path(sys.argv[1])
def killed(self, target, move=Path.replace):
    global moves
    if self.parent.name == "checkpoints":
        if moves == after:
            os._exit(9)
        moves += 1
    return move(self, target)
Path.replace = killed
RunWriter(RunPaths(path)).checkpoint(10, lambda folder: [(folder / n).write_text("new") for n in "ab"])
"""


@pytest.mark.parametrize("moves", range(4))
def test_a_kill_while_a_checkpoint_is_written_again_leaves_a_whole_one(run: RunPaths, moves: int) -> None:
    """Between any two moves of a folder, the only checkpoint there is stays or comes back."""
    former = run.checkpoint(10)
    former.mkdir()
    for name in "ab":
        (former / name).write_text("old")
    child = subprocess.run([sys.executable, "-c", KILLED, str(run.path), str(moves)], check=False)
    assert child.returncode == (9 if moves < 3 else 0)
    (run.checkpoints / ".step-000030.aside").mkdir()  # of another one that has no name: whole as well
    (run.checkpoints / ".step-000030.aside" / "a").write_text("old")
    put_back(run)
    assert checkpoint_steps(run) == [10, 30]
    assert {(former / name).read_text() for name in "ab"} == {"old" if moves < 2 else "new"}
    RunWriter(run)
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["step-000010", "step-000030"]


def test_a_kill_while_a_checkpoint_is_thinned_out_brings_no_half_of_it_back(run: RunPaths) -> None:
    (run.checkpoints / ".step-000010.aa.part").mkdir()  # half of it removed
    RunWriter(run)
    assert checkpoint_steps(run) == []


def test_a_checkpoint_that_gets_no_name_leaves_the_former_one(
    run: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    writer = RunWriter(run)
    writer.checkpoint(10, lambda path: path.joinpath("state").write_text("good"))  # type: ignore[arg-type, return-value]
    monkeypatch.setattr("gan_core.files._move", refused)
    with pytest.raises(RunError, match="Permission denied"):
        writer.checkpoint(10, lambda path: path.joinpath("state").write_text("new"))  # type: ignore[arg-type, return-value]
    assert [path.name for path in run.checkpoints.iterdir()] == ["step-000010"]
    assert (run.checkpoint(10) / "state").read_text() == "good"


def test_what_a_killed_writer_left_is_swept(run: RunPaths) -> None:
    (run.checkpoints / ".step-000010.aa.part").mkdir()
    (run.samples / ".step-000010.webp.aa.part").write_bytes(b"half")
    (run.path / ".status.json.aa.part").write_bytes(b"half")
    (run.path / ".control.json.aa.part").write_bytes(b"an order on its way")
    RunWriter(run)
    assert [p.name for p in run.path.rglob("*.part")] == [".control.json.aa.part"]


def test_commands(run: RunPaths) -> None:
    writer = RunWriter(run)
    assert writer.command() == "run"
    for sent, heard in (("pause", "pause"), ("wait", "pause"), ("run", "run"), ("stop", "stop")):
        control.send(run, sent)
        assert writer.command() == heard == writer.command()
    for junk in (
        b"",
        b"{",
        b"[]",
        b'{"command": "fly", "time": 1}',
        b'{"command": ["stop"], "time": 1}',
        b"\xff",
    ):
        run.control.write_bytes(junk)
        assert writer.command() == "stop"  # the last order that could be read
        assert control.read(run) is None
    with pytest.raises(ValueError, match="fly"):
        control.send(run, "fly")


def test_listening_is_cheap(run: RunPaths) -> None:
    writer = RunWriter(run)
    control.send(run, "run")
    start = time.process_time()
    for _ in range(2000):
        writer.command()
    assert time.process_time() - start < 0.2  # under a tenth of a millisecond each


def write_half(self: Path, data: bytes) -> int:
    """`Path.write_bytes` on a disk that fills up."""
    with self.open("wb") as stream:
        stream.write(data[: len(data) // 2])
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("act", [
    lambda writer: writer.update(step=9),
    lambda writer: writer.sample(9, b"12345678"),
    lambda writer: writer.real(b"12345678"),
    lambda writer: writer.generator(lambda path: path.write_bytes(b"12345678")),
    lambda writer: writer.checkpoint(9, lambda path: path.joinpath("state").write_bytes(b"12345678")),
])  # fmt: skip
def test_a_full_disk_is_one_sentence_and_leaves_the_run_as_it_was(
    run: RunPaths, act: Callable[[RunWriter], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RunWriter(run)
    writer.update(step=5)
    writer.checkpoint(5, lambda path: path.joinpath("state").write_text("good"))  # type: ignore[arg-type, return-value]
    assert (run.path / ".reserve").stat().st_size == 65_536
    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(RunError, match=r"The disk is full: .*\(checkpoints/step-000005\)"):
        act(writer)
    assert read_status(run).step == 5 and read_settings(run)[0] == "digits"
    assert checkpoint_steps(run) == [5] and sample_steps(run) == []
    assert not list(run.path.rglob(".*")), "no scratch is left, and the reserve is given back"
    monkeypatch.undo()
    writer.update(state="failed", messages=[WHY])
    assert read_status(run).messages == (WHY,)


def test_the_reserve_ends_with_the_run(run: RunPaths) -> None:
    writer = RunWriter(run)
    writer.update(state="finished")
    assert not (run.path / ".reserve").exists()


FILL = """
import resource, sys
from pathlib import Path
from gan_core.errors import RunError
from gan_core.runs import RunPaths, RunWriter
run = RunPaths(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
writer = RunWriter(run)
try:
    for step in range(10_000):
        writer.record({"step": step})
        print(step, flush=True)
except RunError as error:
    writer.update(state="failed", messages=error.messages)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot limit a process's files")
def test_a_file_that_can_grow_no_further_leaves_the_run_readable(run: RunPaths) -> None:
    told = subprocess.run(
        [sys.executable, "-c", FILL, str(run.path)], check=True, capture_output=True, text=True
    )
    steps = [int(line) for line in told.stdout.split()]
    records, end = read_lines(run.metrics)
    assert [record["step"] for record in records] == steps and len(steps) > 50
    assert end <= run.metrics.stat().st_size == 1500
    status = list_runs(run.path.parent)[0]
    assert status.state == "failed" and "cannot be written: File too large" in status.message
    RunWriter(run).record({"step": "after"})  # there is room again: only the torn line is lost
    assert read_lines(run.metrics, end)[0] == [{"step": "after"}]


CHURN = """
import sys
from pathlib import Path
from gan_core.runs import RunPaths, RunWriter
from gan_core.runs.reader import checkpoint_steps
run = RunPaths(Path(sys.argv[1]))
writer = RunWriter(run)
def fill(path):
    for name in ("a", "b"):
        (path / name).write_text(str(step) + "." * 20_000)
step = read = max(checkpoint_steps(run), default=0)
while True:
    step += 1
    writer.record({"step": step, "pad": "." * 50})
    writer.update(state="running", step=step)
    writer.sample(step % 7, b"<" + b"." * 10_000 + b">")
    writer.checkpoint(step, fill)
    print(step, flush=True)
"""


def test_kill_at_any_moment_loses_nothing_that_was_shown(run: RunPaths) -> None:
    rng, shown = random.Random(0), 0
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", CHURN, str(run.path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(rng.uniform(0, 0.05))
            seen = read_lines(run.metrics)[0]
            child.kill()
            shown = int((child.stdout.read().split() or [shown])[-1])
        records = read_lines(run.metrics)[0]
        assert records[: len(seen)] == seen and records[-1]["step"] >= shown
        assert read_status(run).step >= shown and read_settings(run) == ("digits", CONFIG)
        assert all(
            data[:1] + data[-1:] == b"<>" for data in (p.read_bytes() for p in run.samples.glob("step*"))
        )
        steps = checkpoint_steps(run)
        assert steps and steps[-1] >= shown
        for step in steps:
            for name in ("a", "b"):
                assert (run.checkpoint(step) / name).read_text() == str(step) + "." * 20_000


def test_a_reader_beside_the_writer_never_sees_half(run: RunPaths) -> None:
    with subprocess.Popen([sys.executable, "-c", CHURN, str(run.path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        last, offset, steps = 0, 0, []
        for _ in range(300):
            status = read_status(run)
            records, offset = read_lines(run.metrics, offset)
            steps += [record["step"] for record in records]
            assert status.step >= last
            last = status.step
        child.kill()
        child.stdout.read()
    assert steps == list(range(1, len(steps) + 1)) and last > 1
    json.loads(run.status.read_text())
