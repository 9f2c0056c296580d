"""Each (data set, size, split) is brought to its final form once, into files that are mapped into memory.

They are NumPy's own: `...-images.npy`, uint8 (N, C, size, size) or float32 for points, and `...-labels.npy`,
int64 (N,). Their name carries the state of the source's files: when those change, others are made.

All together fill `cache_limit()` bytes at most: before a new one is made, those opened longest ago go.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gan_core.data.source import Arrays, DataSource
from gan_core.errors import DataError
from gan_core.files import replacing

MEGABYTE = 1_000_000
FORMAT = 2  # counted up when `fit` gives other pictures than before, or the files another form
CHUNK = 2000


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


def cache_limit() -> int:
    """Bytes that all prepared files together may fill: GAN_CACHE_MB, else 4,000 MB."""
    told = os.environ.get("GAN_CACHE_MB", "")
    return (int(told) if told.isdecimal() and len(told) < 10 else 4000) * MEGABYTE


def prepared(source: DataSource, folder: Path, size: int, split: str) -> Arrays:
    """Pictures (N, C, size, size), a read-only memory map, and labels int64 (N,); made when missing.

    Files that are cut short or not ours are made again. Two processes may do so at once: both write the same,
    and each file appears whole.

    Raises:
        DataError: the source's files are damaged or empty, or the cache cannot be written.
    """
    name = f"{source.name}-{size}-{split}-{_state(source, folder)}"
    paths = [cache_folder() / f"{name}-{part}.npy" for part in ("images", "labels")]
    if (ready := _open(*paths)) is not None:
        return ready
    images, labels = source.read(folder, split)
    if len(images) == 0:
        raise DataError("data-empty", title=source.title, folder=folder)
    need = len(images) * images.shape[3] * size * size * images.itemsize + labels.nbytes
    if need > cache_limit():
        figures = {"need": -(-need // MEGABYTE), "most": cache_limit() // MEGABYTE}
        raise DataError("data-cache-limit", title=source.title, size=size, **figures)
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        _make_room(need)
        _write_images(paths[0], images, size)
        with replacing(paths[1]) as scratch, scratch.open("wb") as stream:
            np.save(stream, labels)
    except OSError as error:
        if (ready := _open(*paths)) is not None:  # Windows keeps a file that another process has mapped
            return ready
        reason = error.strerror or error
        raise DataError("data-cache", folder=cache_folder(), reason=reason) from error
    ready = _open(*paths)
    if ready is None:
        raise DataError("data-torn", path=paths[0])
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

    Any other is left as it is. Generated pictures of 28 pixels must go the same way to be compared with real
    ones.
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


def _write_images(path: Path, images: NDArray[Any], size: int) -> None:
    """All of them as `fit` makes them, a few at a time.

    Written, not mapped: on a full disk a write raises an error, a map ends the process by a signal.
    """
    shape = (len(images), images.shape[3], size, size)
    about = {"descr": npy.dtype_to_descr(images.dtype), "fortran_order": False, "shape": shape}
    with replacing(path) as scratch, scratch.open("wb") as stream:
        npy.write_array_header_1_0(stream, about)
        for start in range(0, len(images), CHUNK):
            stream.write(fit(images[start : start + CHUNK], size).data)


def _open(*paths: Path) -> Arrays | None:
    """The images and the labels in these files; None where one is missing or not whole."""
    with contextlib.suppress(Exception):  # a damaged header, read as Python, can raise almost anything
        images, labels = (npy.open_memmap(path, mode="r") for path in paths)
        whole = all(path.stat().st_size == a.offset + a.nbytes for path, a in zip(paths, (images, labels)))
        if whole and len(images) == len(labels):
            _mark_used(paths)
            return images, np.array(labels)
    return None


def _mark_used(paths: Iterable[Path]) -> None:
    """By the time of its last change a file says when it was opened last."""
    for path in paths:
        with contextlib.suppress(OSError):  # another user's cache
            os.utime(path)


def _make_room(need: int) -> None:
    """Remove prepared sets, the one opened longest ago first, until `need` bytes more are within the limit.

    A run that has one mapped keeps what it has: its name goes, the bytes go with the run. (Windows keeps the
    name as well, and the file goes another time.)
    """
    there: dict[str, dict[Path, os.stat_result]] = {}  # images and labels go together
    for path in cache_folder().glob("*.npy"):
        there.setdefault(path.name.rpartition("-")[0], {})[path] = path.stat()
    total = sum(about.st_size for files in there.values() for about in files.values())
    for files in sorted(there.values(), key=lambda files: max(about.st_mtime_ns for about in files.values())):
        if total + need <= cache_limit():
            return
        for path, about in files.items():
            with contextlib.suppress(OSError):
                path.unlink()
                total -= about.st_size
