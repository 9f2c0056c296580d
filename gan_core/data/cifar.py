"""CIFAR-10: small colour photographs."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from gan_core.data.download import fetch
from gan_core.data.source import Arrays, DataSource
from gan_core.errors import DataError

FOLDER = "cifar-10-batches-py"
FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")


def read(folder: Path, split: str) -> Arrays:
    """All pictures, uint8 (N, 32, 32, 3), and labels, int64 (N,).

    The files are pickles: torchvision opens them only after their check sums have been found right.

    Raises:
        DataError: a file is not the published one.
    """
    from torchvision.datasets import CIFAR10

    try:
        data = CIFAR10(folder.parent, train=split == "train", download=False)
    except RuntimeError as error:
        raise DataError("data-damaged", folder=folder) from error
    return np.asarray(data.data, np.uint8), np.asarray(data.targets, np.int64)


CIFAR10 = DataSource(
    name="cifar10",
    title="CIFAR-10",
    channels=3,
    native_size=32,
    count=50_000,
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    licence="none stated; free for research",
    origin="https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky 2009)",
    summary="60,000 small colour photographs of animals and vehicles; slow to learn.",
    downloads=True,
    read=read,
    folder=FOLDER,
    files=FILES,
    fetch=functools.partial(fetch, "CIFAR10", FOLDER, FILES),
)
