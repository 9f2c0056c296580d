"""A power cut for real: the raw image of a mounted file system, copied while a run trains into it.

What is in the image then is what a disk would hold; what the system has not yet written is lost. The copy is
mounted, which replays its journal, and the run in it must go on from a whole checkpoint at most two intervals
old. ext4 is mounted with `noauto_da_alloc`: by default it guards programs that never wait for the disk, and
other file systems do not. Needs the right to mount (root) and mkfs.ext4; elsewhere it says so.

The control is the same training with fsync switched off: it must fail, or the method finds nothing.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from benchmarks.table import Row
from gan_core.config import TrainConfig
from gan_core.errors import GanError
from gan_core.runs import RunPaths, RunWriter, create_run
from gan_core.runs.process import suspended
from gan_core.runs.reader import checkpoint_steps, damaged_steps, status_as_written
from gan_core.training.snapshot import read_counters

INTERVAL, AGE = 2.0, 2  # seconds between two checkpoints; how many of them may be lost
MEGABYTES = 96
MOUNT = "loop,noauto_da_alloc"
FLAGS = ["--preset=glyphs", "--seconds=600", f"--checkpoint-seconds={INTERVAL:g}", "--disk-mb=20",
         "--threads=1", "--precision=fp32", "--memory-format=channels_last", "--quiet"]  # fmt: skip
WITHOUT = "import os, sys; os.fsync = lambda _: None; from gan_core.cli import main; sys.exit(main())"
SAVES = 15


@dataclass(frozen=True)
class Cut:
    """One power cut: the image, and how many seconds the run had trained by then."""

    image: Path
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What came of it: seconds lost, checkpoints that were not whole; or why it did not go on."""

    lost: float = 0.0
    damaged: int = 0
    wrong: str = ""


def powercut(cuts: int, say: Callable[[str], None]) -> list[Row]:
    """A row for the training as it is, one for the control, and what waiting for the disk costs."""
    aim = f"all of {cuts}, <= {AGE * INTERVAL:g} s lost"
    rows = []
    for what, program, aimed in (
        ("Power cut, then resume", ["-m", "gan_core"], aim),
        ("The same with fsync switched off (control)", ["-c", WITHOUT], "some fail"),
    ):
        try:
            outcomes = _tried(program, cuts, say)
        except (OSError, subprocess.CalledProcessError) as error:
            return [Row(what, aimed, f"not tried: no file system can be mounted here ({error})"), *_costs()]
        told = _told(outcomes)
        if aimed == "some fail" and not any(outcome.wrong or outcome.damaged for outcome in outcomes):
            told += ": the method finds nothing here, so the row above proves nothing"
        rows.append(Row(f"{what}: ext4, a checkpoint every {INTERVAL:g} s", aimed, told))
    return [*rows, *_costs()]


def _told(outcomes: list[Outcome]) -> str:
    good = [outcome for outcome in outcomes if not outcome.wrong]
    told = f"{len(good)} of {len(outcomes)} went on"
    if good:
        told += f", {max(outcome.lost for outcome in good):.1f} s lost at most"
    told += f"; checkpoints not whole: {sum(outcome.damaged for outcome in outcomes)}"
    wrong = sorted({outcome.wrong for outcome in outcomes if outcome.wrong})
    return told + (f"; {'; '.join(wrong)}" if wrong else "")


def _tried(program: list[str], cuts: int, say: Callable[[str], None]) -> list[Outcome]:
    memory = Path("/dev/shm")  # a copy is quick there
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        made = _images(program, cuts, folder)
        outcomes = []
        for number, cut in enumerate(made):
            outcomes.append(_outcome(cut, folder / f"after-{number}"))
            say(f"cut at {cut.seconds:.1f} s: {outcomes[-1]}")
        return outcomes


