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

from gan_core.messages import Message
from gan_core.runs.layout import RunPaths


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

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def hand_over(self, run: RunPaths) -> None:
        """Tell it what to train. One that is dead already is found out by `ended`."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps({"run": str(run.path)}).encode() + b"\n")
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
        lines = self._said.read()[-4000:].decode(errors="replace").strip().splitlines()
        self._said.close()
        if code < 0:
            name = {s.value: s.name for s in signal.Signals}.get(-code, f"signal {-code}")
            return Message("worker-out-of-memory" if name == "SIGKILL" else "worker-killed", signal=name)
        if lines:
            return Message("worker-ended-saying", code=code, line=lines[-1])
        return Message("worker-ended", code=code)

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

    def kill(self) -> None:
        """End it at once; its run keeps the last checkpoint."""
        self._process.kill()

    def _hang_up(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
