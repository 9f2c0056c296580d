"""Is the process that keeps a run still there? Asked without any signal that could end it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

NOBODY: Mapping[str, object] = MappingProxyType({"pid": 0, "born": ""})  # of a run that no process keeps

_STATE, _START = 0, 19  # places in /proc/PID/stat after the name, see proc(5)


def signature(pid: int) -> dict[str, object]:
    """What a run's status says of the process that keeps it: who, where, when last seen (unix seconds)."""
    return {"pid": pid, "born": born(pid), "host": platform.node(), "heartbeat": time.time()}


def born(pid: int) -> str:
    """A mark of when process `pid` began, "" where the system does not tell.

    A number given anew to another process, after a restart for one, has another mark.
    """
    stat = _stat(pid)
    return stat[_START] if stat else ""


def alive(pid: int, mark: str, host: str) -> bool | None:
    """Whether process `pid` with birth `mark` lives on `host`; None where that cannot be known.

    It cannot be known of another machine, nor on Windows, where probing a process by signal 0 ends it.
    """
    if os.name == "nt" or host not in ("", platform.node()):
        return None
    if pid <= 0:
        return False
    stat = _stat(pid)
    if stat:
        return stat[_STATE] not in "ZX" and mark in ("", stat[_START])  # a zombie has ended
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # there, and somebody else's
    return True


def suspended(pid: int, mark: str, host: str) -> bool:
    """Whether that process was stopped by a signal (SIGSTOP, Ctrl-Z) or a debugger, and not yet continued.

    False where that cannot be known.
    """
    stat = _stat(pid) if host in ("", platform.node()) else []
    return bool(stat) and stat[_STATE] in "Tt" and mark in ("", stat[_START])


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return []
