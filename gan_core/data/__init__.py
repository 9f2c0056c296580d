"""Data sets by name, as arrays of bytes ready for training.

    pictures = load("glyphs", size=32)
    pictures.images     # uint8 (N, C, 32, 32), a read-only memory map
    pictures.labels     # int64 (N,)

To add one: a file with a `DataSource` beside these, and its line in `DATASETS`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.data import cifar, glyphs, mnist, points, stacked
from gan_core.data.prepare import prepared
from gan_core.data.source import DataSource, locate
from gan_core.errors import DataError
from gan_core.knobs import unknown_names

__all__ = ["DATASETS", "DataSource", "Pictures", "available", "load", "require"]

DATASETS: dict[str, DataSource] = {
    "mnist": mnist.MNIST,
    "fashion-mnist": mnist.FASHION_MNIST,
    "kmnist": mnist.KMNIST,
    "cifar10": cifar.CIFAR10,
    "glyphs": glyphs.SOURCE,
    "stacked-mnist": stacked.STACKED_MNIST,
    "ring": points.RING,
    "grid": points.GRID,
}


@dataclass(frozen=True)
class Pictures:
    """One split of a data set: `images` uint8 (N, C, size, size), read-only, and `labels` int64 (N,).

    Points are "pictures" of one pixel with two channels, x and y: `images` float32 (N, 2, 1, 1) in [-1, 1],
    because 256 steps would be as coarse as their clouds are wide.
    """

    source: DataSource
    images: NDArray[Any]
    labels: NDArray[np.int64]


def available(name: str, root: str = "") -> bool:
    """Whether `load` would need no download; looks for files and opens none. `root` as for `load`.

    Raises:
        DataError: there is no data set of this name.
    """
    source = _source(name)
    return _folder(source, root) is not None


def require(name: str, root: str = "") -> None:
    """Raises `DataError` where `load` would: there is no data set of this name, or its files are not here."""
    if not available(name, root):
        raise _missing(_source(name), root)


def load(
    name: str, *, size: int = 32, split: str = "train", root: str = "", download: bool = False
) -> Pictures:
    """The pictures of a data set at `size` x `size`, prepared at the first call and mapped from then on.

    `split` is "train" or "test". `root` is the folder that holds MNIST/raw and the like; when empty it is
    GAN_DATA or ./data; for Fashion-MNIST the folder of the system's package is looked at last. `download`
    fetches what is missing into it. Points are the same at every size.

    Raises:
        DataError: an unknown name, files that are missing or damaged, or a download that failed.
    """
    if split not in ("train", "test"):
        raise DataError("split-unknown", name=split)
    source = _source(name)
    folder = _folder(source, root)
    if folder is None and download and source.fetch:
        source.fetch(_root(root))
        folder = _folder(source, root)
    if folder is None:
        raise _missing(source, root)
    images, labels = prepared(source, folder, source.native_size if source.kind == "points" else size, split)
    return Pictures(source, images, labels)


def _source(name: str) -> DataSource:
    if problems := unknown_names([name], DATASETS, "datasets"):
        raise DataError.of(problems)
    return DATASETS[name]


def _root(root: str) -> Path:
    return Path(root or os.environ.get("GAN_DATA") or "data").expanduser().resolve()


def _places(source: DataSource, root: str) -> list[Path]:
    """Folders that may hold the files, the one asked for first, the system's own last."""
    places = [_root(root) / source.folder]
    if source.system:
        places.append(Path(source.system))
    return places


def _folder(source: DataSource, root: str) -> Path | None:
    """The first folder with all files, if any; one that makes its pictures is at home everywhere."""
    return next((place for place in _places(source, root) if source.found(place) is not None), None)


def _missing(source: DataSource, root: str) -> DataError:
    places = _places(source, root)
    name = next(name for name in source.files if locate(places[0], name) is None)
    into = f" --data-root {root}" if root else ""
    about = {
        "title": source.title, "file": name, "place": places[0], "folder": source.folder,
        "command": f"python -m gan_core datasets --download {source.name}{into}",
    }  # fmt: skip
    if len(places) > 1:
        return DataError("data-missing-system", other=places[1], **about)
    return DataError("data-missing", **about)
