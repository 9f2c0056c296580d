"""A quick look at how good a generator is by now: one distance, 2,000 pictures, well under a second.

For choosing among the states of one run, not for quoting: at this count the distance has a bias, the same
each time, and its floor says what real pictures get. Data sets without a classifier get an untrained
one: its random filters see strokes, edges and colours of all kinds alike, which is enough to tell
noise, blur and missing kinds of pictures from real ones; which digit is drawn they do not read.

Points in the plane need no features: their places are known, see `PointReferenceStats`.

Source: Naeem et al. 2020, arXiv 2002.09797, who score with random features where trained ones know too little
of the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gan_core.data import Pictures, load
from gan_core.data.source import Mixture
from gan_core.metrics.classifier import FeatureExtractor, classifiers
from gan_core.metrics.frechet import frechet_distance
from gan_core.metrics.inputs import Features
from gan_core.metrics.modes import assign_modes, missed
from gan_core.metrics.reference import extract_features

COUNT = 2000


@dataclass(frozen=True, slots=True)
class ReferenceStats:
    """What generated pictures are held against.

    `real` are the features of up to 2,000 test pictures, (N, 128). `floor` is the distance of as many
    training pictures; `labels` int64 (N,) are theirs: a conditional generator asked for these makes the same
    mixture of classes as the floor has.
    """

    extractor: FeatureExtractor
    trained: bool
    real: np.ndarray
    labels: np.ndarray
    floor: float

    @property
    def extractor_name(self) -> str:
        """Whose features: those of the classifier, or of an untrained one."""
        return "classifier" if self.trained else "untrained"

    def distance(self, images: np.ndarray) -> float:
        """Fréchet distance of generated pictures, uint8 (N, C, H, W), from the real ones; lower is better."""
        return frechet_distance(self.extractor(images)[0], self.real)


@dataclass(frozen=True, slots=True)
class PointReferenceStats:
    """What generated points are held against: the places they should be at.

    `labels` int64 (2000,) are those of real points, `floor` what these get.
    """

    mixture: Mixture
    labels: np.ndarray
    floor: float
    extractor_name: str = "places"

    @classmethod
    def over(cls, mixture: Mixture) -> PointReferenceStats:
        """The reference of a mixture."""
        random = np.random.default_rng(0)
        labels = random.integers(len(mixture.means), size=COUNT)
        noise = mixture.sigma * random.standard_normal((COUNT, 2))
        points = (np.array(mixture.means)[labels] + noise) / mixture.reach
        return cls(mixture, labels, missed(assign_modes(points, mixture)))

    def distance(self, points: np.ndarray) -> float:
        """`modes.missed` of points (N, 2, 1, 1) in [-1, 1]; lower is better."""
        return missed(assign_modes(points, self.mixture))


@lru_cache(maxsize=2)
def reference_stats(dataset: str, size: int, root: str = "") -> ReferenceStats:
    """The reference of a data set at `size` pixels; a second or two at the first call, for the real pictures.

    Raises:
        DataError: its files are not there.
    """
    test, train = (load(dataset, size=size, split=split, root=root) for split in ("test", "train"))
    trained = dataset in classifiers()
    extractor = (
        FeatureExtractor.load(dataset) if trained else FeatureExtractor.untrained(test.source.channels)
    )
    real, other = (_seen(extractor, split) for split in (test, train))
    floor = frechet_distance(other.features, real.features)
    assert other.labels is not None  # real pictures have them
    return ReferenceStats(extractor, trained, real.features, other.labels, floor)


def _seen(extractor: FeatureExtractor, pictures: Pictures) -> Features:
    """What the classifier says of up to 2,000 of the pictures, always the same ones."""
    total = len(pictures.labels)
    some = np.sort(np.random.default_rng(0).permutation(total)[:COUNT])
    return extract_features(extractor, np.asarray(pictures.images[some]), pictures.labels[some])
