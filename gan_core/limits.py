"""What the visitors of a server may have."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from gan_core.errors import JobError

MINUTE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """0 is no limit; every owner of runs, "" as well, is a visitor.

    queue: runs that wait for their turn, of all visitors together. waiting, paused: of one visitor.
    starts, all_starts: runs that one visitor, and all of them, may start within a minute.
    address_share: of `queue` and `all_starts`, what visitors of one network address may have together: a new
    token is had for nothing, an address is not.
    memory: bytes that the process of a run may take. folder_runs, folder_megabytes: what all visitors' runs
    together may come to before the oldest go, see `runs.folder`.
    silence: seconds without a sign of life after which a run's process is ended, so that others can train.
    """

    queue: int = 20
    waiting: int = 0
    paused: int = 0
    starts: int = 0
    all_starts: int = 0
    address_share: float = 0.0
    memory: int = 0
    folder_runs: int = 0
    folder_megabytes: float = 0.0
    silence: float = 0.0

    def of_one_address(self, most: int) -> int:
        """What of `most`, one of the limits of all visitors, one address may have; 0 for all of it."""
        return math.ceil(self.address_share * most)

    def check_waiting(self, owner: str, address: str, waiting: Sequence[tuple[str, str]]) -> None:
        """Whether a run of `owner`, asked for from `address`, may join those that wait, (owner, address).

        Raises:
            JobError: there are too many, or too many of the same owner or address.
        """
        if len(waiting) >= self.queue > 0:
            raise JobError("queue-full", count=self.queue)
        if sum(whose == owner for whose, _ in waiting) >= self.waiting > 0:
            raise JobError("waiting-own", count=self.waiting)
        share = self.of_one_address(self.queue)
        if address and sum(where == address for _, where in waiting) >= share > 0:
            raise JobError("waiting-address", count=share)


class Starts:
    """The runs started within the last minute, by whom and from where."""

    def __init__(self) -> None:
        self._made: deque[tuple[float, str, str]] = deque()

    def add(self, owner: str, address: str = "") -> None:
        """Note that `owner` has started a run from a network address ("": not known)."""
        self._made.append((time.monotonic(), owner, address))

    def check(self, owner: str, limits: Limits, address: str = "") -> None:
        """Whether `owner` may start one more now.

        Raises:
            JobError: not yet.
        """
        while self._made and time.monotonic() - self._made[0][0] >= MINUTE:
            self._made.popleft()
        own = [when for when, whose, _ in self._made if whose == owner]
        near = [when for when, _, where in self._made if address and where == address]
        everyone = [when for when, _, _ in self._made]
        share = limits.of_one_address(limits.all_starts)
        if limits.starts and len(own) >= limits.starts:
            raise JobError("starts-own", count=len(own), seconds=_left(own[-limits.starts]))
        if share and len(near) >= share:
            raise JobError("starts-address", count=len(near), seconds=_left(near[-share]))
        if limits.all_starts and len(everyone) >= limits.all_starts:
            raise JobError("starts-all", seconds=_left(everyone[-limits.all_starts]))


def _left(when: float) -> int:
    """Seconds until a start at `when` is a minute ago."""
    return max(1, math.ceil(when + MINUTE - time.monotonic()))
