"""One worker process as its parent sees it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from gan_core.memory_limit import oom_kills, says_out_of_memory
from gan_core.messages import Message
from gan_core.runs.layout import RunPaths

TAIL = 4000  # bytes of its last words that are read


class Child:
    """A worker that imports what it needs and then waits to be handed a run.

    It has a session of its own: Ctrl-C in the server's terminal and the server's death do not reach it.
    """

    def __init__(self, command: Sequence[str] | None = None) -> None:
        """Start it; `command` is the default `python -m gan_core.worker` or another that behaves like it."""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - until it has a run, and so a log
        home = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        self._process = subprocess.Popen(
            list(command or (sys.executable, "-m", "gan_core.worker")),
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=self._said,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
            creationflags=flags,
        )
        self._log: tuple[Path, int] | None = None  # of its run, and how long that was before
        self._kills_before = oom_kills()
        self._ended_for: Message | None = None

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def hand_over(self, run: RunPaths, memory: int = 0) -> None:
        """Tell it what to train, and how many bytes of memory it may take (0: any number).

        One that is dead already is found out by `ended`.
        """
        assert self._process.stdin is not None
        self._log = run.log, _length(run.log)
        told = {"run": str(run.path), "memory": memory}
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(told).encode() + b"\n")
            self._process.stdin.flush()
        self._hang_up()

    def ended(self) -> bool:
        """Whether the process is over."""
        return self._process.poll() is not None

    def exit_reason(self) -> Message:
        """How it ended, with the last line it said before it had a log; asked for once."""
        code = self._process.wait()
        self._hang_up()
        self._said.seek(0)
        said = self._said.read()[-TAIL:].decode(errors="replace").strip()
        self._said.close()
        if self._ended_for is not None:
            return self._ended_for
        if says_out_of_memory(said + self._logged()):
            return Message("out-of-memory")
        if code == -getattr(signal, "SIGKILL", 9):
            return self._killed()
        if code < 0:
            name = {s.value: s.name for s in signal.Signals}.get(-code, f"signal {-code}")
            return Message("worker-killed", signal=name)
        if said:
            return Message("worker-ended-saying", code=code, line=said.splitlines()[-1])
        return Message("worker-ended", code=code)

    def _killed(self) -> Message:
        """Why it was killed without a word: the system counts whom it kills for want of memory."""
        kills = oom_kills()
        if kills is None or self._kills_before is None:
            return Message("worker-killed-perhaps-memory", signal="SIGKILL")
        if kills > self._kills_before:
            return Message("worker-out-of-memory", signal="SIGKILL")
        return Message("worker-killed", signal="SIGKILL")

    def _logged(self) -> str:
        """The end of what it has written into the log of its run."""
        if self._log is None:
            return ""
        path, before = self._log
        with contextlib.suppress(OSError), path.open("rb") as stream:
            stream.seek(max(before, _length(path) - TAIL))
            return stream.read(TAIL).decode(errors="replace")
        return ""

    def dismiss(self) -> None:
        """End it while it is idle: it has nothing to lose."""
        self.kill()
        self._process.wait()
        self._hang_up()
        self._said.close()

    def leave(self) -> None:
        """Let it train on without us; its end is taken note of, so that no zombie stays."""
        self._said.close()
        threading.Thread(target=self._process.wait, name="leave", daemon=True).start()

    def kill(self, reason: Message | None = None) -> None:
        """End it at once, for a `reason` that `exit_reason` will name; its run keeps the last checkpoint."""
        self._ended_for = reason
        self._process.kill()

    def _hang_up(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
