"""What the judge says about the real pictures of a data set: looked at once, kept on disk and in memory."""

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
from gan_core.metrics.evidence import Observed
from gan_core.metrics.judge import SIDE, Judge

SAMPLE = 10_000  # training pictures that the floor is measured with


@lru_cache(maxsize=4)
def observe_real(dataset: str, root: str = "") -> tuple[Observed, Observed]:
    """All test pictures of a data set and 10,000 training pictures, always the same, as the judge sees them.

    Raises:
        WeightsError: this data set has no judge.
        DataError: its files are not there.
    """
    judge = Judge.load(dataset)
    test = load(dataset, size=SIDE, split="test", root=root)
    train = load(dataset, size=SIDE, split="train", root=root)
    chosen = np.sort(np.random.default_rng(0).permutation(len(train.labels))[:SAMPLE])
    return (
        observe(judge, test.images, test.labels),
        observe(judge, train.images[chosen], train.labels[chosen]),
    )


def real_labels(dataset: str, count: int, root: str = "") -> np.ndarray:
    """int64 (count,): labels in the shares of the test pictures, in an order mixed once; ask for these."""
    labels = load(dataset, size=SIDE, split="test", root=root).labels
    return np.resize(np.random.default_rng(0).permutation(labels), count)


def observe(judge: Judge, images: np.ndarray, labels: np.ndarray) -> Observed:
    """The judge's words on real pictures, from disk where they have been written down before.

    They are found again by what the judge is shown: 28 pixels with their border.
    """
    shown = np.ascontiguousarray(bordered(images, SIDE)).tobytes()
    name = hashlib.sha256(judge.fingerprint.encode() + shown).hexdigest()
    path = cache_folder() / f"judged-{name[:24]}.safetensors"
    with contextlib.suppress(OSError, KeyError, safetensors.SafetensorError):
        kept = safetensors.numpy.load_file(path)
        return Observed(kept["features"], kept["probabilities"], np.asarray(labels))
    features, probabilities = judge(images)
    with contextlib.suppress(OSError):  # a full disk costs the next process a few seconds, no more
        write_bytes(path, safetensors.numpy.save({"features": features, "probabilities": probabilities}))
    return Observed(features, probabilities, np.asarray(labels))
