"""Runs in child processes: one trains, the others wait their turn.

All that is known about a run lies in its directory; this module keeps nothing that a restart would lose.
A status belongs to the process that trains the run; it is written here only while there is none, under the
run's lock: another server on the same folder may be about to write it too.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from gan_core.config import TrainConfig
from gan_core.errors import JobError, RunError
from gan_core.fair_queue import Turns, Visitors, Waiting
from gan_core.limits import Limits, Starts
from gan_core.messages import Message
from gan_core.runs import control, folder, reader
from gan_core.runs.layout import RunPaths, create_run, find_run, run_paths
from gan_core.runs.lock import HAND_OVER, only_writer
from gan_core.runs.reader import ACTIVE, Status
from gan_core.runs.writer import amend_status
from gan_core.workers import STANDING, Workers, end_idle, mark_failed

TICK_SECONDS = 0.1
SURVEY_SECONDS = 5.0  # between two looks at all runs; the active ones are looked at on every tick
TRIM_SECONDS = 10.0  # between two looks at what the folder fills
WARM_AFTER_SECONDS = 15.0  # of training: importing torch beside the first seconds would slow the show
LOST_SECONDS = 1.5  # without a heartbeat before an adopted run whose process is gone counts as dead
PARK_SECONDS = 60.0  # a run stands still before its process, some 400 MB, is ended: Continue begins another

_log = logging.getLogger(__name__)


class Jobs:
    """The queue of training runs under one directory. All methods may be called from any thread.

    Several at once on the same directory are fine: the first one schedules, and when it ends, however it
    ends, the next takes over. Visitors, told apart by the `owner` of their runs, take turns.
    """

    def __init__(
        self, root: Path, *, limits: Limits | None = None, worker: Sequence[str] | None = None
    ) -> None:
        """Start the scheduler and one warm worker. `worker` is the command of another worker, for tests."""
        self._root = Path(root).resolve()
        self._root.mkdir(parents=True, exist_ok=True)
        self._limits = limits or Limits()
        self._workers = Workers(self._root, worker, self._limits.memory)
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._closed = False
        self._scheduler = FileLock(self._root / ".jobs.lock", thread_local=False)  # another thread lets go
        self._active: set[str] = set()
        self._visitors = Visitors(lambda id: reader.read_owner(RunPaths(self._root / id)))
        self._turns = Turns()
        self._starts = Starts()
        self._surveyed: tuple[float, int] = (0.0, 0)
        self._trimmed = 0.0
        self._thread = threading.Thread(target=self._schedule, name="jobs", daemon=True)
        self._thread.start()

    def submit(self, config: TrainConfig, preset: str = "", owner: str = "", address: str = "") -> str:
        """Put a new run in the queue and return its id; it begins at once when nothing trains.

        owner: the mark of the visitor whose run it is; "" for a run of whoever has the files.
        address: a mark of the network address from which it is asked for; "" where that says nothing.

        Raises:
            JobError: when the queue is full, or the visitor or the address has, or starts, too many runs.
            RunError: when the run's directory cannot be made.
        """
        with self._lock:
            self.check(owner, address)
            run = create_run(self._root, config, preset, state="queued", owner=owner)
            self._starts.add(owner, address)
            self._active.add(run.id)
            self._visitors.add(run.id, address)
        self._wake.set()
        return run.id

    def check(self, owner: str, address: str = "") -> None:
        """Whether `owner` may start a run now; quick, to be asked before all else. Raises as `submit`."""
        with self._lock:
            self._make_room(owner, address)
            self._starts.check(owner, self._limits, address)

    def stop(self, id: str) -> None:
        """End a run: a waiting one at once, a training one cleanly within a second."""
        with self._lock:
            run, status = self._found(id)
            if status.state not in ACTIVE:
                raise JobError("job-stop", run=id, state=status.state)
            if not (status.idle and end_idle(run, HAND_OVER)):
                control.send(run, "stop")
        self._wake.set()

    def pause(self, id: str) -> None:
        """Let a training run stand still; the next one in the queue begins."""
        with self._lock:
            run, status = self._found(id)
            waits = control.in_force(run).command == "wait"
            if status.state == "queued":
                raise JobError("job-pause-early", run=id)
            if status.state != "running" and not waits:
                raise JobError("job-pause", run=id, state=status.state)
            self._check_paused(run)
            control.send(run, "pause")
        self._wake.set()

    def resume(self, id: str) -> None:
        """Continue a paused run, or a stopped or failed one from its last checkpoint, when its turn comes."""
        with self._lock:
            run, status = self._found(id)
            if status.state == "paused":
                if control.in_force(run).command != "wait":
                    self._rejoin(id, begins=status.parked)
                hold = only_writer(run, HAND_OVER) if status.parked else contextlib.nullcontext()
                with hold:  # or it may just be removed for want of room
                    control.send(run, "wait")
            elif status.state == "running" and control.in_force(run).command in ("pause", "wait"):
                control.send(run, "run")  # it had not yet stood still
            elif status.state in ("stopped", "failed") and reader.checkpoint_steps(run):
                self._rejoin(id, begins=True)
                with only_writer(run, HAND_OVER):
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
            return [s.id for s in statuses if self._trains(s)] + self._waiting(statuses)

    def close(self) -> None:
        """End the scheduler and the idle worker; a run that trains goes on."""
        with self._lock:
            self._closed = True
            self._workers.leave()
            self._scheduler.release()
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
            try:
                self._trim()  # by itself: on a full disk it is what makes room
            except Exception:
                _log.exception("Old runs could not be removed; it is tried again.")
                pause = SURVEY_SECONDS
            self._wake.wait(pause)
            self._wake.clear()

    def _is_scheduler(self) -> bool:
        """Whether we are the one that schedules. When a holder dies, the system gives its lock back."""
        if not self._scheduler.is_locked:
            with contextlib.suppress(Timeout):
                self._scheduler.acquire(blocking=False)
        return self._scheduler.is_locked

    def _tick(self) -> None:
        self._workers.reap()
        self._survey()
        statuses = self._look()
        for status in statuses:
            with contextlib.suppress(RunError):  # what cannot be written now is tried again
                self._settle(status)
        statuses = self._look()
        self._park(statuses)
        training = [status for status in statuses if self._trains(status)]
        waiting = self._waiting(statuses)
        if waiting and not training:
            by_id = {status.id: status for status in statuses}
            if begun := self._workers.begin_first([by_id[id] for id in waiting]):
                self._turns.record(self._visitors.owner(begun), self._visitors.address(begun))
        elif not training or training[0].seconds >= WARM_AFTER_SECONDS:
            self._workers.keep_warm()

    def _settle(self, status: Status) -> None:
        """See to one active run whose process is gone, unresponsive, or not there to be told to stop."""
        run = RunPaths(self._root / status.id)
        if not self._workers.keep(status.id) and reader.is_lost(status, LOST_SECONDS):
            mark_failed(run, Message("process-gone"))
        elif status.idle and control.in_force(run).command == "stop":  # told while its process was ending
            end_idle(run)
        self._workers.end_unresponsive(status, self._limits.silence)

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

    def _waiting(self, statuses: Sequence[Status]) -> list[str]:
        """Ids of those that wait for their turn, in the order in which they will have it."""
        waiting: list[Waiting] = []
        for status in statuses:
            order = control.in_force(RunPaths(self._root / status.id))
            goes_on = order.command == "wait" or (status.parked and order.command == "run")
            if status.state == "queued" or (status.state == "paused" and goes_on):
                asked, id = order.time or status.created, status.id
                waiting.append(Waiting(asked, id, self._visitors.owner(id), self._visitors.address(id)))
        return self._turns.order(waiting, [self._visitors.owner(s.id) for s in statuses if self._trains(s)])

    def _trains(self, status: Status) -> bool:
        stands = status.state == "paused" and not status.parked
        goes_on = stands and control.in_force(RunPaths(self._root / status.id)).command == "run"
        return status.state == "running" or goes_on

    def _park(self, statuses: Sequence[Status]) -> None:
        """Have the processes save and end that have stood still for long, or that are too many."""
        standing = [s for s in statuses if s.state == "paused" and not s.parked and not self._trains(s)]
        orders = {status.id: control.in_force(RunPaths(self._root / status.id)) for status in standing}
        newest_first = sorted(orders.items(), key=lambda pair: pair[1].time, reverse=True)
        for place, (id, order) in enumerate(newest_first):
            long = time.time() - order.time > PARK_SECONDS
            if (long or place >= STANDING) and order.command in ("pause", "wait") and not order.park:
                control.park(RunPaths(self._root / id), order)

    def _trim(self) -> None:
        """Keep the folder within its limits, every now and then."""
        runs, megabytes = self._limits.folder_runs, self._limits.folder_megabytes
        due = time.monotonic() - self._trimmed > TRIM_SECONDS
        if (runs or megabytes) and due and self._scheduler.is_locked:
            if removed := folder.trim(self._root, runs, megabytes):
                _log.info("Removed for want of room: %s", ", ".join(removed))
            self._trimmed = time.monotonic()

    def _found(self, id: str) -> tuple[RunPaths, Status]:
        if self._closed:
            raise JobError("queue-closed")
        run = find_run(self._root, id)
        return run, reader.read_status(run)

    def _make_room(self, owner: str, address: str = "") -> None:
        """Whether a run of `owner` may join those that wait.

        Raises:
            JobError: there are too many, or too many of the same owner or address.
        """
        if self._closed:
            raise JobError("queue-closed")
        waiting = self._waiting(self._look())
        whose = [(self._visitors.owner(id), self._visitors.address(id)) for id in waiting]
        self._limits.check_waiting(owner, address, whose)

    def _rejoin(self, id: str, begins: bool) -> None:
        """Whether a run may wait again; where a process `begins` anew for it, that is a start as any other.
        Raises as `submit`."""
        owner, address = self._visitors.owner(id), self._visitors.address(id)
        self._make_room(owner, address)
        if begins:
            self._starts.check(owner, self._limits, address)
            self._starts.add(owner, address)

    def _check_paused(self, run: RunPaths) -> None:
        """Whether the owner of `run` may have one more that is paused.

        Raises:
            JobError: there are too many.
        """
        owner, most = self._visitors.owner(run.id), self._limits.paused
        others = (status.id for status in self._look() if status.id != run.id)
        own = [id for id in others if self._visitors.owner(id) == owner]
        if sum(control.in_force(RunPaths(self._root / id)).command == "pause" for id in own) >= most > 0:
            raise JobError("paused-own", count=most)


def _written(run: RunPaths) -> Status:
    """The status as written, a damaged one as failed."""
    return reader.glance(run, reader.status_as_written)
