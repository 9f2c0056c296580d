"""How many of the places in the plane a generator of points has found, and how well it keeps to them.

The protocol of Lin et al. 2018, arXiv 1712.04086, section 4.1, after Srivastava et al. 2017, arXiv
1705.07761: 2,500 points; each is of the nearest place, and good within three standard deviations of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gan_core.data.source import Mixture
from gan_core.metrics.coverage import divergence

GOOD = 3.0  # standard deviations


@dataclass(frozen=True, slots=True)
class ModeAssignment:
    """Where N points fell: `nearest` place, int64 (N,), `distance` from it in standard deviations, (N,), and
    how many `places` there are."""

    nearest: np.ndarray
    distance: np.ndarray
    places: int

    @property
    def good(self) -> np.ndarray:
        """Good points of each place, (places,)."""
        return np.bincount(self.nearest[self.distance <= GOOD], minlength=self.places)


def assign_modes(points: np.ndarray, mixture: Mixture) -> ModeAssignment:
    """`points` (N, 2, 1, 1) in [-1, 1], as the network draws them, beside the places of `mixture`."""
    places = np.array(mixture.means)  # (K, 2)
    offsets = mixture.reach * points.reshape(-1, 1, 2).astype(np.float64) - places  # (N, K, 2)
    distances = np.sqrt((offsets**2).sum(2)) / mixture.sigma  # (N, K)
    nearest = distances.argmin(1)
    return ModeAssignment(nearest, distances[np.arange(len(nearest)), nearest], len(places))


def modes(landed: ModeAssignment) -> float:
    """How many places have at least one good point."""
    return float((landed.good > 0).sum())


def within(landed: ModeAssignment) -> float:
    """Share of good points; .989 = 1 - exp(-9/2) for the data themselves."""
    return float((landed.distance <= GOOD).mean())


def reverse_kl(landed: ModeAssignment) -> float:
    """KL of the places of good points from even shares, in nats, log K at most; infinite without any."""
    good = landed.good
    return divergence(good, np.ones(landed.places)) if good.any() else float("inf")


def missed(landed: ModeAssignment) -> float:
    """One number of both: `reverse_kl` plus the share of points that are not good; 0 at best.

    1 + log K at most, which a cloud without any good point gets: always finite, so that states of a run can
    be compared.
    """
    spread = reverse_kl(landed) if landed.good.any() else math.log(landed.places)
    return spread + 1 - within(landed)


MODES: Mapping[str, Callable[[ModeAssignment], float]] = {
    "modes": modes,
    "within_3_sigma": within,
    "reverse_kl": reverse_kl,
}


def score_points(points: np.ndarray, mixture: Mixture) -> dict[str, float]:
    """All of these by name for `points` (N, 2, 1, 1) in [-1, 1]."""
    landed = assign_modes(points, mixture)
    return {name: function(landed) for name, function in MODES.items()}
