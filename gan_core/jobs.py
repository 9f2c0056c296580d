"""Runs in child processes: one trains, the others wait their turn.

All that is known about a run lies in its directory; this module keeps nothing that a restart would lose.
A status belongs to the process that trains the run; it is written here only while there is none.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from gan_core.child import Child
from gan_core.config import TrainConfig
from gan_core.errors import JobError
from gan_core.messages import Message
from gan_core.runs import control, process, reader
from gan_core.runs.layout import RunPaths, create_run, find_run, run_paths
from gan_core.runs.reader import ACTIVE, Status
from gan_core.runs.writer import amend_status, put_back

TICK_SECONDS = 0.1
SURVEY_SECONDS = 5.0  # between two looks at all runs; the active ones are looked at on every tick
WARM_AFTER_SECONDS = 15.0  # of training: importing torch beside the first seconds would slow the show
LOST_SECONDS = 1.5  # without a heartbeat before an adopted run whose process is gone counts as dead
DEAF_SECONDS = 30.0  # a worker that neither stops nor shows a heartbeat for so long is ended

_log = logging.getLogger(__name__)


class Jobs:
    """The queue of training runs under one directory. All methods may be called from any thread.

    Several at once on the same directory are fine: the first one schedules, and when it ends, however it
    ends, the next takes over.
    """

    def __init__(self, root: Path, *, queue_limit: int = 20, worker: Sequence[str] | None = None) -> None:
        """Start the scheduler and one warm worker. `worker` is the command of another worker, for tests."""
        self._root = Path(root).resolve()
        self._root.mkdir(parents=True, exist_ok=True)
        self._queue_limit = queue_limit
        self._worker = worker
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._closed = False
        self._owner = FileLock(self._root / ".jobs.lock", thread_local=False)  # taken here, let go elsewhere
        self._warm: Child | None = None
        self._cold = False  # warming up failed: try again only when there is a run to tell it to
        self._children: dict[str, Child] = {}
        self._active: set[str] = set()
        self._surveyed: tuple[float, int] = (0.0, 0)
        self._thread = threading.Thread(target=self._schedule, name="jobs", daemon=True)
        self._thread.start()

    def submit(self, config: TrainConfig, preset: str = "", owner: str = "") -> str:
        """Put a new run in the queue and return its id; it begins at once when nothing trains.

        owner: the mark of the visitor whose run it is; "" for a run of whoever has the files.

        Raises:
            JobError: when the queue is full.
            RunError: when the run's directory cannot be made.
        """
        with self._lock:
            self._make_room()
            run = create_run(self._root, config, preset, state="queued", owner=owner)
            self._active.add(run.id)
        self._wake.set()
        return run.id

    def stop(self, id: str) -> None:
        """End a run: a waiting one at once, a training one cleanly within a second."""
        with self._lock:
            run, status = self._found(id)
            if status.state == "queued":
                amend_status(run, state="stopped", messages=[Message("stopped-early")])
            elif status.state in ACTIVE:
                control.send(run, "stop")
            else:
                raise JobError("job-stop", run=id, state=status.state)
        self._wake.set()

    def pause(self, id: str) -> None:
        """Let a training run stand still; the next one in the queue begins."""
        with self._lock:
            run, status = self._found(id)
            waits = _order(run).command == "wait"
            if status.state == "queued":
                raise JobError("job-pause-early", run=id)
            if status.state != "running" and not waits:
                raise JobError("job-pause", run=id, state=status.state)
            control.send(run, "pause")
        self._wake.set()

    def resume(self, id: str) -> None:
        """Continue a paused run, or a stopped or failed one from its last checkpoint, when its turn comes."""
        with self._lock:
            run, status = self._found(id)
            if status.state == "paused":
                control.send(run, "wait")
            elif status.state == "running" and _order(run).command in ("pause", "wait"):
                control.send(run, "run")  # it had not yet stood still
            elif status.state in ("stopped", "failed") and reader.checkpoint_steps(run):
                self._make_room()
                control.send(run, "run")
                amend_status(run, state="queued")
            else:
                empty = status.state in ("stopped", "failed")
                raise JobError("job-resume-empty" if empty else "job-resume", run=id, state=status.state)
            self._active.add(id)
        self._wake.set()

    def queue(self) -> list[str]:
        """Ids of the run that trains, if any, and of those that wait for their turn, in order."""
        with self._lock:
            self._survey()
            statuses = self._look()
        return [s.id for s in statuses if self._trains(s)] + [s.id for s in self._waiting(statuses)]

    def close(self) -> None:
        """End the scheduler and the idle worker; a run that trains goes on."""
        with self._lock:
            self._closed = True
            if self._warm is not None:
                self._warm.dismiss()
            for child in self._children.values():
                child.leave()
            self._warm, self._children = None, {}
            self._owner.release()
        self._wake.set()
        self._thread.join()

    def _schedule(self) -> None:
        while not self._closed:
            pause = TICK_SECONDS
            try:
                with self._lock:
                    if not self._closed and self._is_scheduler():
                        self._tick()
            except Exception:  # a full disk, no memory for a process: the queue must outlive it
                _log.exception("The queue of runs could not be served; it is tried again.")
                pause = SURVEY_SECONDS
            self._wake.wait(pause)
            self._wake.clear()

    def _is_scheduler(self) -> bool:
        """Whether we are the one that schedules. When a holder dies, the system gives its lock back."""
        if not self._owner.is_locked:
            with contextlib.suppress(Timeout):
                self._owner.acquire(blocking=False)
        return self._owner.is_locked

    def _tick(self) -> None:
        self._reap_children()
        self._survey()
        statuses = self._look()
        for status in statuses:
            if status.id not in self._children and reader.is_lost(status, LOST_SECONDS):
                self._mark_failed(RunPaths(self._root / status.id), Message("process-gone"))
            self._end_deaf(status)
        statuses = self._look()
        training = [status for status in statuses if self._trains(status)]
        waiting = self._waiting(statuses)
        if waiting and not training:
            self._begin(waiting[0])
        elif not training or training[0].seconds >= WARM_AFTER_SECONDS:
            self._keep_warm()

    def _survey(self) -> None:
        """Find active runs that others have made: when the directory changed, and now and then."""
        changed = self._root.stat().st_mtime_ns
        if changed != self._surveyed[1] or time.monotonic() - self._surveyed[0] > SURVEY_SECONDS:
            self._surveyed = (time.monotonic(), changed)
            self._active = {run.id for run in run_paths(self._root) if _written(run).state in ACTIVE}

    def _look(self) -> list[Status]:
        """The active runs as they are now, oldest first."""
        seen = [_written(RunPaths(self._root / id)) for id in sorted(self._active)]
        self._active = {status.id for status in seen if status.state in ACTIVE}
        return [status for status in seen if status.state in ACTIVE]

    def _waiting(self, statuses: Sequence[Status]) -> list[Status]:
        """Those that wait for their turn, in the order in which they were asked for."""
        asked: list[tuple[float, str, Status]] = []
        for status in statuses:
            order = _order(RunPaths(self._root / status.id))
            if status.state == "queued" or (status.state == "paused" and order.command == "wait"):
                asked.append((order.time or status.created, status.id, status))
        return [status for _, _, status in sorted(asked, key=lambda entry: entry[:2])]

    def _trains(self, status: Status) -> bool:
        goes_on = status.state == "paused" and _order(RunPaths(self._root / status.id)).command == "run"
        return status.state == "running" or goes_on

    def _begin(self, status: Status) -> None:
        run = RunPaths(self._root / status.id)
        if status.state == "paused":
            control.send(run, "run")
        elif status.id not in self._children:  # else its former process is about to end
            self._check_warm()
            child = self._warm = self._warm or Child(self._worker)
            amend_status(run, state="running", **process.signature(child.pid))
            self._warm, self._cold = None, False
            self._children[run.id] = child
            child.hand_over(run)

    def _keep_warm(self) -> None:
        self._check_warm()
        if self._warm is None and not self._cold:
            self._warm = Child(self._worker)

    def _check_warm(self) -> None:
        if self._warm is not None and self._warm.ended():
            _log.warning("A worker ended before it had a run. %s", self._warm.exit_reason())
            self._warm, self._cold = None, True

    def _reap_children(self) -> None:
        for id, child in list(self._children.items()):
            if child.ended():
                run, exit_reason = RunPaths(self._root / id), child.exit_reason()
                del self._children[id]
                if _written(run).state in ("running", "paused"):
                    self._mark_failed(run, exit_reason)

    def _mark_failed(self, run: RunPaths, reason: Message) -> None:
        put_back(run)
        amend_status(run, state="failed", messages=[reason, reader.last_checkpoint(run)])

    def _end_deaf(self, status: Status) -> None:
        """End a worker of ours that was told to stop and has shown no sign of life since."""
        child, order = self._children.get(status.id), _order(RunPaths(self._root / status.id))
        last = max(order.time, status.heartbeat)
        if child is not None and order.command == "stop" and time.time() - last > DEAF_SECONDS:
            child.kill()

    def _found(self, id: str) -> tuple[RunPaths, Status]:
        if self._closed:
            raise JobError("queue-closed")
        run = find_run(self._root, id)
        return run, reader.read_status(run)

    def _make_room(self) -> None:
        if self._closed:
            raise JobError("queue-closed")
        if len(self._waiting(self._look())) >= self._queue_limit:
            raise JobError("queue-full", count=self._queue_limit)


def _order(run: RunPaths) -> control.Order:
    return control.read(run) or control.Order()


def _written(run: RunPaths) -> Status:
    """The status as written, a damaged one as failed."""
    return reader.glance(run, reader.status_as_written)
