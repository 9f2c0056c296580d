"""What is known about one setting, and how a value for it is read and checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gan_core.messages import Message

EMPTY = "none"  # the word for a setting that is left empty, where nothing can be typed as such


@dataclass(frozen=True, slots=True)
class Knob:
    """What is known about one setting besides its name, type and default."""

    help: str
    group: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    scale: str = "linear"  # "log" for what is chosen by powers of ten
    table: str = ""  # name of the table in gan_core.catalog whose keys are the choices
    unless: tuple[str, Any] | None = None  # (setting, value) with which this one means nothing
    only: tuple[str, tuple[Any, ...]] | None = None  # (setting, values) with which alone it means something
    local: bool = False  # about this machine: never taken from a visitor, never part of a recipe


def knob(default: Any, help: str, **about: Any) -> Any:
    """A dataclass field carrying a `Knob` (see there for `about`)."""
    return field(default=default, metadata={"knob": Knob(help=help, **about)})


def unknown_names(names: Iterable[str], known: Iterable[str], what: str, field: str = "") -> list[Message]:
    """For each of `names` that is not in `known`: the nearest known one, or all of them.

    `what` they are is a row of the words (`what.datasets`); `field` is the setting that asks for them, where
    they are not names of settings themselves.
    """
    known = sorted(known)
    return [_unknown(name, known, what, field or name) for name in names if name not in known]


def _unknown(name: str, known: list[str], what: str, field: str) -> Message:
    if near := nearest(name, known):
        return Message("unknown-near", field=field, what=what, name=name, near=near)
    return Message("unknown", field=field, what=what, name=name, known=known)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, if any."""
    return next(iter(difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.5)), None)


def convert(value: object, plain: type, optional: bool) -> Any:
    """`value`, from a flag, a form or JSON, as the setting's own type; "none" where it may be left empty.

    Raises:
        ValueError: it cannot be read as one.
    """
    if optional and value in (None, "", EMPTY):
        return None
    if plain is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() not in words:
            raise ValueError(value)
        return words[str(value).lower()]
    if plain is str:
        if not isinstance(value, str):
            raise ValueError(value)
        return value
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        raise ValueError(value) from None
    if isinstance(value, bool) or number != number or number in (float("inf"), float("-inf")):
        raise ValueError(value)
    if plain is int and number != int(number):
        raise ValueError(value)
    return plain(number)


def range_problem(name: str, value: Any, about: Knob) -> Message | None:
    """What is wrong with a value beyond the setting's choices or range; None for one within."""
    if value is None:
        return None
    if about.choices and value not in about.choices:
        return Message("not-a-choice", field=name, value=value, choices=about.choices)
    low, high = about.low, about.high
    if low is None or high is None or low <= value <= high:
        return None
    if about.scale == "log" and value > high:
        near = _shrink(value, high)
        return Message("out-of-range-near", field=name, value=value, low=low, high=high, near=near)
    return Message("out-of-range", field=name, value=value, low=low, high=high)


def _shrink(value: float, high: float) -> float:
    """A value too large by some powers of ten, brought a decade below the limit: 9 becomes 0.009."""
    while value >= high / 10:
        value /= 10
    return value
