"""What a message says to a visitor: the names of files, not where on this machine they lie."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from gan_core.messages import Message

LONGEST = 500  # letters of one value; a visitor's own text comes back in the sentence that refuses it
# two or more folders from the root on, but not within an address of the web
_PATH = re.compile(r"""(?<![\w:/.~\\-])(?:~|[A-Za-z]:)?(?:[\\/]+[^\s\\/:'"`,;<>()]+){2,}[\\/]?""")


def redact(messages: Iterable[Message]) -> list[Message]:
    """`messages` with the last name of each path in place of the path, and no value without end."""
    return [Message(told.code, **{name: _plain(value) for name, value in told.values.items()})
            for told in messages]  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if not isinstance(value, str):
        return value
    if "\n" not in value and PurePath(value).is_absolute():
        value = PurePath(value).name or value  # as a whole: its folders may have spaces in their names
    value = _PATH.sub(lambda found: re.split(r"[\\/]+", found[0].rstrip("\\/"))[-1], value)
    return value if len(value) <= LONGEST else value[:LONGEST] + "…"
