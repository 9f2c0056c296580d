"""Scores of a generator, as a classifier sees its pictures (see `classifier`).

Each metric is a pure function of one `MetricInput`; to add one, write the function and its row in `METRICS`.
Where a row has a `beside`, the same function is also asked about real pictures, and `score` gives that
value under this name: without it most of these numbers say little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gan_core.errors import DataError
from gan_core.metrics import coverage, frechet, manifold
from gan_core.metrics.classifier import FeatureExtractor, classifiers
from gan_core.metrics.frechet import frechet_distance
from gan_core.metrics.inputs import Features, MetricInput
from gan_core.metrics.modes import MODES, score_points
from gan_core.metrics.reference import extract_real_features, real_labels
from gan_core.metrics.stacked import read_stacked, stacked_modes

__all__ = [
    "METRICS",
    "MODES",
    "FeatureExtractor",
    "Features",
    "Metric",
    "MetricInput",
    "classifiers",
    "frechet_distance",
    "read_stacked",
    "real_labels",
    "score",
    "score_points",
    "stacked_modes",
]

FEWEST = 10  # pictures


@dataclass(frozen=True, slots=True)
class Metric:
    """A row: what is computed, what it says, what is better, and the name that real pictures' value gets."""

    function: Callable[[MetricInput], float | None]
    summary: str
    better: str  # "lower" or "higher"
    beside: str = ""


METRICS: dict[str, Metric] = {
    "frechet": Metric(
        frechet.frechet,
        "Distance between generated and real pictures, as two clouds of the classifier's features.",
        "lower",
        beside="floor",
    ),
    "frechet_over_floor": Metric(
        frechet.frechet_over_floor,
        "That distance as a multiple of the one between real and real pictures.",
        "lower",
    ),
    "classes": Metric(
        coverage.classes, "Classes that appear with at least a tenth of their real share.", "higher"
    ),
    "class_kl": Metric(
        coverage.class_kl, "How unevenly the classes appear against real pictures, in nats.", "lower"
    ),
    "confidence": Metric(
        coverage.confidence,
        "How sure the classifier is of what it reads, on average.",
        "higher",
        beside="confidence_real",
    ),
    "agreement": Metric(
        coverage.agreement,
        "Share of pictures that show the class asked for.",
        "higher",
        beside="agreement_real",
    ),
    "precision": Metric(
        manifold.precision,
        "Share of generated pictures that lie among real ones.",
        "higher",
        beside="precision_real",
    ),
    "recall": Metric(
        manifold.recall,
        "Share of real pictures that lie among generated ones: variety.",
        "higher",
        beside="recall_real",
    ),
}


def score(images: np.ndarray, labels: np.ndarray | None, dataset: str, root: str = "") -> dict[str, float]:
    """All metrics of generated pictures against the test pictures of a data set.

    Args:
        images: uint8 (N, C, H, W); 10,000 for numbers to be quoted.
        labels: int (N,), the classes asked for, or None; then there is no "agreement".
        dataset: a name in `classifiers()`; `root` is where its files are, as for `gan_core.data.load`.

    Raises:
        WeightsError: no classifier for this data set, or pictures of another kind than it has learned.
        DataError: fewer than ten pictures, or the real ones are not there.
    """
    if len(images) < FEWEST:
        raise DataError("score-few-pictures", low=FEWEST, count=len(images))
    features, probabilities = FeatureExtractor.load(dataset)(images)
    asked = None if labels is None else np.asarray(labels, dtype=np.int64)
    real, other = extract_real_features(dataset, root)
    inputs = MetricInput(Features(features, probabilities, asked), real, other)
    values: dict[str, float] = {}
    for name, metric in METRICS.items():
        value = metric.function(inputs)
        if value is not None:
            values[name] = value
            if metric.beside:
                values[metric.beside] = _of_real_pictures(name, len(images), dataset, root)
    return values


@lru_cache(maxsize=64)
def _of_real_pictures(metric: str, count: int, dataset: str, root: str) -> float:
    real, other = extract_real_features(dataset, root)
    value = METRICS[metric].function(MetricInput(real.sample(count), real, other).if_real())
    assert value is not None  # real pictures have labels
    return value
