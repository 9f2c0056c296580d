"""Writes that survive a kill at any byte: a reader sees the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a scratch path beside `path`; what stands there at the end takes its place in one move.

    The scratch may become a file or a directory, which takes no other one's place. On an error it is removed
    and `path` stays as it was.
    """
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield scratch
        _move(scratch, path)
    finally:
        if scratch.is_dir():
            shutil.rmtree(scratch, ignore_errors=True)
        else:
            scratch.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the contents of `path` atomically."""
    with replacing(path) as scratch:
        scratch.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Replace `path` atomically with `value` as readable JSON."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def append_json(path: Path, value: Any) -> None:
    """Append `value` as one line of JSON and hand it to the system at once.

    A line torn by an earlier kill is closed first, so that it spoils itself only.
    """
    with path.open("a+b") as stream:  # wherever it reads, it writes at the end
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read() != b"\n":
                stream.write(b"\n")
        stream.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")


def _move(source: Path, target: Path) -> None:
    for _ in range(20 if os.name == "nt" else 0):
        try:
            source.replace(target)
            return
        except PermissionError:  # Windows, while a reader has the file open: a matter of milliseconds
            time.sleep(0.01)
    source.replace(target)