def _images(program: list[str], cuts: int, folder: Path) -> list[Cut]:
    """Train into a fresh file system and copy its image at `cuts` moments, every second while it saves."""
    image, place = folder / "disk", folder / "place"
    with image.open("wb") as stream:
        stream.truncate(MEGABYTES << 20)
    _system("mkfs.ext4", "-q", str(image))
    with _mounted(image, place):
        command = [sys.executable, *program, "train", *FLAGS, f"--runs={place / 'runs'}"]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not (found := list(place.glob("runs/2*/checkpoints/step-*"))) and child.poll() is None:
                time.sleep(0.05)
            run = RunPaths(found[0].parent.parent)
            return [_cut(child.pid, run, image, folder / f"cut-{n}", bool(n % 2)) for n in range(cuts)]
        finally:
            child.kill()
            child.wait()


def _cut(pid: int, run: RunPaths, image: Path, copy: Path, saving: bool) -> Cut:
    """Copy the image at a random moment, or at the next one at which a checkpoint is being written."""
    time.sleep(random.uniform(0.2, 2.5) * INTERVAL)
    end = time.monotonic() + 5 * INTERVAL
    while saving and time.monotonic() < end and not list(run.checkpoints.glob(".*.part")):
        pass
    os.kill(pid, signal.SIGSTOP)  # the system goes on writing meanwhile, as a disk does on its last volts
    while not suspended(pid, "", ""):
        time.sleep(0.001)
    seconds = status_as_written(run).seconds
    shutil.copy(image, copy)
    while copy.read_bytes() != image.read_bytes():  # of one moment, not of two
        shutil.copy(image, copy)
    os.kill(pid, signal.SIGCONT)
    return Cut(copy, seconds)


def _outcome(cut: Cut, place: Path) -> Outcome:
    """Mount the image, resume the run in it for a moment, and look at the file system once more."""
    try:
        with _mounted(cut.image, place):
            (path,) = place.glob("runs/2*")
            run = RunPaths(path)
            steps, damaged = checkpoint_steps(run), len(damaged_steps(run))
            if not steps:
                return Outcome(damaged=damaged, wrong="no whole checkpoint")
            had = float(read_counters(run.checkpoint(steps[-1]))["seconds"])
            until = f"--seconds={had + 0.5:g}"
            command = [sys.executable, "-m", "gan_core", "resume", str(run.path), until, "--quiet"]
            said = subprocess.run(command, capture_output=True, text=True, check=False)
            if said.returncode or status_as_written(run).state != "finished":
                return Outcome(damaged=damaged, wrong=said.stderr.strip()[-120:] or "did not go on")
        _system("fsck.ext4", "-fn", str(cut.image))
    except (subprocess.CalledProcessError, GanError, ValueError) as error:
        return Outcome(wrong=str(error)[:120])
    lost = cut.seconds - had
    late = f"{lost:.1f} s lost" if lost > AGE * INTERVAL else ""
    return Outcome(lost, damaged, late)


@contextlib.contextmanager
def _mounted(image: Path, place: Path) -> Iterator[None]:
    place.mkdir()
    _system("mount", "-o", MOUNT, str(image), str(place))
    try:
        yield
    finally:
        _system("umount", str(place))


def _system(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _costs() -> list[Row]:
    """What waiting for the disk costs, where temporary files lie: a checkpoint, a new state, a heartbeat."""
    with tempfile.TemporaryDirectory() as folder:
        writer = RunWriter(create_run(Path(folder), TrainConfig(dataset="glyphs", steps=1)))

        def fill(path: Path) -> None:
            (path / "state").write_bytes(os.urandom(10_000_000))

        acts: dict[str, Callable[[int], object]] = {
            "A checkpoint of 10 MB": lambda step: writer.checkpoint(step, fill, 1000.0),
            "A new state of a run": lambda step: writer.update(state=("paused", "running")[step % 2]),
            "A heartbeat": lambda step: writer.update(step=step),
        }
        rows = []
        for what, act in acts.items():
            with_it = _median(act)
            with mock.patch("os.fsync"):
                without = _median(act)
            rows.append(Row(f"{what}, with fsync (without)", "", f"{with_it:.1f} ms ({without:.1f})"))
        return rows


def _median(act: Callable[[int], object]) -> float:
    """Milliseconds that `act` takes."""
    took = []
    for step in range(SAVES):
        begin = time.perf_counter()
        act(step)
        took.append(1000 * (time.perf_counter() - begin))
    return statistics.median(took)
