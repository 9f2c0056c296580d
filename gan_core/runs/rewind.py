"""What a run loses when it goes back to a checkpoint, as its files tell it: a line `{"back_to": STEP}`.

It stands where the run went back: of the lines before it in the same file, those of a later step are lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

BACK_TO = "back_to"


def rewound_to(record: dict[str, Any]) -> float | None:
    """The step that the run went back to here; None for every other line."""
    return _step(record, BACK_TO)


def surviving(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records that are not lost, in their order, without the lines that say so."""
    kept: list[dict[str, Any]] = []
    for record in records:
        back = rewound_to(record)
        if back is None:
            kept.append(record)
            continue
        while kept and beyond(kept[-1], back):  # they are in order of steps
            kept.pop()
    return kept


def beyond(record: dict[str, Any], step: float) -> bool:
    """Whether the record is of a later step."""
    own = _step(record, "step")
    return own is not None and own > step


def _step(record: dict[str, Any], name: str) -> float | None:
    value = record.get(name)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
