"""MNIST and the sets published in its form: two pairs of idx files, of 28 x 28 grey pictures in ten classes.

They are read here rather than by torchvision, whose import takes longer than all the rest.
"""

from __future__ import annotations

import functools
import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.data.download import fetch
from gan_core.data.source import Arrays, DataSource, locate
from gan_core.errors import DataError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CLOTHES = "T-shirt,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"


def read(folder: Path, split: str) -> Arrays:
    """All pictures, uint8 (N, 28, 28, 1), and labels, int64 (N,), of the idx files in `folder`.

    Raises:
        DataError: a file is missing or damaged.
    """
    names = FILES[:2] if split == "train" else FILES[2:]
    pictures, labels = (read_idx(locate(folder, name) or folder / name) for name in names)
    if pictures.shape[1:] != (28, 28) or labels.shape != pictures.shape[:1]:
        raise DataError("data-apart", split=split, folder=folder)
    return pictures[..., None], labels.astype(np.int64)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The bytes of an idx file, plain or .gz, in its own shape.

    Raises:
        DataError: not an idx file of bytes, or cut short.
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("data-unreadable", path=path, reason=error) from error
    axes = data[3] if data[:3] == b"\x00\x00\x08" and len(data) > 3 else 0  # 08: unsigned bytes
    shape = [int.from_bytes(data[4 * i : 4 * i + 4], "big") for i in range(1, axes + 1)]
    if not axes or len(data) != 4 + 4 * axes + math.prod(shape):
        raise DataError("data-short", path=path)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _source(name: str, kind: str, **about: Any) -> DataSource:
    """A row whose files lie in, and are fetched into, torchvision's folder for its class `kind`."""
    folder = f"{kind}/raw"
    return DataSource(
        name=name,
        channels=1,
        native_size=28,
        count=60_000,
        downloads=True,
        read=read,
        folder=folder,
        files=FILES,
        fetch=functools.partial(fetch, kind, folder, FILES),
        **about,
    )


MNIST = _source(
    "mnist",
    "MNIST",
    title="MNIST",
    classes=tuple("0123456789"),
    licence="CC BY-SA 3.0",
    origin="http://yann.lecun.com/exdb/mnist/ (LeCun, Cortes and Burges)",
    summary="70,000 handwritten digits; the fastest to learn.",
)

FASHION_MNIST = _source(
    "fashion-mnist",
    "FashionMNIST",
    title="Fashion-MNIST",
    classes=tuple(CLOTHES.split(",")),
    licence="MIT",
    origin="https://github.com/zalandoresearch/fashion-mnist (Xiao, Rasul and Vollgraf 2017)",
    summary="70,000 small photographs of clothes, shoes and bags.",
    system="/usr/share/datasets/fashion-mnist",
)

KMNIST = _source(
    "kmnist",
    "KMNIST",
    title="Kuzushiji-MNIST",
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    licence="CC BY-SA 4.0",
    origin="http://codh.rois.ac.jp/kmnist/ (Clanuwat and others 2018)",
    summary="70,000 cursive Japanese characters from old books.",
)
