"""Does each preset that fails on purpose fail as it says? By a number, beside its twin, seed by seed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.table import Row
from gan_core.config import BUDGET
from gan_core.data import load
from gan_core.errors import RunError
from gan_core.metrics.classifier import FeatureExtractor
from gan_core.metrics.frechet import frechet_distance
from gan_core.presets import PRESETS
from gan_core.runs import read_lines, read_settings, read_status
from gan_core.runs.layout import RunPaths
from gan_core.runs.reader import read_verdicts, sample_steps
from gan_core.sampling import Sampler

COUNT = 1000  # pictures looked at
SIDE = 32
ENDLESS = 1e9  # stands for "without end"


@dataclass(frozen=True)
class Finished:
    """A run that went to its end, and pictures from its generator; or one that diverged, and none."""

    run: RunPaths
    lines: list[dict[str, float]]
    made: np.ndarray  # (COUNT, pixels) in [0, 1]; none of one that diverged
    diverged: bool = False

    def late(self, name: str) -> np.ndarray:
        """A curve over the last quarter of the run."""
        return np.array([line[name] for line in self.lines[-max(1, len(self.lines) // 4) :]])


@lru_cache(maxsize=2)
def real(split: str) -> np.ndarray:
    """Drawn digits, (COUNT, pixels) in [0, 1]: "train" or others."""
    pictures = load("glyphs", size=32).images
    chosen = pictures[:COUNT] if split == "train" else pictures[-COUNT:]
    return chosen.reshape(COUNT, -1) / 255.0


def spread(pictures: np.ndarray) -> float:
    """Mean distance between two of the pictures."""
    points = torch.from_numpy(pictures[:500].astype(np.float32))
    return float(torch.pdist(points).mean())


def diversity(one: Finished) -> float:
    """How far made pictures lie apart, over the same of real ones: 1 is as varied."""
    return spread(one.made) / spread(real("test"))


def certainty(one: Finished) -> float:
    """How often D is right, late in the run: 1 is always."""
    return float((one.late("accuracy/real") + one.late("accuracy/fake")).mean() / 2)


def loudness(one: Finished) -> float:
    """The largest loss of D late in the run; without end when numbers ran out."""
    if one.diverged:
        return ENDLESS
    return float(np.abs(one.late("loss/D")).max())


def restlessness(one: Finished) -> float:
    """How far the same picture moves between two grids late in the run, over the spread of real pictures."""
    steps = sample_steps(one.run)[-6:]
    grids = [np.asarray(Image.open(one.run.sample(step)), dtype=np.float32) / 255 for step in steps]
    cells = [g.reshape(8, SIDE, -1, SIDE).transpose(0, 2, 1, 3).reshape(-1, SIDE * SIDE) for g in grids]
    moves = [np.linalg.norm(b - a, axis=1).mean() for a, b in zip(cells, cells[1:])]
    return float(np.mean(moves) / spread(real("test")))


def novelty(one: Finished) -> float:
    """Distance of made pictures to the nearest of the training pictures, over that of other real ones."""
    _, config = read_settings(one.run)
    known = torch.from_numpy(real("train")[: config.dataset_limit or COUNT].astype(np.float32))

    def nearest(pictures: np.ndarray) -> float:
        return float(torch.cdist(torch.from_numpy(pictures.astype(np.float32)), known).amin(1).mean())

    return nearest(one.made) / nearest(real("test"))


def distance(one: Finished) -> float:
    """Fréchet distance to drawn digits on the features of the shipped MNIST classifier."""
    extractor = FeatureExtractor.load("mnist")
    made, _ = extractor(np.round(one.made * 255).astype(np.uint8).reshape(-1, 1, SIDE, SIDE))
    wanted, _ = extractor(np.round(real("test") * 255).astype(np.uint8).reshape(-1, 1, SIDE, SIDE))
    return frechet_distance(made, wanted)


@dataclass(frozen=True)
class Sign:
    """The number by which a failure shows: where it lies when the run fails."""

    measure: Callable[[Finished], float]
    above: float = -np.inf
    below: float = np.inf

    def shows(self, value: float) -> bool:
        """Whether this is the failure."""
        return self.above < value < self.below

    def limit(self) -> str:
        """Where the failure lies, in words."""
        return f"> {self.above:g}" if self.above > -np.inf else f"< {self.below:g}"


SIGNS: dict[str, Sign] = {
    "fail-d-wins": Sign(certainty, above=0.99),
    "fail-collapse": Sign(diversity, below=0.4),
    "fail-divergence": Sign(loudness, above=1000),
    "fail-slow": Sign(distance, above=20),
    "fail-too-fast": Sign(distance, above=20),
    "fail-oscillation": Sign(restlessness, above=0.2),
    "fail-unconstrained": Sign(loudness, above=10),
    "fail-zero-init": Sign(diversity, below=0.01),
    "fail-no-norm": Sign(diversity, below=0.3),
    "fail-memorise": Sign(novelty, below=0.9),
    "fail-wrong-label": Sign(distance, above=20),
    "fail-double-sigmoid": Sign(distance, above=35),
    "fail-stale-batch": Sign(distance, above=20),
    "fail-wrong-sign": Sign(distance, above=20),
}


def ended(run: RunPaths) -> Finished:
    """What the run has left behind.

    Raises:
        RunError: it neither went to its end nor diverged: what stopped it is no lesson.
    """
    lines, status = read_lines(run.metrics)[0], read_status(run)
    if any(verdict.kind == "diverged" for verdict in read_verdicts(run)):
        return Finished(run, lines, np.empty((0, SIDE * SIDE)), diverged=True)
    if status.state != "finished" or not run.generator.exists():
        told = f"Run {run.id} ({status.preset}) is {status.state}: {status.message}"
        raise RunError("prose", text=told)
    made = Sampler.load(run.path).sample(COUNT, 1)[0].reshape(COUNT, -1) / 255.0
    return Finished(run, lines, made)


def value_of(name: str, one: Finished) -> float:
    """The number of the failure `name`; only a loss can be read where numbers ran out.

    Raises:
        RunError: the run diverged, and that is not what this failure is about.
    """
    measure = SIGNS[name].measure
    if one.diverged and measure is not loudness:
        told = f"Run {one.run.id} diverged, so {name} has no {measure.__name__} to show by."
        raise RunError("prose", text=told)
    return measure(one)


def budget_of(preset: str) -> str:
    """The flag that gives a run the budget of this preset."""
    row = PRESETS[preset].settings
    (name,) = BUDGET & row.keys()
    return f"--{name}={row[name]}"


def measured(preset: str, seed: int, names: Sequence[str], budget: str) -> dict[str, float]:
    """Train one preset by the command line; the numbers of the failures `names`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gan_core", "train", "--preset", preset, f"--seed={seed}", budget]
        done = subprocess.run([*command, "--runs", folder, "--quiet"], capture_output=True, text=True)
        made = list(Path(folder).iterdir())
        if not made:
            raise RunError("prose", text=f"{preset} did not begin: {done.stderr.strip()}")
        one = ended(RunPaths(made[0]))
        return {name: value_of(name, one) for name in names}


