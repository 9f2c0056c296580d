"""Writes that survive a kill at any byte: a reader sees the old file or the new one, never half of one.

A kill leaves to the system what it was handed; a power cut loses what the system had not yet put on the disk,
and what it puts there first is often the name: a file of 0 bytes under its final name. What must survive that
too is written `durable`: the contents reach the disk before the name does, and the name before we go on.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[Path]:
    """Give a scratch path beside `path`; what stands there at the end takes its place in one move.

    The scratch may become a file or a directory, which takes no other one's place. On an error it is removed
    and `path` stays as it was. When it is `durable`, the new one has reached the disk at the end.
    """
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield scratch
        if durable:
            sync(scratch)
        _move(scratch, path)
        if durable:
            _sync_one(path.parent)
    finally:
        if scratch.is_dir():
            shutil.rmtree(scratch, ignore_errors=True)
        else:
            scratch.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes, durable: bool = False) -> None:
    """Replace the contents of `path` atomically."""
    with replacing(path, durable) as scratch:
        scratch.write_bytes(data)


def write_json(path: Path, value: Any, durable: bool = False) -> None:
    """Replace `path` atomically with `value` as readable JSON."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode(), durable)


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


def keep(path: Path, backup: Path) -> None:
    """Keep the contents of `path`, which are on the disk, as `backup`, whatever takes the place of `path`."""
    with replacing(backup) as scratch:
        try:
            scratch.hardlink_to(path)  # a second name for the same bytes: nothing to wait for
        except OSError:  # not every file system knows such names
            shutil.copyfile(path, scratch)
            sync(scratch)


def sync(path: Path) -> None:
    """Wait until `path`, a directory with all that is in it, is on the disk and not only on its way there."""
    if path.is_symlink():  # its own contents are the folder's
        return
    if path.is_dir():
        for inner in path.iterdir():
            sync(inner)
    _sync_one(path)


def _sync_one(path: Path) -> None:
    folder = path.is_dir()
    if folder and os.name == "nt":  # keeps the names of files by itself, and opens no folder
        return
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not folder or error.errno not in (errno.EINVAL, errno.ENOTSUP):  # not every network folder can
            raise
    finally:
        os.close(descriptor)


def _move(source: Path, target: Path) -> None:
    for _ in range(20 if os.name == "nt" else 0):
        try:
            source.replace(target)
            return
        except PermissionError:  # Windows, while a reader has the file open: a matter of milliseconds
            time.sleep(0.01)
    source.replace(target)
