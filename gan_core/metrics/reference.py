"""What the classifier says about a data set's real pictures: looked at once, kept on disk and in memory."""

from __future__ import annotations

import contextlib
import hashlib
from functools import lru_cache

import numpy as np
import safetensors
import safetensors.numpy

from gan_core.data import load
from gan_core.data.prepare import bordered, cache_folder
from gan_core.files import write_bytes
from gan_core.metrics.classifier import SIDE, FeatureExtractor
from gan_core.metrics.inputs import Features

SAMPLE = 10_000  # training pictures that the floor is measured with


@lru_cache(maxsize=4)
def extract_real_features(dataset: str, root: str = "") -> tuple[Features, Features]:
    """All test pictures and 10,000 training pictures, always the same, as the classifier sees them.

    Raises:
        WeightsError: this data set has no classifier.
        DataError: its files are not there.
    """
    extractor = FeatureExtractor.load(dataset)
    test = load(dataset, size=SIDE, split="test", root=root)
    train = load(dataset, size=SIDE, split="train", root=root)
    chosen = np.sort(np.random.default_rng(0).permutation(len(train.labels))[:SAMPLE])
    return (
        extract_features(extractor, test.images, test.labels),
        extract_features(extractor, train.images[chosen], train.labels[chosen]),
    )


def real_labels(dataset: str, count: int, root: str = "") -> np.ndarray:
    """int64 (count,): labels in the shares of the test pictures, in an order mixed once; ask for these."""
    labels = load(dataset, size=SIDE, split="test", root=root).labels
    return np.resize(np.random.default_rng(0).permutation(labels), count)


def extract_features(extractor: FeatureExtractor, images: np.ndarray, labels: np.ndarray) -> Features:
    """The classifier's features of real pictures, from disk where they have been written down before.

    They are found again by what the classifier is shown: 28 pixels with their border.
    """
    shown = np.ascontiguousarray(bordered(images, SIDE)).tobytes()
    name = hashlib.sha256(extractor.fingerprint.encode() + shown).hexdigest()
    path = cache_folder() / f"features-{name[:24]}.safetensors"
    with contextlib.suppress(OSError, KeyError, safetensors.SafetensorError):
        kept = safetensors.numpy.load_file(path)
        return Features(kept["features"], kept["probabilities"], np.asarray(labels))
    features, probabilities = extractor(images)
    with contextlib.suppress(OSError):  # a full disk costs the next process a few seconds, no more
        write_bytes(path, safetensors.numpy.save({"features": features, "probabilities": probabilities}))
    return Features(features, probabilities, np.asarray(labels))