def failures(seeds: int, say: Callable[[str], None], only: str = "") -> list[Row]:
    """A row for each failing preset: its number for each seed, and that of its cure after as long."""
    names = [name for name in SIGNS if only in name]
    cure_of = {name: (PRESETS[name].cure, budget_of(name)) for name in names}
    healthy = {
        (cure, seed): measured(cure[0], seed, [name for name in names if cure_of[name] == cure], cure[1])
        for cure in dict.fromkeys(cure_of.values()) for seed in range(seeds)
    }  # fmt: skip
    rows = []
    for name in names:
        sign, cure = SIGNS[name], PRESETS[name].cure
        sick = [measured(name, seed, [name], budget_of(name))[name] for seed in range(seeds)]
        well = [healthy[cure_of[name], seed][name] for seed in range(seeds)]
        shown = sum(map(sign.shows, sick))
        false = sum(map(sign.shows, well))
        say(f"{name}: {_listed(sick)} (fails in {shown} of {seeds}); {cure}: {_listed(well)} ({false})")
        result = f"{_listed(sick)}, {shown} of {seeds}; the cure {cure}: {_listed(well)}"
        rows.append(Row(f"{name}: {sign.measure.__name__}", sign.limit(), result))
    return rows


def _listed(values: Sequence[float]) -> str:
    return " ".join("without end" if value >= ENDLESS else f"{value:.3g}" for value in values)
