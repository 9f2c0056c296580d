"""A power cut at any moment leaves a run that goes on from a whole checkpoint, at most two intervals old.

By a model of a disk that loses whatever was not waited for (`lossy_disk`), so that a missing fsync shows; the
real thing, images of a mounted file system, is `python -m benchmarks powercut`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lossy_disk import LossyDisk

from gan_core import files
from gan_core.cli import main
from gan_core.config import from_mapping
from gan_core.errors import RunError
from gan_core.runs import RunPaths, RunWriter, branch, create_run, list_runs, read_settings, read_status
from gan_core.runs.branch import rewrite_settings
from gan_core.runs.reader import checkpoint_steps, damaged_steps, passed_over, status_as_written
from gan_core.runs.writer import amend_status
from gan_core.training import train
from gan_core.training.snapshot import FILE

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the model looks at open files")
EVERY = 3
SMALL = {"dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4, "latent": 8, "batch": 16,
         "precision": "fp32", "memory_format": "contiguous", "threads": 1, "score_seconds": 0.0,
         "steps": 12, "checkpoint_steps": EVERY}  # fmt: skip
CONFIG = from_mapping(SMALL)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LossyDisk]:
    made = LossyDisk()
    made.watch(monkeypatch, root)
    yield made
    made.close()


def cuts(disk: LossyDisk, root: Path, number: int) -> list[Path]:
    """Both images of `root` after a power cut now."""
    images = [root.parent / f"{kind}-{number}" for kind in ("forgetful", "hasty")]
    disk.forgetful(root, images[0])
    disk.hasty(root, images[1])
    return images


def test_each_cut_of_a_training_resumes_from_a_whole_checkpoint(root: Path, disk: LossyDisk) -> None:
    run = create_run(root, CONFIG, "glyphs")
    images = [(0, image) for image in cuts(disk, root, 0)]
    for record in train(CONFIG, run):
        images += [(record.step, image) for image in cuts(disk, root, record.step)]
    images += [(99, image) for image in cuts(disk, root, 99)]
    for step, image in images:
        left = RunPaths(image / run.id)
        assert [status.id for status in list_runs(image)] == [run.id], image.name
        assert read_settings(left) == ("glyphs", CONFIG)
        assert status_as_written(left).state == ("finished" if step == 99 else "running"), image.name
        whole = checkpoint_steps(left)
        if step > EVERY:
            assert min(step, 12) - whole[-1] <= 2 * EVERY, image.name
    for _, image in images[9:13:3]:  # two of them go on, one of each kind
        left = RunPaths(image / run.id)
        amend_status(left, pid=0, heartbeat=1.0)  # its process is this one
        assert main(["resume", str(left.path), "--quiet"]) == 0
        assert read_status(left).state == "finished" and checkpoint_steps(left)[-1] == 12


def test_what_a_run_begins_with_and_ends_as_is_waited_for(root: Path, disk: LossyDisk) -> None:
    def images(number: int) -> list[RunPaths]:
        return [RunPaths(image / run.id) for image in cuts(disk, root, number)]

    run = create_run(root, CONFIG, "glyphs", state="queued")
    assert [status_as_written(left).state for left in images(1)] == ["queued"] * 2
    amend_status(run, state="running")
    assert [status_as_written(left).state for left in images(2)] == ["running"] * 2
    writer = RunWriter(run)
    writer.update(step=1)
    writer.update(step=2)  # a heartbeat: not waited for, and the one before is enough
    assert [status_as_written(left).state for left in images(3)] == ["running"] * 2
    writer.update(state="paused", step=3)
    assert [(s.state, s.step) for s in map(status_as_written, images(4))] == [("paused", 3)] * 2
    writer.update(state="stopped", step=4)
    assert [(s.state, s.step) for s in map(status_as_written, images(5))] == [("stopped", 4)] * 2
    assert not run.status_backup.exists()
    other = from_mapping(SMALL | {"lr_g": 0.001})
    rewrite_settings(run, other)
    assert [read_settings(left)[1] for left in images(6)] == [other] * 2
    writer.checkpoint(4, lambda path: path.joinpath("state").write_text("good"))  # type: ignore[arg-type, return-value]
    writer.generator(lambda path: path.write_bytes(b"best"), best=True)  # type: ignore[arg-type, return-value]
    writer.generator(lambda path: path.write_bytes(b"last"), last=True)  # type: ignore[arg-type, return-value]
    for left in images(7):
        assert (left.checkpoint(4) / "state").read_text() == "good"
        assert (left.best.read_bytes(), left.generator.read_bytes()) == (b"best", b"last")
    child = branch(run, 4, CONFIG, other, "")
    for image in cuts(disk, root, 8):
        assert checkpoint_steps(RunPaths(image / child.id)) == [4]


def test_a_heartbeat_is_not_waited_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, waits = RunWriter(create_run(root, CONFIG)), []
    writer.update(step=1)
    monkeypatch.setattr(os, "fsync", lambda descriptor: waits.append(descriptor))
    for step in range(5):
        writer.update(step=step)
        writer.sample(step, b"webp")
        writer.record({"step": step})
    assert not waits, "twice a second would cost a slow disk more than the training"
    writer.update(state="stopped")
    assert waits


def test_a_disk_that_refuses_to_be_waited_for_is_one_sentence(root: Path, monkeypatch) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    writer = RunWriter(create_run(root, CONFIG))
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(RunError, match="cannot be written: Input/output error"):
        writer.checkpoint(3, lambda path: path.joinpath("state").write_text("x"))  # type: ignore[arg-type, return-value]
    assert not list(writer.run.checkpoints.iterdir()), "a name is given only to what is on the disk"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, environment: None) -> RunPaths:
    """A run with checkpoints of steps 3, 6, 9 and 12."""
    run = create_run(tmp_path_factory.mktemp("finished"), CONFIG, "glyphs")
    list(train(CONFIG, run))
    return run


@pytest.fixture
def run(finished: RunPaths, tmp_path: Path) -> RunPaths:
    """A copy of it, as a power cut at its end finds it: running, with no process."""
    shutil.copytree(finished.path, tmp_path / "copy" / finished.id)
    copy = RunPaths(tmp_path / "copy" / finished.id)
    amend_status(copy, state="running", pid=0, heartbeat=1.0)
    return copy


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def blank(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("damage", [empty, halve, blank, Path.unlink])
def test_resume_passes_over_what_is_not_whole_and_says_so(run: RunPaths, damage, capsys) -> None:
    for step in (9, 12):
        damage(run.checkpoint(step) / FILE)
    assert checkpoint_steps(run) == [3, 6] and damaged_steps(run) == [9, 12]
    assert "last good checkpoint is of step 6" in read_status(run).message
    assert main(["resume", str(run.path), "--quiet"]) == 0
    told = capsys.readouterr().err
    assert "Note: The checkpoints of these steps are not whole" in told and "9, 12" in told
    log = run.log.read_text("utf-8")
    assert "Resumed from step-000006" in log and "passed over: 9, 12" in log
    assert read_status(run).state == "finished" and checkpoint_steps(run) == [3, 6, 9, 12]
    assert damaged_steps(run) == [] == passed_over(run)


def test_while_it_trains_its_status_says_that_checkpoints_were_passed_over(run: RunPaths) -> None:
    empty(run.checkpoint(12) / FILE)
    steps = train(CONFIG, run, resume=True)
    next(steps)
    status = status_as_written(run)
    assert status.state == "running"
    assert [m.code for m in status.messages] == ["checkpoints-damaged", "checkpoint-last"]
    assert not run.checkpoint(12).exists(), "it is of no use, now that a whole one was opened"
    steps.close()


def test_without_a_whole_checkpoint_nothing_is_lost_and_the_reason_is_said(run: RunPaths, capsys) -> None:
    for step in (3, 6, 9, 12):
        empty(run.checkpoint(step) / FILE)
    assert main(["resume", str(run.path), "--quiet"]) == 2
    told = capsys.readouterr().err
    assert "has no checkpoint to go on from. The checkpoints of these steps are not whole" in told
    assert damaged_steps(run) == [3, 6, 9, 12], "who knows what a person can still read in them"


@pytest.mark.parametrize("left", [b"", b"\0" * 700, b'{"schema": 1, "sta'])
def test_a_status_that_a_power_cut_emptied_is_read_from_its_backup(run: RunPaths, left: bytes) -> None:
    assert json.loads(run.status_backup.read_text())["state"] == "running"
    run.status.unlink()  # the backup may be the same bytes by another name
    run.status.write_bytes(left)
    status = read_status(run)
    assert status.state == "failed" and "process is gone" in status.message
    assert main(["resume", str(run.path), "--quiet", "--steps=14"]) == 0
    assert read_status(run).state == "finished" and not run.status_backup.exists()


def test_a_folder_is_waited_for_after_what_is_in_it(tmp_path: Path, monkeypatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(files, "_sync_one", lambda path: order.append(path.name))
    monkeypatch.setattr(files, "_move", lambda source, target: order.append("move"))
    with files.replacing(tmp_path / "made", durable=True) as scratch:
        scratch.mkdir()
        (scratch / "inner").write_text("x")
    assert order == ["inner", scratch.name, "move", tmp_path.name]
