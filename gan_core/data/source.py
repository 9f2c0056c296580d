"""What a data set is: a row of the table `gan_core.data.DATASETS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Pictures, uint8 (N, H, W, C), or points, float32 (N, 1, 1, 2) in [-1, 1]; and labels, int64 (N,).
Arrays = tuple[NDArray[Any], NDArray[np.int64]]


@dataclass(frozen=True)
class Mixture:
    """Clouds of points in the plane: their middles, all equally likely, and how wide each is.

    `means` are in the units of the paper and `sigma` is the standard deviation along each axis; a network
    sees all of it divided by `reach`, so that it lies in [-1, 1].
    """

    means: tuple[tuple[float, float], ...]
    sigma: float
    reach: float


@dataclass(frozen=True)
class DataSource:
    """Where a data set's pictures come from, and how they are read.

    `kind` says what one of them is, see `config.KINDS`: all that draws or measures them goes by it.
    `native_size` is their side in pixels before any padding, `origin` where they were published.
    `read(folder, split)` gives all pictures of "train" or "test" at native size; `folder` is one that
    holds all `files`, each as it is or as .gz. A source that makes its pictures has no files, and counts
    `recipe` up when it makes others.
    """

    name: str
    title: str
    channels: int
    native_size: int
    classes: tuple[str, ...]
    licence: str
    origin: str
    summary: str
    downloads: bool
    read: Callable[[Path, str], Arrays]
    folder: str = ""  # below the data root
    files: tuple[str, ...] = ()
    system: str = ""  # a folder where the system's own package puts the files
    fetch: Callable[[Path], Any] | None = None  # downloads into a root, checked, or raises
    classifier_of: str = ""  # the set whose classifier reads these as well; "": its own, if there is one
    recipe: str = ""
    kind: str = "pictures"
    count: int = 0  # of "train", known before it is read; 0: not known
    mixture: Mixture | None = None  # of a source of points

    def found(self, folder: Path) -> list[Path] | None:
        """The data set's files in `folder`, plain or .gz; None unless all are there."""
        paths = [locate(folder, name) for name in self.files]
        present = [path for path in paths if path is not None]
        return present if len(present) == len(paths) else None


def locate(folder: Path, name: str) -> Path | None:
    """The file `name` in `folder`, as it is or as .gz, if there is one."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
