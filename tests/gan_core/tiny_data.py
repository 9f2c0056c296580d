"""A few pictures of noise in MNIST's and Fashion-MNIST's files: data without a download or a pen."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def idx(array: np.ndarray) -> bytes:
    """An idx file of bytes."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def put_pictures(root: Path, seed: int) -> None:
    """Forty training and twenty test pictures of ten classes below `root`, for either data set its own.

    They are darker than what a fresh G draws, so that D soon tells them apart.
    """
    random = np.random.default_rng(seed)
    for kind in ("MNIST", "FashionMNIST"):
        folder = root / kind / "raw"
        folder.mkdir(parents=True)
        for split, count in (("train", 40), ("t10k", 20)):
            pictures = random.integers(0, 160, (count, 28, 28), dtype=np.uint8)
            labels = random.permutation(np.arange(count) % 10).astype(np.uint8)
            (folder / f"{split}-images-idx3-ubyte").write_bytes(idx(pictures))
            (folder / f"{split}-labels-idx1-ubyte").write_bytes(idx(labels))
