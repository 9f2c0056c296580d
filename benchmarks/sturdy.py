"""It does not fall apart: how far it is from real pictures long after it was at its best.

One run is stopped at even shares of its budget and goes on after each look; what it has learned is scored
every time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.cases import gan_core, scores_of
from benchmarks.table import Row

SECONDS = 1800.0
LOOKS = 12
AIM = 1.10


def decay(distances: Sequence[float]) -> float:
    """The distance at three times the best one's time over the best; looks are evenly spaced.

    Where three times that lies beyond the end, or the best comes last, it is the last over the best.
    """
    best = min(range(len(distances)), key=lambda k: distances[k])
    later = min(3 * (best + 1) - 1, len(distances) - 1)
    return distances[later] / distances[best]


def sturdy(seeds: int, data_root: str, say: Callable[[str], None], only: str = "") -> list[Row]:
    """One row: how the preset sturdy holds its quality on Fashion-MNIST."""
    what = "sturdy, Fashion-MNIST"
    if only not in what:
        return []
    curves = [_curve(seed, say) for seed in range(seeds)]
    ratios = [decay(curve) for curve in curves]
    listed = "; ".join(" ".join(f"{value:.3g}" for value in curve) for curve in curves)
    return [Row(f"{what}, {SECONDS:g} s: distance at 3x the best's time over the best (published: DCGAN 2.8, "
                "LSGAN 5.0)", f"<= {AIM:g}", f"{max(ratios):.2f} at worst; distances every "
                f"{SECONDS / LOOKS:g} s: {listed}")]  # fmt: skip


def _curve(seed: int, say: Callable[[str], None]) -> list[float]:
    distances = []
    with tempfile.TemporaryDirectory() as folder:
        for look in range(1, LOOKS + 1):
            seconds = f"--seconds={SECONDS * look / LOOKS:g}"
            if look == 1:
                gan_core("train", "--preset=sturdy", seconds, f"--seed={seed}", f"--runs={folder}", "--quiet")
                (run,) = Path(folder).iterdir()
            else:
                gan_core("resume", str(run), seconds, "--quiet")
            distances.append(scores_of(run, 10_000, [])["frechet"])
            say(f"sturdy, seed {seed}, {seconds[2:]}: distance {distances[-1]:.4g}")
    return distances
