"""Stacked MNIST: three digits at once, one as red, one as green, one as blue: a thousand classes.

Made from MNIST's own files. Each digit of a split is used once in each colour, in three fixed random orders,
so there are as many pictures as in MNIST. (The papers draw theirs anew; the shares of the classes are alike.)

Source: Srivastava et al. 2017, arXiv 1705.07761, section 4.2, after Metz et al. 2017, arXiv 1611.02163.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_core.data import mnist
from gan_core.data.source import Arrays, DataSource


def read(folder: Path, split: str) -> Arrays:
    """The pictures of `split`, uint8 (N, 28, 28, 3), and 100 r + 10 g + b for their digits, int64 (N,).

    Raises:
        DataError: a file of MNIST is missing or damaged.
    """
    digits, labels = mnist.read(folder, split)
    random = np.random.default_rng(0)
    orders = [random.permutation(len(digits)) for _ in range(3)]
    pictures = np.concatenate([digits[order] for order in orders], axis=3)  # (N, 28, 28, 3)
    red, green, blue = (labels[order] for order in orders)
    return pictures, 100 * red + 10 * green + blue


STACKED_MNIST = DataSource(
    name="stacked-mnist",
    title="Stacked MNIST",
    channels=3,
    native_size=28,
    count=mnist.MNIST.count,
    classes=tuple(f"{number:03}" for number in range(1000)),
    licence=mnist.MNIST.licence,
    origin="made from MNIST, as in Srivastava et al. 2017, arXiv 1705.07761",
    summary="Three digits at once, one a colour: a thousand classes, of which a generator forgets many.",
    downloads=True,
    read=read,
    folder=mnist.MNIST.folder,
    files=mnist.FILES,
    fetch=mnist.MNIST.fetch,
    recipe="1",
)
