"""Are all classes there, can each picture be read, and is it what was asked for?"""

from __future__ import annotations

import numpy as np

from gan_core.metrics.inputs import MetricInput

ENOUGH = 0.1  # of a class's share among real pictures


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || q) in nats of two histograms of counts or shares, each (K,); a class absent from `p` adds 0.

    Infinite when `p` has a class that `q` has not.
    """
    p, q = p / p.sum(), q / q.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / q), 0.0)
    return float(terms.sum())


def shares(labels: np.ndarray, classes: int) -> np.ndarray:
    """Share of each class among `labels` (N,), (K,) adding up to 1."""
    return np.bincount(labels, minlength=classes) / len(labels)


def class_kl(inputs: MetricInput) -> float:
    """KL of the classes read in the generated pictures from those of the real ones, in nats."""
    return divergence(*_both_shares(inputs))


def classes(inputs: MetricInput) -> float:
    """How many classes appear with at least a tenth of their share among real pictures."""
    generated, real = _both_shares(inputs)
    return float(((generated > 0) & (generated >= ENOUGH * real)).sum())


def confidence(inputs: MetricInput) -> float:
    """Mean probability of the class that the classifier finds most likely: how readable the pictures are."""
    return float(inputs.generated.probabilities.max(axis=1).mean())


def agreement(inputs: MetricInput) -> float | None:
    """Share of pictures read as the class that was asked for; None when none was."""
    if inputs.generated.labels is None:
        return None
    return float((inputs.generated.read == inputs.generated.labels).mean())


def _both_shares(inputs: MetricInput) -> tuple[np.ndarray, np.ndarray]:
    count = inputs.real.probabilities.shape[1]
    real = inputs.real.read if inputs.real.labels is None else inputs.real.labels
    return shares(inputs.generated.read, count), shares(real, count)
