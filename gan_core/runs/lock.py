"""A lock that the system itself gives back when its holder dies, however it dies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt

    def _grab(stream: BinaryIO) -> None:
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _grab(stream: BinaryIO) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """Exclusive between processes, and between holders in one process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def hold(self) -> bool:
        """Take the lock if it is free; True when it is ours. Raises `OSError` when there can be no file."""
        if self._stream is None:
            stream = self._path.open("ab")
            try:
                _grab(stream)
            except OSError:
                stream.close()
                return False
            self._stream = stream
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
