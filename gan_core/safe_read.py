"""Reading what anybody may have written: regular files only, inside their folder, no more than so many bytes.

A run's folder may come from a stranger, be damaged, or be changed while it is read. A link may lead to a
system file, a pipe keeps its reader waiting for ever, a sparse file has no end, and JSON may hold numbers
that no answer can carry. Whatever opens a file below the folder of runs opens it here. Needs no torch.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

OUTSIDE = "it leads out of its folder"
IRREGULAR = "it is no regular file"
LARGE = "it is too large"
REASONS = (OUTSIDE, IRREGULAR, LARGE)  # why a file is not read: the text of an OSError, with words of its own

HEADER_LIMIT = 1 << 20  # bytes of a safetensors header; the format itself would allow a hundred times as many
TRIES = 20  # to open a file that is replaced again and again
DEPTH = 6  # lists and objects within each other in JSON of ours, at most
LARGEST = 1e18  # of a whole number in JSON of ours
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"))


def open_regular(path: Path, root: Path | None = None) -> BinaryIO:
    """Open a regular file for reading; with `root` only one that lies below it, all links followed.

    Raises:
        OSError: there is none, or it is not to be read, one of `REASONS`.
    """
    for _ in range(TRIES):
        if root is not None and not is_inside(path, root):
            break
        _check_regular(path.stat())  # before it is opened: opening a device may do something
        descriptor = os.open(path, _FLAGS)
        try:
            about = os.fstat(descriptor)
            _check_regular(about)
            if root is None or (is_inside(path, root) and _is_at(about, path)):
                return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another one took its place meanwhile: look at that one
    raise OSError(errno.ELOOP, OUTSIDE)


def read_bytes(path: Path, most: int, root: Path | None = None) -> bytes:
    """All of a file as `open_regular` opens it.

    Raises:
        OSError: as `open_regular`, or it is longer than `most` bytes.
    """
    with open_regular(path, root) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, LARGE)
    return data


def is_inside(path: Path, root: Path) -> bool:
    """Whether `path`, all links followed, lies below `root`."""
    return os.path.realpath(path).startswith(os.path.realpath(root).rstrip(os.sep) + os.sep)


def _is_at(about: os.stat_result, path: Path) -> bool:
    """Whether this very file is the one that `path` leads to now."""
    try:
        return os.path.samestat(about, path.stat())
    except OSError:
        return False


def _check_regular(about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, IRREGULAR)


def parse_json(data: bytes | str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none, holds half a character, which nobody could be sent, or is nested so deeply
            that reading it would end the program.
    """
    try:
        value = json.loads(data)
        if not data.isascii() or (b"\\u" if isinstance(data, bytes) else "\\u") in data:  # type: ignore[operator]
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value


def is_finite(value: object) -> TypeGuard[float]:
    """Whether a value of JSON is a finite number of sensible size."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= LARGEST
    return isinstance(value, float) and math.isfinite(value)


def is_plain(value: object, depth: int = DEPTH) -> bool:
    """Whether a value of JSON can be handed on to anybody: all its numbers finite, and not nested deeply."""
    if isinstance(value, (dict, list)):
        parts = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(is_plain(part, depth - 1) for part in parts)
    return value is None or isinstance(value, (str, bool)) or is_finite(value)


def read_layout(stream: BinaryIO) -> tuple[dict[str, str], dict[str, tuple[str, tuple[int, ...]]]]:
    """(text header, tensor name -> (type, shape)) of a safetensors file, none of its numbers read.

    The tensors must fill the file to its last byte, without gaps: of a file that lost its end, or all of its
    contents, in a power cut, they do not.

    Raises:
        ValueError: it is no whole safetensors file.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    length = int.from_bytes(stream.read(8), "little")
    if not 8 < 8 + length <= size:
        raise ValueError("it is empty" if size == 0 else "it is cut short")
    if length > HEADER_LIMIT:
        raise ValueError("its header is too long")
    header = parse_json(stream.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    text = header.pop("__metadata__", None) or {}
    if not isinstance(text, dict) or not all(isinstance(value, str) for value in text.values()):
        raise ValueError("its header holds something else than text")
    return text, _shapes(header, size - 8 - length)


def _shapes(header: dict[str, Any], size: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    try:
        spans = sorted((int(row["data_offsets"][0]), int(row["data_offsets"][1])) for row in header.values())
        shapes = {name: (str(row["dtype"]), tuple(map(int, row["shape"]))) for name, row in header.items()}
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise ValueError("its header is damaged") from error
    end = 0
    for begin, until in spans:
        if begin != end or until < begin:
            raise ValueError("its tensors overlap or leave gaps")
        end = until
    if end != size:
        raise ValueError("it is cut short" if end > size else "it is longer than its tensors")
    return shapes
