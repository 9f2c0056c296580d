"""A server's scratch folder, and what servers that were killed have left behind."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "dcgan-studio-"
LOCK = ".lock"  # held as long as the server lives: when it dies, however it dies, the system gives it back
NEW = 1.0  # seconds; a folder is locked at once after it was made
YOUNG = 600.0  # seconds for which something half made may still be in the making


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder, which is removed at the end; those of servers that live no more are removed first."""
    _sweep_scratch(Path(tempfile.gettempdir()))
    made = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    with made as folder, FileLock(Path(folder) / LOCK):
        yield Path(folder)


def sweep_parts(runs: Path) -> None:
    """Remove what was half made in the folder of runs when its writer was killed, once it is old enough."""
    for depth in ("", "*/", "*/samples/", "*/checkpoints/"):
        for part in runs.glob(f"{depth}.*.part"):
            with contextlib.suppress(OSError):
                within = part.parent.resolve().is_relative_to(runs.resolve())  # not through a link
                if within and time.time() - part.lstat().st_mtime > YOUNG:
                    shutil.rmtree(part) if part.is_dir() and not part.is_symlink() else part.unlink()


def _sweep_scratch(temporary: Path) -> None:
    for lock in temporary.glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError, Timeout):
            if time.time() - lock.lstat().st_mtime > NEW and not lock.is_symlink():
                with FileLock(lock, blocking=False):
                    shutil.rmtree(lock.parent, ignore_errors=True)
