"""Each (data set, size, split) is brought to its final form once, into one file that is mapped into memory.

The file is a safetensors file of `labels`, int64 (N,), and `images`, uint8 (N, C, size, size) or float32 for
points, so any other program can read it too. Its name carries the state of the source's files: when those
change, another is made.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.data.source import Arrays, DataSource
from gan_core.errors import DataError
from gan_core.files import replacing

FORMAT = 1  # counted up when `fit` gives other pictures than before
CHUNK = 2000
KINDS = {"U8": np.uint8, "F32": np.float32}  # safetensors' names


def cache_folder() -> Path:
    """Where prepared files are kept: GAN_CACHE, else this system's place for a user's caches."""
    if given := os.environ.get("GAN_CACHE"):
        return Path(given)
    try:
        home = Path.home()
    except RuntimeError:  # a user without a home
        home = Path(tempfile.gettempdir())
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or home / ".cache"
    return Path(base) / "gan_core"


def prepared(source: DataSource, folder: Path, size: int, split: str) -> Arrays:
    """Pictures (N, C, size, size), a read-only memory map, and labels int64 (N,); made when missing.

    A file that is cut short or not ours is made again. Two processes may do so at once: both write the same,
    and each file appears whole.

    Raises:
        DataError: the source's files are damaged or empty, or the cache cannot be written.
    """
    path = cache_folder() / f"{source.name}-{size}-{split}-{_state(source, folder)}.safetensors"
    if (ready := _open(path)) is not None:
        return ready
    images, labels = source.read(folder, split)
    if len(images) == 0:
        raise DataError("data-empty", title=source.title, folder=folder)
    try:
        _write(path, images, labels, size)
    except OSError as error:
        if (ready := _open(path)) is not None:  # Windows keeps a file that another process has mapped
            return ready
        reason = error.strerror or error
        raise DataError("data-cache", folder=path.parent, reason=reason) from error
    ready = _open(path)
    if ready is None:
        raise DataError("data-torn", path=path)
    return ready


def fit(images: NDArray[Any], size: int) -> NDArray[Any]:
    """(N, H, W, C) as (N, C, size, size): 28 pixels stay or get a black border of 2; the rest is
    bicubic."""
    pictures = bordered(images.transpose(0, 3, 1, 2), size)
    if pictures.shape[2:] == (size, size):
        return np.ascontiguousarray(pictures)
    import torch

    resized = torch.nn.functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(pictures)), (size, size), mode="bicubic", antialias=True
    )  # (N, C, size, size)
    return np.ascontiguousarray(resized.numpy())


def bordered(pictures: NDArray[Any], size: int) -> NDArray[Any]:
    """Pictures (N, C, H, W) on their way to `size` pixels: those of 28 with a black border of 2, so 32.

    Any other is left as it is. Made pictures of 28 pixels must go the same way to be compared with real ones.
    """
    margin = 2 if pictures.shape[2] == 28 != size else 0
    return np.pad(pictures, ((0, 0), (0, 0), (margin, margin), (margin, margin)))


def _state(source: DataSource, folder: Path) -> str:
    """Twelve letters that change when the source's files, or what is made of them, change."""
    seen: list[Any] = [FORMAT, source.recipe]
    for path in source.found(folder) or []:
        about = path.stat()
        seen.append([str(path.resolve()), about.st_size, about.st_mtime_ns])
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:12]


def _write(path: Path, images: NDArray[Any], labels: NDArray[np.int64], size: int) -> None:
    count, channels = len(images), images.shape[3]
    middle, end = 8 * count, 8 * count + count * channels * size**2 * images.itemsize
    kind = next(name for name, dtype in KINDS.items() if dtype == images.dtype)
    about = {
        "labels": {"dtype": "I64", "shape": [count], "data_offsets": [0, middle]},
        "images": {"dtype": kind, "shape": [count, channels, size, size], "data_offsets": [middle, end]},
    }
    header = json.dumps(about).encode()
    header += b" " * (-len(header) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch, scratch.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header + labels.astype("<i8").tobytes())
        for start in range(0, count, CHUNK):
            stream.write(fit(images[start : start + CHUNK], size).data)


def _open(path: Path) -> Arrays | None:
    """What `_write` wrote; None where there is no such file or it is not whole."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            about = json.loads(stream.read(min(length, 4096)))
        middle, end = about["images"]["data_offsets"]
        shape, kind = tuple(about["images"]["shape"]), np.dtype(KINDS[about["images"]["dtype"]])
        if path.stat().st_size == 8 + length + end and end - middle == np.prod(shape) * kind.itemsize:
            images = np.memmap(path, kind, "r", offset=8 + length + middle, shape=shape)
            labels = np.fromfile(path, "<i8", shape[0], offset=8 + length).astype(np.int64)
            return images, labels
    return None
