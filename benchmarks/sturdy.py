"""It does not fall apart: how far it is from real pictures long after it was at its best.

One run is stopped at even shares of its budget and goes on after each look; what it has learned is scored
every time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.cases import gan_core, root_flags, scores_of
from benchmarks.table import Row

SECONDS = 1800.0
LOOKS = 12
AIM = 1.10


def decay(distances: Sequence[float]) -> float | None:
    """The distance at three times the best one's time over the best; looks are evenly spaced.

    None where three times that lies beyond the end: there is nothing to compare yet.
    """
    best = _best(distances)
    later = 3 * (best + 1) - 1
    return distances[later] / distances[best] if later < len(distances) else None


def told(distances: Sequence[float], every: float) -> str:
    """A curve in words: the ratio, both distances and their times, a look every `every` seconds."""
    best, ratio = _best(distances), decay(distances)
    at = every * (best + 1)
    begin = f"best {distances[best]:.3g} at {at:g} s"
    if ratio is None:
        worst, end = max(distances[best:]) / distances[best], every * len(distances)
        return f"3x lies beyond the end, {worst:.2f} at most until then, {begin} of {end:g} s"
    return f"{ratio:.2f}, {begin}, {ratio * distances[best]:.3g} at {3 * at:g} s"


def _best(distances: Sequence[float]) -> int:
    return min(range(len(distances)), key=lambda k: distances[k])


def sturdy(seeds: int, data_root: str, say: Callable[[str], None], only: str = "",
           seconds: float = SECONDS) -> list[Row]:  # fmt: skip
    """One row: how the preset sturdy holds its quality on Fashion-MNIST in `seconds` of training."""
    what = "sturdy, Fashion-MNIST"
    if only not in what:
        return []
    curves = [_curve(seed, data_root, say, seconds) for seed in range(seeds)]
    every = seconds / LOOKS
    results = "; ".join(told(curve, every) for curve in curves)
    listed = "; ".join(" ".join(f"{value:.3g}" for value in curve) for curve in curves)
    named = f"{what}, {seconds:g} s: distance at 3x the best's time over the best"
    return [Row(f"{named} (published: DCGAN 2.8, LSGAN 5.0)", f"<= {AIM:g}",
                f"{results}. Distances every {every:g} s: {listed}")]  # fmt: skip


def _curve(seed: int, data_root: str, say: Callable[[str], None], total: float) -> list[float]:
    distances, root = [], root_flags(data_root)
    with tempfile.TemporaryDirectory() as folder:
        for look in range(1, LOOKS + 1):
            seconds = f"--seconds={total * look / LOOKS:g}"
            if look == 1:
                about = ["--preset=sturdy", seconds, f"--seed={seed}", f"--runs={folder}", *root]
                gan_core("train", "--quiet", *about)
                (run,) = Path(folder).iterdir()
            else:
                gan_core("resume", str(run), seconds, "--quiet")
            distances.append(scores_of(run, 10_000, root)["frechet"])
            say(f"sturdy, seed {seed}, {seconds[2:]}: distance {distances[-1]:.4g}")
    return distances
