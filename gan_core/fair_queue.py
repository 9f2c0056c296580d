"""Whose turn it is: visitors take turns, however many runs one of them has waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
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

    def serve(self, owner: str) -> None:
        """Note that a run of `owner` begins now."""
        self._count += 1
        self._served.pop(owner, None)
        self._served[owner] = self._count
        if len(self._served) > REMEMBERED:
            del self._served[next(iter(self._served))]  # the one served longest ago

    def order(self, waiting: Iterable[Waiting], training: Collection[str] = ()) -> list[str]:
        """Ids of the runs that wait, in the order in which they will begin; `training`: whose train now."""
        taken = Counter(training)
        keyed: list[tuple[int, int, Waiting]] = []
        for run in sorted(waiting):
            keyed.append((taken[run.owner], self._served.get(run.owner, 0), run))
            taken[run.owner] += 1
        return [run.id for _, _, run in sorted(keyed)]
