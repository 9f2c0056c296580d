"""Whose turn it is: visitors take turns, however many runs one of them has waiting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

REMEMBERED = 1000  # visitors


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A run that waits: when it was asked for (unix seconds), its id, whose it is."""

    asked: float
    id: str
    owner: str


class Turns:
    """Round robin by owner: first those who were served least recently, each with the oldest run.

    Who was served is known since this process began; a restart costs somebody a turn at most.
    """

    def __init__(self) -> None:
        self._served: dict[str, int] = {}
        self._count = 0

    def record(self, owner: str) -> None:
        """Note that a run of `owner` begins now."""
        self._count += 1
        self._served.pop(owner, None)
        self._served[owner] = self._count
        if len(self._served) > REMEMBERED:
            del self._served[next(iter(self._served))]  # the one served longest ago

    def order(self, waiting: Iterable[Waiting], training: Iterable[str] = ()) -> list[str]:
        """Ids of the runs that wait, in the order in which they will begin; `training`: whose train now."""
        served, count = dict(self._served), self._count
        for owner in training:
            served.setdefault(owner, 0)  # by another server, before this one: after those never served
        left, order = sorted(waiting), list[str]()
        while left:
            run = min(left, key=lambda run: served.get(run.owner, -1))  # of equals the one asked for first
            left.remove(run)
            order.append(run.id)
            served[run.owner] = count = count + 1
        return order
