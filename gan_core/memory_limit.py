"""How much memory there is, how much a process may take, and how to tell that it ran out. Needs no torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

SIGNS = (  # of a lack of memory, in what Python, numpy, torch, C++ and OpenMP say
    "MemoryError", "OutOfMemoryError", "can't allocate memory", "Cannot allocate memory", "bad_alloc",
    "out of memory", "could not create a memory object", "Thread creation failed",
)  # fmt: skip
CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def machine_memory() -> int:
    """Bytes that all processes here have together: the machine's, or its container's where that is less.

    0 where the system does not tell.
    """
    try:
        least = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return 0
    limits = [int(text) for path in CGROUPS if (text := _read(path).strip()).isdigit()]
    return min([least, *limits])


def limit_memory(most: int) -> bool:
    """Let this process take at most `most` bytes from now on; True where the system holds it to that.

    Linux counts private writable memory (RLIMIT_DATA), reserved or used: what is reserved by now and was
    never touched, thread stacks above all, comes on top. The whole address space (RLIMIT_AS) would say
    nothing: torch's libraries alone fill gigabytes of it. A cgroup would count what is used only, but a
    process that is not the administrator's may seldom make one. Beside a GPU there is no such limit: its
    driver reserves far more than it uses.
    """
    torch = sys.modules.get("torch")  # where it was not imported, nothing uses a GPU
    if sys.platform != "linux" or (torch is not None and torch.cuda.is_available()):
        return False
    import resource  # not on every system

    untouched = max(0, _in_use("VmData") - _in_use("RssAnon"))
    _, highest = resource.getrlimit(resource.RLIMIT_DATA)
    asked = most + untouched
    resource.setrlimit(resource.RLIMIT_DATA, (asked if highest < 0 else min(asked, highest), highest))
    return True


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` means that there was no memory, of the processor or of a GPU."""
    return isinstance(error, MemoryError) or says_out_of_memory(f"{type(error).__name__}: {error}")


def says_out_of_memory(text: str) -> bool:
    """Whether the last words of a process blame a lack of memory."""
    return any(sign in text for sign in SIGNS)


def oom_kills() -> int | None:
    """How many processes Linux has killed for want of memory since it began; None where it does not tell."""
    return _field(Path("/proc/vmstat"), "oom_kill ")


def _in_use(name: str) -> int:
    """Bytes of a line of /proc/self/status, which counts in kB."""
    return 1024 * (_field(Path("/proc/self/status"), f"{name}:") or 0)


def _field(path: Path, start: str) -> int | None:
    for line in _read(path).splitlines():
        if line.startswith(start):
            return int(line.removeprefix(start).split()[0])
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
