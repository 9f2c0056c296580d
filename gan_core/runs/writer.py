"""Writing a run: each write is whole or did not happen, so a kill at any byte loses nothing shown before."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gan_core import files
from gan_core.errors import RunError
from gan_core.messages import Message, render
from gan_core.runs import control, process, reader
from gan_core.runs.layout import SCHEMA, RunPaths
from gan_core.runs.lineage import Branches
from gan_core.runs.listing import check_places
from gan_core.runs.records import ALL_MOST, number, read_all
from gan_core.runs.retention import MEGABYTE, checkpoint_sizes, retained_checkpoints
from gan_core.runs.rewind import BACK_TO, rewound_to
from gan_core.runs.sweep import aside, discard, put_back, sweep

RESERVE_BYTES = 65_536  # given back when the disk is full, so that the reason can still be written


def amend_status(run: RunPaths, **changes: Any) -> None:
    """Change the status of a run that no process keeps: queued, or dead. A living one keeps its own.

    Raises:
        RunError: when it cannot be written.
    """
    with _explained(run):
        _write_status(run, _merged(_stored(run), changes), durable=True)


class RunWriter:
    """The one writer of a run's files, held by the process that trains.

    Every method raises `RunError`, one sentence, when the disk is full or the file cannot be written.
    """

    def __init__(self, run: RunPaths) -> None:
        self.run = run
        self._status = _stored(run)
        self._durable: tuple[str, int] | None = None  # state and pid that are on the disk for certain
        self._signature = process.signature(os.getpid())
        self._order = control.Order()
        self._order_mark: tuple[int, ...] = ()
        self._branches = Branches(run)
        check_places(run)
        sweep(run)
        with self._writing():
            run.samples.mkdir(parents=True, exist_ok=True)
            run.checkpoints.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):
            run.reserve.write_bytes(bytes(RESERVE_BYTES))

    def update(self, **changes: Any) -> None:
        """Replace status.json with `changes` (fields of `Status`) put in and the heartbeat renewed.

        Call it about twice a second, paused or not. A new state without messages clears them.
        The final state must be the last thing written: the run may be queued again from then on.
        A new state is waited for until it is on the disk; a heartbeat, which tells nothing new, is not.
        """
        self._signature["heartbeat"] = time.time()
        self._status = _merged(self._status, self._signature | changes)
        news = self._status["state"], self._status["pid"]
        with self._writing():
            _write_status(self.run, self._status, durable=news != self._durable)
        self._durable = news
        if self._status.get("state") not in reader.ACTIVE:
            self.run.reserve.unlink(missing_ok=True)

    def record(self, values: Mapping[str, Any]) -> None:
        """Add a point to the curves: step, images, seconds and `group/name` values."""
        self._append(self.run.metrics, values)

    def score(self, values: Mapping[str, Any]) -> None:
        """Add quality figures."""
        self._append(self.run.scores, values)

    def verdict(self, verdict: reader.Verdict) -> None:
        """Add a verdict."""
        self._append(self.run.verdicts, asdict(verdict))

    def log(self, *messages: Message) -> None:
        """Add a line to log.txt, in English, with the time (UTC)."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        with self._writing(), self.run.log.open("a", encoding="utf-8") as stream:
            stream.write(f"{stamp}  {render(messages)}\n")

    def sample(self, step: int, data: bytes) -> None:
        """Keep the sample grid of `step` (WebP bytes) and name it in the status."""
        with self._writing():
            files.write_bytes(self.run.sample(step), data)
        self.update(grid_step=step)

    def back_to(self, step: int) -> None:
        """Drop what lies beyond `step`: the run has gone back there, and trains those steps anew.

        Sample grids are removed, points of the curves and scores taken back by a line (see `rewind`), and the
        status counts it, so that nobody takes an old grid for the new one of the same step. The last grid
        goes first, so that after a kill those that are left are in order, the next call drops the rest, and
        the status names a grid that is there.
        """
        steps = reader.sample_steps(self.run)
        lost = [later for later in steps if later > step]
        grown = [path for path in (self.run.metrics, self.run.scores) if _reaches_beyond(path, step)]
        if not lost and not grown:
            return
        grid = max((early for early in steps if early <= step), default=None)
        self.update(step=step, grid_step=grid, rewinds=self._status["rewinds"] + 1)
        with self._writing():
            for later in reversed(lost):
                self.run.sample(later).unlink(missing_ok=True)
        for path in grown:
            self._append(path, {BACK_TO: step})
        if lost:
            self.log(Message("log-grids-dropped", step=step, count=len(lost)))

    def drop_damaged(self) -> None:
        """Remove the checkpoints that are not whole, once the run goes on from one that is."""
        with self._writing():
            for step in reader.damaged_steps(self.run):
                discard(self.run.checkpoint(step))

    def real(self, data: bytes) -> None:
        """Keep real pictures (WebP bytes) in the layout of the sample grids."""
        with self._writing():
            files.write_bytes(self.run.real, data)

    def generator(self, fill: Callable[[Path], None], best: bool = False, last: bool = False) -> None:
        """Let `fill` write the generator; the `best` has its own file.

        The best and the `last` one are waited for until they are on the disk: no other follows soon.
        """
        path = self.run.best if best else self.run.generator
        with self._writing(), files.replacing(path, durable=best or last) as scratch:
            fill(scratch)

    def checkpoint(self, step: int, fill: Callable[[Path], None], megabytes: float = 100.0) -> None:
        """Let `fill` write a checkpoint into an empty directory; it gets its name when all is on the disk.

        All together fill `megabytes` at most: older ones are thinned out, but never the first, the last, the
        best or one that another run branched off.
        """
        path = self.run.checkpoint(step)
        with self._writing():
            try:
                with files.replacing(path, durable=True) as scratch:
                    scratch.mkdir()
                    fill(scratch)
                    if path.exists():
                        path.replace(aside(path))
            finally:
                put_back(self.run)
            sizes = checkpoint_sizes(self.run)
            guarded = self._branches.steps() | set(reader.best_steps(self.run)[-1:])
            for old in sizes.keys() - retained_checkpoints(sizes, megabytes * MEGABYTE, guarded):
                discard(self.run.checkpoint(old))

    def command(self) -> str:
        """What the run is asked to do now: "run", "pause", "park" or "stop". Cheap enough for every step."""
        try:
            stat = self.run.control.stat()
        except OSError:
            return _plain(self._order)
        mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if mark != self._order_mark and (order := control.read(self.run)) is not None:
            self._order, self._order_mark = order, mark
        return _plain(self._order)

    def _append(self, path: Path, values: Mapping[str, Any]) -> None:
        with self._writing():
            files.append_json(path, dict(values))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with _explained(self.run):
            try:
                yield
            except OSError:
                self.run.reserve.unlink(missing_ok=True)
                raise


