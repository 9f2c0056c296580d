"""What the sample grid on the page shows, as numbers: are these pictures like real ones, varied, readable?

Measured on the very pictures that a viewer sees, within a twentieth of a second, so that the words above them
are about them. Eighty pictures say "most" or "one class is missing", not the second decimal: for figures to
quote there is `gan_core.metrics`.

    share/plausible     share of the pictures that lie as near to a real one as real ones do to each other,
                        and are no emptier than the emptiest real one
    share/readable      share that is plausible and that the classifier is sure about; asked for a class: that
    share/readable_real the same share of real ones: what "readable" can come to
    variety/pictures    mean distance between two of the pictures over that of two real ones, 1 for real ones
    classes/0, 1, ...   share of the readable pictures that show the class
    motion/moved        mean distance of a picture to the one that stood in its place at the last look, over
                        the mean distance between two real ones; of pixels
    saturation/pixels   share of the pixels that are as dark or as bright as a pixel can be
    novelty/pictures    mean distance of a picture to the nearest one trained on, over the same of real ones
                        that were not trained on: 1 for new pictures, near 0 for copies; of pixels

"readable" and "classes" need a classifier that reads the data set. Features of an untrained one tell
strokes and colours from noise and pictures that are all alike from varied ones, see `fast_metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gan_core.data import DATASETS
from gan_core.data.source import Mixture
from gan_core.metrics.classifier import FeatureExtractor, classifiers
from gan_core.metrics.modes import assign_modes

REAL = 400  # real pictures that the grid is held against
PART = 100  # of them looked at together, to take little memory beside a run that trains
SURE = 0.9  # least probability of the class that is read
SLACK = 0.8  # part of the least contrast of real pictures that a plausible one has: blank is near a thin 1
USUAL = 0.99  # share of real pictures that are plausible
LEARNT_MOST = 10_000_000  # numbers in the pictures trained on, of which novelty is asked: 40 MB


@dataclass(frozen=True, slots=True)
class GridReference:
    """Real pictures as the classifier sees them.

    `features` (N, D); `reach`: how far `USUAL` of the real ones are from their nearest other one at most;
    `contrast`: the least standard deviation of the pixels of one;
    `spread`: the mean distance between two of them, `pixel_spread` that of their pixels; `readable`: the
    share that the classifier reads.
    """

    extractor: FeatureExtractor
    trained: bool
    features: np.ndarray
    reach: float
    contrast: float
    spread: float
    pixel_spread: float
    readable: float

    @classmethod
    def over(cls, dataset: str, images: np.ndarray, labels: np.ndarray | None = None) -> GridReference:
        """The reference of real pictures, uint8 (M, C, H, W), M >= 2: up to 400 of them, the same each time.

        `labels` (M,): their classes, where generated ones are asked for a class.

        Raises:
            WeightsError: the data set's classifier is damaged.
        """
        reader = DATASETS[dataset].classifier_of or dataset
        trained = reader in classifiers()
        extractor = FeatureExtractor.load(reader) if trained else FeatureExtractor.untrained(images.shape[1])
        some = np.sort(np.random.default_rng(0).permutation(len(images))[:REAL])
        parts = [some[start : start + PART] for start in range(0, len(some), PART)]
        looks = [extractor(np.asarray(images[part])) for part in parts]
        pixels = _pixels(images[some])
        features, probabilities = (np.concatenate(seen) for seen in zip(*looks))
        distances = _distances(features, features)
        nearest = np.where(np.eye(len(features), dtype=bool), np.inf, distances).min(1)
        reach = float(np.quantile(nearest, USUAL))
        readable = _readable(probabilities, nearest <= reach, None if labels is None else labels[some])
        spreads = _spread(distances), _spread(_distances(pixels, pixels))
        contrast = float(pixels.std(1).min())
        return cls(extractor, trained, features, reach, contrast, *spreads, readable=float(readable.mean()))

    def motion(self, images: np.ndarray, before: np.ndarray) -> dict[str, float]:
        """How far the pictures, uint8 (N, C, H, W), have moved since they were those `before`."""
        moved = float(np.linalg.norm(_pixels(images) - _pixels(before), axis=1).mean())
        return {"motion/moved": moved / self.pixel_spread if self.pixel_spread else 0.0}

    def measure(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict[str, float]:
        """The shares, variety and classes of the grid's pictures, uint8 (N, C, H, W), N >= 2; `labels` (N,):
        asked for."""
        features, probabilities = self.extractor(images)
        near = _distances(features, self.features).min(1) <= self.reach
        plausible = near & (_pixels(images).std(1) >= SLACK * self.contrast)
        spread = _spread(_distances(features, features))
        found = {
            "share/plausible": float(plausible.mean()),
            "variety/pictures": spread / self.spread if self.spread else 1.0,
            "saturation/pixels": float(((images == 0) | (images == 255)).mean()),
        }
        if not self.trained:
            return found
        readable = _readable(probabilities, plausible, labels)
        count = np.bincount(probabilities.argmax(1)[readable], minlength=probabilities.shape[1])
        shares = count / max(count.sum(), 1)
        return (
            found
            | {"share/readable": float(readable.mean()), "share/readable_real": self.readable}
            | {f"classes/{kind}": float(share) for kind, share in enumerate(shares)}
        )


@dataclass(frozen=True, slots=True)
class NoveltyReference:
    """The pixels of the pictures trained on, `learnt` (N, P); how far others of their kind are from them."""

    learnt: np.ndarray
    usual: float

    @classmethod
    def over(cls, learnt: np.ndarray, unseen: np.ndarray) -> NoveltyReference | None:
        """Of pictures trained on and of others, uint8 (N, C, H, W); None where there are too many of the
        first to be learnt by heart, or none of the others."""
        if learnt.size > LEARNT_MOST or len(unseen) == 0:
            return None
        pixels = _pixels(learnt)
        return cls(pixels, float(_distances(_pixels(unseen[:REAL]), pixels).min(1).mean()))

    def measure(self, images: np.ndarray) -> dict[str, float]:
        """How new pictures are, uint8 (N, C, H, W)."""
        nearest = float(_distances(_pixels(images), self.learnt).min(1).mean())
        return {"novelty/pictures": nearest / self.usual if self.usual else 1.0}


def measure_points(points: np.ndarray, mixture: Mixture) -> dict[str, float]:
    """What a cloud of points (N, 2, 1, 1) in [-1, 1] shows: "modes/points", the share that lies at a place,
    and "classes/0, 1, ...", which part of these lies at each."""
    with np.errstate(invalid="ignore", over="ignore"):  # of a generator that diverged: nowhere
        good = assign_modes(points, mixture).good
    shares = good / max(good.sum(), 1)
    return {"modes/points": float(good.sum() / len(points))} | {
        f"classes/{kind}": float(share) for kind, share in enumerate(shares)
    }


def _readable(probabilities: np.ndarray, plausible: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Which pictures are readable: bool (N,)."""
    sure: np.ndarray = plausible & (probabilities.max(1) >= SURE)
    return sure if labels is None else np.logical_and(sure, probabilities.argmax(1) == labels)


def _pixels(images: np.ndarray) -> np.ndarray:
    """uint8 (N, C, H, W) to float32 (N, P) in [0, 1]."""
    return np.asarray(images, dtype=np.float32).reshape(len(images), -1) / 255


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, D) and (M, D) to (N, M)."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def _spread(distances: np.ndarray) -> float:
    """Mean of the distances (N, N) between two different ones of N."""
    return float(distances.sum() / (len(distances) * (len(distances) - 1)))
