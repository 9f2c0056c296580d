"""The lines of metrics.jsonl, scores.jsonl and verdicts.jsonl, whatever state they are in. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gan_core import safe_read
from gan_core.old_names import RECORDS, renamed

READ_MOST = 4 << 20  # bytes at a time, so that a file without end costs no more memory than any other
SCORES_MOST = 8 << 20  # of the scores, or the verdicts: one a minute for two weeks
ALL_MOST = 128 << 20  # bytes of one file that are read in all: a week of training


def read_lines(path: Path, offset: int = 0, most: int = READ_MOST) -> tuple[list[dict[str, Any]], int]:
    """Records of a run's JSONL file from byte `offset` on, and the offset to go on from.

    Only whole lines are read, `most` bytes of them at a time: one that is still being written is left for the
    next call, one that a kill has torn or that is longer than that is skipped. Numbers that are not finite
    are None. A file that became shorter than `offset` is read anew from its beginning.
    """
    try:
        with safe_read.open_regular(path, path.parent.parent) as stream:
            size = stream.seek(0, 2)
            start = stream.seek(offset if 0 <= offset <= size else 0)
            data = stream.read(most)
    except OSError:
        return [], 0
    end = data.rfind(b"\n") + 1
    if not end and len(data) == most:
        return [], start + most
    records = (_record(line) for line in data[:end].splitlines())
    return [renamed(record, RECORDS) for record in records if record], start + end


def read_all(path: Path, most: int = ALL_MOST) -> Iterator[dict[str, Any]]:
    """All records of a run's JSONL file, one after the other; of a larger file those in its first `most`
    bytes."""
    offset, before = 0, -1
    while before < offset < most:
        before = offset
        records, offset = read_lines(path, offset)
        yield from records


def number(record: dict[str, Any], name: str, otherwise: float) -> float:
    """The number `name` of a record; `otherwise` where there is none."""
    value = record.get(name)
    return float(value) if safe_read.is_finite(value) else otherwise


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        value = safe_read.parse_json(line)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    return {name: one if safe_read.is_plain(one) else None for name, one in value.items()}
