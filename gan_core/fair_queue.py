"""Whose turn it is: visitors take turns, however many runs one of them has waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

REMEMBERED = 1000  # visitors, addresses, runs


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A run that waits: when it was asked for (unix seconds), its id, whose it is, from which network address
    ("": not known)."""

    asked: float
    id: str
    owner: str
    address: str = ""

    @property
    def keys(self) -> tuple[str, str]:
        """Who takes turns: addresses, and at each of them owners: a token is had for nothing."""
        return _keys(self.owner, self.address)


class Visitors:
    """Whose each run is, as `read_owner` says of its id, and from where it was asked for, as far as this
    process was asked."""

    def __init__(self, read_owner: Callable[[str], str]) -> None:
        self._read_owner = read_owner
        self._owners: dict[str, str] = {}
        self._addresses: dict[str, str] = {}

    def add(self, id: str, address: str) -> None:
        """Note that a run was asked for from a network address ("": not known)."""
        _keep(self._addresses, id, address)

    def owner(self, id: str) -> str:
        """Whose run it is; that never changes."""
        if id not in self._owners:
            _keep(self._owners, id, self._read_owner(id))
        return self._owners[id]

    def address(self, id: str) -> str:
        """Where it was asked for; "" where that is not known."""
        return self._addresses.get(id, "")


def _keep(known: dict[str, str], id: str, value: str) -> None:
    known[id] = value
    if len(known) > REMEMBERED:
        del known[next(iter(known))]


class Turns:
    """Round robin by address, and at one address by owner: first those who were served least recently, each
    with the oldest run.

    Who was served is known since this process began; a restart costs somebody a turn at most.
    """

    def __init__(self) -> None:
        self._served: dict[str, int] = {}
        self._count = 0

    def record(self, owner: str, address: str = "") -> None:
        """Note that a run of `owner` begins now."""
        self._count += 1
        for key in _keys(owner, address):
            self._served.pop(key, None)
            self._served[key] = self._count
        while len(self._served) > REMEMBERED:
            del self._served[next(iter(self._served))]  # the one served longest ago

    def order(self, waiting: Iterable[Waiting], training: Iterable[str] = ()) -> list[str]:
        """Ids of the runs that wait, in the order in which they will begin; `training`: whose train now."""
        served, count = dict(self._served), self._count
        for owner in training:
            served.setdefault(owner, 0)  # by another server, before this one: after those never served
        left, order = sorted(waiting), list[str]()
        while left:  # of equals the one asked for first
            run = min(left, key=lambda run: [served.get(key, -1) for key in run.keys])
            left.remove(run)
            order.append(run.id)
            count += 1
            served |= dict.fromkeys(run.keys, count)
        return order


def _keys(owner: str, address: str) -> tuple[str, str]:
    return address or owner, owner
