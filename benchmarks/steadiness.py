"""Does each run of the preset digits come out well? How many of many seeds go astray in their first steps."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.cases import flags, gan_core, root_flags
from benchmarks.table import Row
from gan_core.runs import read_lines
from gan_core.runs.layout import RunPaths

ASTRAY = 4.0  # G's gradient: 1.3 to 1.8 in runs that come out well, 5 to 30 for good in the others
START: Mapping[str, Any] = {  # the first third of ten seconds, by steps
    "steps": 110, "lr_end": 0.75, "log_every": 4, "score_seconds": 0, "precision": "bf16",
    "memory_format": "channels_last", "threads": 1,
}  # fmt: skip
WAYS: Mapping[str, Mapping[str, Any]] = {
    "as it stands": {},
    "without its penalty": {"penalty": "none", "penalty_every": 1},
    "and at a learning rate of .008": {"penalty": "none", "penalty_every": 1, "lr_g": 8e-3, "lr_d": 8e-3},
}


def steadiness(seeds: int, data_root: str, say: Callable[[str], None], only: str = "") -> list[Row]:
    """One row a way to train: the runs of `seeds` whose G's gradient stays above `ASTRAY`."""
    return [_row(way, seeds, data_root, say) for way in WAYS if only in way]


def _row(way: str, seeds: int, data_root: str, say: Callable[[str], None]) -> Row:
    medians = []
    for seed in range(300, 300 + seeds):
        medians.append(_gradient(way, seed, data_root))
        say(f"digits, {way}, seed {seed}: G's gradient {medians[-1]:.2f}")
    astray = sum(median > ASTRAY for median in medians)
    return Row(f"digits, {way}: runs gone astray by step {START['steps']}", "0",
               f"{astray} of {seeds}; G's gradient {statistics.median(medians):.2f} in the middle run, "
               f"{max(medians):.2f} at most")  # fmt: skip


def _gradient(way: str, seed: int, data_root: str) -> float:
    """The median of G's gradient over the last 30 steps of a run's start."""
    changes = flags({**START, **WAYS[way]})
    with tempfile.TemporaryDirectory() as folder:
        about = ["--preset=digits", f"--seed={seed}", "--runs", folder, "--quiet", *root_flags(data_root)]
        gan_core("train", *about, *changes)
        (path,) = Path(folder).iterdir()
        lines, _ = read_lines(RunPaths(path).metrics)
        return statistics.median(line["gradient/G"] for line in lines if line["step"] >= 80)
