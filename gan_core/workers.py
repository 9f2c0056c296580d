"""The worker processes of a queue: one that is warm and waits, and one for each run that trains."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from gan_core.child import Child
from gan_core.errors import RunError
from gan_core.messages import Message
from gan_core.runs import control, process, reader
from gan_core.runs.layout import RunPaths
from gan_core.runs.lock import between_writers
from gan_core.runs.status import Status
from gan_core.runs.sweep import put_back
from gan_core.runs.writer import amend_status

UNRESPONSIVE_SECONDS = 30.0  # a worker that neither stops nor shows a heartbeat for so long is ended
STANDING = 1  # process that may stand still beside the one that trains

_log = logging.getLogger(__name__)


class Workers:
    """All of them, as the scheduler under `root` sees them; each may take `memory` bytes (0: any number)."""

    def __init__(self, root: Path, command: Sequence[str] | None, memory: int) -> None:
        self._root, self._command, self._memory = root, command, memory
        self.warm: Child | None = None
        self.cold = False  # warming up failed: try again only when there is a run to tell it to
        self._children: dict[str, Child] = {}

    def keep(self, id: str) -> bool:
        """Whether one of them has the run."""
        return id in self._children

    def begin(self, status: Status) -> bool:
        """Let a run train that stands still or has no process; False where that cannot be now."""
        run = RunPaths(self._root / status.id)
        if not status.idle:
            control.send(run, "run")
            return True
        if status.id in self._children:
            return False  # its former process is about to end
        self._check_warm()
        child = self.warm = self.warm or Child(self._command)
        with between_writers(run) as now:
            if now is None or not now.idle or control.in_force(run).command == "stop":
                return False  # another server has stopped it, or somebody trains it by hand
            if now.parked:
                control.send(run, "run")
            amend_status(run, state="running", **process.signature(child.pid))
        self.warm, self.cold = None, False
        self._children[run.id] = child
        child.hand_over(run, self._memory)
        return True

    def begin_first(self, waiting: Sequence[Status]) -> str | None:
        """Begin the first of those that wait and give its id; one that cannot begin holds up nobody.

        Raises:
            RunError: none can, and that is why.
        """
        problem: RunError | None = None
        for status in waiting:
            if status.idle and len(self._children) > STANDING:
                return None  # one too many is about to end; nobody overtakes meanwhile
            try:
                if self.begin(status):
                    return status.id
            except RunError as error:
                if error.code == "run-unreadable":  # its folder is not one that a process may write
                    amend_status(RunPaths(self._root / status.id), state="failed", messages=error.messages)
                else:
                    problem = error
            if self.keep(status.id):
                return None  # its former process is about to end
        if problem is not None:
            raise problem
        return None

    def keep_warm(self) -> None:
        """Have one that waits, unless none can be had."""
        self._check_warm()
        if self.warm is None and not self.cold:
            self.warm = Child(self._command)

    def reap(self) -> None:
        """Take note of those that have ended, and say of their runs how, where they could not."""
        for id, child in list(self._children.items()):
            if child.ended():
                run, exit_reason = RunPaths(self._root / id), child.exit_reason()
                del self._children[id]
                status = reader.glance(run, reader.status_as_written)
                if status.state in ("running", "paused") and status.pid == child.pid:
                    mark_failed(run, exit_reason)

    def end_unresponsive(self, status: Status, silence: float = 0.0) -> None:
        """End the one that has a run, was told to stop and has shown no sign of life since; or that has shown
        none for `silence` seconds (0: it may take its time)."""
        child, order = self._children.get(status.id), control.in_force(RunPaths(self._root / status.id))
        if child is None:
            return
        since, told = time.time() - max(order.time, status.heartbeat), order.command == "stop"
        patience = UNRESPONSIVE_SECONDS if told else silence
        if not 0 < patience < since:
            return
        if not told:
            child.kill(Message("worker-silent", seconds=patience))
        elif process.suspended(child.pid, status.born, status.host):
            child.kill(Message("worker-suspended", seconds=patience))
        else:
            child.kill(Message("worker-unresponsive", seconds=patience))

    def leave(self) -> None:
        """End the one that waits; those that train go on."""
        if self.warm is not None:
            self.warm.dismiss()
        for child in self._children.values():
            child.leave()
        self.warm, self._children = None, {}

    def _check_warm(self) -> None:
        if self.warm is not None and self.warm.ended():
            _log.warning("A worker ended before it had a run. %s", self.warm.exit_reason())
            self.warm, self.cold = None, True


def mark_failed(run: RunPaths, reason: Message) -> None:
    """Say that a run's process is gone, and why, unless somebody has gone on with the run."""
    with between_writers(run) as now:
        if now is not None and now.state in ("running", "paused") and not now.parked:
            put_back(run)
            amend_status(run, state="failed", messages=[reason, reader.last_checkpoint(run)])


def end_idle(run: RunPaths, patience: float = 0.0) -> bool:
    """Stop a run that no process keeps; False where one does by now, which must be told."""
    with between_writers(run, patience) as now:
        if now is None or not now.idle:
            return False
        amend_status(run, state="stopped", messages=[] if now.step else [Message("stopped-early")])
        return True