class NullRunWriter(RunWriter):
    """A writer that writes nothing: for the processes of a run beside its first."""

    def __init__(self, run: RunPaths) -> None:
        self.run = run

    def update(self, **changes: Any) -> None:
        """Nothing."""

    def log(self, *messages: Message) -> None:
        """Nothing."""

    def sample(self, step: int, data: bytes) -> None:
        """Nothing."""

    def back_to(self, step: int) -> None:
        """Nothing."""

    def drop_damaged(self) -> None:
        """Nothing."""

    def real(self, data: bytes) -> None:
        """Nothing."""

    def generator(self, fill: Callable[[Path], None], best: bool = False, last: bool = False) -> None:
        """Nothing."""

    def checkpoint(self, step: int, fill: Callable[[Path], None], megabytes: float = 100.0) -> None:
        """Nothing."""

    def command(self) -> str:
        """To go on: the first process says otherwise where it is told otherwise."""
        return "run"

    def _append(self, path: Path, values: Mapping[str, Any]) -> None:
        pass


def _plain(order: control.Order) -> str:
    if order.command in ("pause", "wait"):
        return "park" if order.park else "pause"
    return order.command


def _reaches_beyond(path: Path, step: int) -> bool:
    """Whether a file has points of later steps; of a very long one it is taken for granted."""
    reach = -1.0
    for record in read_all(path):
        back = rewound_to(record)
        reach = number(record, "step", reach) if back is None else min(reach, back)
    return reach > step or (path.is_file() and path.stat().st_size > ALL_MOST)


def _stored(run: RunPaths) -> dict[str, Any]:
    status = reader.status_as_written(run)
    return {"schema": SCHEMA} | {name: getattr(status, name) for name in sorted(reader.FIELDS)}


def _merged(status: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    unknown = changes.keys() - reader.FIELDS
    if unknown:
        raise TypeError(f"a status has no {', '.join(sorted(unknown))}")
    return status | ({"messages": ()} if "state" in changes else {}) | changes


def _write_status(run: RunPaths, status: dict[str, Any], durable: bool) -> None:
    """A run under way has a backup of the last status that is sure to be on the disk: the ones that follow it
    twice a second are not waited for, and a power cut may leave nothing in the last of them."""
    files.write_json(run.status, _as_json(status), durable)
    if status["state"] not in reader.ACTIVE:
        run.status_backup.unlink(missing_ok=True)
    elif durable:
        files.keep(run.status, run.status_backup)


def _as_json(status: dict[str, Any]) -> dict[str, Any]:
    return status | {"messages": [asdict(message) for message in status["messages"]]}


@contextlib.contextmanager
def _explained(run: RunPaths) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError("run-full", reader.last_checkpoint(run), run=run.id) from error
        raise RunError("run-write", run=run.id, reason=error.strerror or error) from error
