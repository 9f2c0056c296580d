"""What the library says, as data: a code and values, put into words only where a person reads them.

`messages.json` holds the English of every code; its {places} are filled in by Python's format language. A
value that is a text may have words of its own, the row `PLACE.VALUE`: "state.queued". A page in another
language brings a table of the same codes (`studio/text/messages.json`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

ENGLISH: Mapping[str, str] = MappingProxyType(
    json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
)


@dataclass(frozen=True, init=False)
class Message:
    """One sentence as data. `values` are plain JSON: what is none, such as a path, is kept as its text.

    str() gives the English. What concerns a setting names it in the value `field`.
    """

    code: str
    values: dict[str, Any]

    def __init__(self, code: str, /, **values: object) -> None:
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "values", {name: _plain(value) for name, value in values.items()})

    @property
    def field(self) -> str:
        """The setting that it is about; "" where it is about none."""
        return str(self.values.get("field", ""))

    def __str__(self) -> str:
        return render([self])


def is_message(value: object) -> bool:
    """Whether a JSON value is a message."""
    fields = value if isinstance(value, dict) else {}
    return isinstance(fields.get("code"), str) and isinstance(fields.get("values"), dict)


def render(messages: Iterable[Message], table: Mapping[str, str] = ENGLISH, gap: str = " ") -> str:
    """The sentences of `messages` by the words of `table`, `gap` between them."""
    return gap.join(_sentence(message, table) for message in messages)


def _sentence(message: Message, table: Mapping[str, str]) -> str:
    words = {place: _words(place, value, table) for place, value in message.values.items()}
    try:
        return table[message.code].format(**words)
    except (LookupError, ValueError, TypeError, ArithmeticError):  # of a newer version, or damaged
        return " ".join(map(str, (message.code, *words.values())))


def _words(place: str, value: Any, table: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return ", ".join(str(_words(place, one, table)) for one in value) or table["list.empty"]
    return table.get(f"{place}.{value}", value) if isinstance(value, str) else value


def _plain(value: object) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)
