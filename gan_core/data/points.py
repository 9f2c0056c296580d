"""Points in the plane around a few places: the smallest data on which a generator can forget something.

Made here, the ring of eight and the grid of twenty-five as they are usually measured. A point is a "picture"
of one pixel with two channels, x and y.

Source: the settings of Lin et al. 2018, arXiv 1712.04086 (PacGAN), section 4.1, which are those of Srivastava
et al. 2017, arXiv 1705.07761 (VEEGAN).
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np

from gan_core.data.source import Arrays, DataSource, Mixture

COUNTS = {"train": 100_000, "test": 10_000}


def ring(count: int) -> tuple[tuple[float, float], ...]:
    """`count` different places on the circle of radius 1: the angle 2 pi k / count, k below count."""
    angles = [2 * math.pi * k / count for k in range(count)]
    return tuple((math.cos(angle), math.sin(angle)) for angle in angles)


def grid(side: int, gap: float) -> tuple[tuple[float, float], ...]:
    """side x side different places around 0, `gap` apart."""
    line = [gap * (k - (side - 1) / 2) for k in range(side)]
    return tuple((x, y) for x in line for y in line)


def read(mixture: Mixture, folder: Path, split: str) -> Arrays:
    """The points of `split`, float32 (N, 1, 1, 2) in [-1, 1], and the place that each is from, int64 (N,).

    Always the same for a split. `folder` is not looked at.
    """
    random = np.random.default_rng(list(COUNTS).index(split))
    labels = random.integers(len(mixture.means), size=COUNTS[split])
    places = np.array(mixture.means)[labels] + mixture.sigma * random.standard_normal((len(labels), 2))
    return (places / mixture.reach).astype(np.float32)[:, None, None, :], labels


def _source(name: str, title: str, summary: str, mixture: Mixture) -> DataSource:
    return DataSource(
        name=name,
        title=title,
        channels=2,
        native_size=1,
        count=COUNTS["train"],
        classes=tuple(str(k) for k in range(len(mixture.means))),
        licence="made by this program; no restrictions",
        origin="drawn on this machine, as in Lin et al. 2018, arXiv 1712.04086",
        summary=summary,
        downloads=False,
        read=functools.partial(read, mixture),
        recipe="1",
        kind="points",
        mixture=mixture,
    )


RING = _source(
    "ring",
    "Ring of eight",
    "Points around eight places on a circle: does the generator find all of them?",
    Mixture(ring(8), sigma=0.01, reach=1.25),
)

GRID = _source(
    "grid",
    "Grid of twenty-five",
    "Points around twenty-five places in a square: a harder test of variety.",
    Mixture(grid(5, gap=2.0), sigma=0.05, reach=5.0),
)
