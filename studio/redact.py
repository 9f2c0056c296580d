"""What a message says to a visitor: the names of files, not where on this machine they lie.

A path below the folder in which the server was started is shown from there on: so the command that a message
names still works for whoever started it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path, PurePath
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
        value = _short(value)  # as a whole: its folders may have spaces in their names
    value = _PATH.sub(lambda found: _short(found[0]), value)
    return value if len(value) <= LONGEST else value[:LONGEST] + "…"


def _short(path: str) -> str:
    with contextlib.suppress(ValueError):
        return str(PurePath(path).relative_to(Path.cwd()))
    return re.split(r"[\\/]+", path.rstrip("\\/"))[-1] or path
