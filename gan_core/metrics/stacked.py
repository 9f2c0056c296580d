"""How many of the thousand classes of Stacked MNIST a generator draws, and how evenly.

The protocol of Lin et al. 2018, arXiv 1712.04086, section 4.2: 26,000 pictures; a classifier of MNIST reads
each colour by itself. Theirs is not published; ours is the shipped classifier of MNIST.
"""

from __future__ import annotations

import numpy as np

from gan_core.metrics.classifier import FeatureExtractor
from gan_core.metrics.coverage import divergence

CLASSES = 1000


def read_stacked(images: np.ndarray) -> np.ndarray:
    """The class 100 r + 10 g + b that the classifier reads in uint8 (N, 3, H, W), int64 (N,)."""
    extractor = FeatureExtractor.load("mnist")
    digits = [extractor(np.ascontiguousarray(images[:, k : k + 1]))[1].argmax(1) for k in range(3)]
    return np.asarray(100 * digits[0] + 10 * digits[1] + digits[2])


def stacked_modes(classes: np.ndarray) -> dict[str, float]:
    """Of classes read, int (N,): how many of the thousand occur, and their KL from even shares in nats.

    Even real pictures do not come to 0: N of them, shared evenly by chance, give about 999 / (2 N) = .019 for
    26,000, and the digits of MNIST are not quite even.
    """
    counts = np.bincount(classes, minlength=CLASSES)
    return {"modes": float((counts > 0).sum()), "reverse_kl": divergence(counts, np.ones(CLASSES))}
