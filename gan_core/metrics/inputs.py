"""What a metric may look at: all that the classifier said about generated pictures and about real ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class Features:
    """What a classifier said about N pictures.

    `features` is float64 (N, D); `probabilities` float64 (N, K), rows adding up to 1; `labels` int64 (N,):
    the classes that real pictures show or that generated ones were asked for, None when nothing was asked.
    """

    features: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.features)

    @property
    def read(self) -> np.ndarray:
        """The class that the classifier reads in each picture, int64 (N,)."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def sample(self, count: int) -> Features:
        """`count` of the pictures at random, the same ones each time; all of them when there are no more."""
        if count >= len(self):
            return self
        chosen = np.random.default_rng(0).permutation(len(self))[:count]
        labels = None if self.labels is None else self.labels[chosen]
        return replace(
            self, features=self.features[chosen], probabilities=self.probabilities[chosen], labels=labels
        )


@dataclass(frozen=True, slots=True)
class MetricInput:
    """The argument of every metric.

    `generated` are the pictures to be scored, `real` the test pictures that they are held against, and
    `other` real pictures that are not among `real`: they show what real pictures themselves would score.
    """

    generated: Features
    real: Features
    other: Features

    def if_real(self) -> MetricInput:
        """The same question asked about as many real pictures: test pictures held against `other`."""
        return MetricInput(generated=self.real.sample(len(self.generated)), real=self.other, other=self.real)
