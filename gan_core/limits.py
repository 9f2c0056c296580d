"""What the visitors of a server may have."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass

from gan_core.errors import JobError

MINUTE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """0 is no limit; every owner of runs, "" as well, is a visitor.

    queue: runs that wait for their turn, of all visitors together. waiting, paused: of one visitor.
    starts, all_starts: runs that one visitor, and all of them, may start within a minute.
    memory: bytes that the process of a run may take. folder_runs, folder_megabytes: what all visitors' runs
    together may come to before the oldest go, see `runs.folder`.
    """

    queue: int = 20
    waiting: int = 0
    paused: int = 0
    starts: int = 0
    all_starts: int = 0
    memory: int = 0
    folder_runs: int = 0
    folder_megabytes: float = 0.0


class Starts:
    """The runs started within the last minute, and by whom."""

    def __init__(self) -> None:
        self._made: deque[tuple[float, str]] = deque()

    def add(self, owner: str) -> None:
        """Note that `owner` has started a run."""
        self._made.append((time.monotonic(), owner))

    def check(self, owner: str, limits: Limits) -> None:
        """Whether `owner` may start one more now.

        Raises:
            JobError: not yet.
        """
        while self._made and time.monotonic() - self._made[0][0] >= MINUTE:
            self._made.popleft()
        own = [when for when, whose in self._made if whose == owner]
        if limits.starts and len(own) >= limits.starts:
            raise JobError("starts-own", count=len(own), seconds=_left(own[-limits.starts]))
        if limits.all_starts and len(self._made) >= limits.all_starts:
            raise JobError("starts-all", seconds=_left(self._made[-limits.all_starts][0]))


def _left(when: float) -> int:
    """Seconds until a start at `when` is a minute ago."""
    return max(1, math.ceil(when + MINUTE - time.monotonic()))
