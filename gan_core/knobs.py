"""What is known about one setting, and how a value for it is read and checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gan_core.errors import Problem


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


def unknown_names(names: Iterable[str], known: Iterable[str], what: str) -> list[Problem]:
    """A `Problem` with "did you mean" for each of `names` that is not in `known`."""
    known = list(known)
    return [
        Problem(name, name, f"There is no {what} named {name!r}{did_you_mean(name, known)}")
        for name in names if name not in known
    ]  # fmt: skip


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence: the nearest known name, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}."


def convert(name: str, value: object, plain: type, optional: bool) -> Any:
    """`value`, from a flag, a form or JSON, as the setting's own type.

    Raises:
        ValueError: one sentence, for what cannot be read as one.
    """
    if optional and (value is None or value == ""):
        return None
    wrong = f"{name} is {value!r}, which is not {_article(plain)}."
    if plain is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() not in words:
            raise ValueError(wrong)
        return words[str(value).lower()]
    if plain is str:
        if not isinstance(value, str):
            raise ValueError(wrong)
        return value
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ValueError(wrong) from None
    if isinstance(value, bool) or number != number or number in (float("inf"), float("-inf")):
        raise ValueError(wrong)
    if plain is int and number != int(number):
        raise ValueError(wrong)
    return plain(number)


def _article(plain: type) -> str:
    return {bool: "true or false", str: "text", int: "a whole number", float: "a number"}[plain]


def range_problem(name: str, value: Any, about: Knob) -> str | None:
    """The sentence on a value beyond the setting's choices or range; None for one within."""
    if value is None:
        return None
    if about.choices and value not in about.choices:
        known = [str(choice) for choice in about.choices]
        return f"{name} is {value!r}, allowed are {', '.join(known)}."
    if about.low is not None and about.high is not None and not about.low <= value <= about.high:
        hint = ""
        if about.scale == "log" and value > about.high:
            hint = f" Did you mean {_shrink(value, about.high):g}?"
        return f"{name} is {_plain(value)}, allowed are {_plain(about.low)} to {_plain(about.high)}.{hint}"
    return None


def _plain(number: float) -> str:
    """A number as people write it: 100,000,000 and 0.1."""
    return f"{number:,.12g}" if abs(number) < 1e12 else f"{number:g}"


def _shrink(value: float, high: float) -> float:
    """A value too large by some powers of ten, brought a decade below the limit: 9 becomes 0.009."""
    while value >= high / 10:
        value /= 10
    return value
