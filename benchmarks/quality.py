"""Does it learn, and how fast? Runs of the shipped presets, judged on 10,000 pictures, over several seeds."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import reference
from benchmarks.table import Row, spread
from gan_core.metrics import score

Scores = Mapping[str, float]


@dataclass(frozen=True)
class Case:
    """A preset, what is changed in it, and the aims: metric -> (comparison in words, limit)."""

    what: str
    preset: str
    changes: Mapping[str, Any]
    aims: Mapping[str, tuple[str, float]]


CASES = (
    Case("MNIST, 5 s", "digits", {"seconds": 5}, {"confidence": (">=", 0.97), "agreement": (">=", 0.95)}),
    Case("MNIST, 10 s", "digits", {"seconds": 10}, {
        "confidence": (">=", 0.985), "class_kl": ("<=", 0.001), "agreement": (">=", 0.98),
        "frechet_over_floor": ("<=", 8.0)}),
    Case("MNIST, 60 s", "digits", {"seconds": 60}, {"frechet_over_floor": ("<=", 2.5)}),
    Case("MNIST, 10 s, fp32 forced", "digits", {"seconds": 10, "precision": "fp32"},
         {"confidence": (">=", 0.98)}),
    Case("MNIST without labels, 60 s", "unlabelled", {"seconds": 60}, {"confidence": (">=", 0.94)}),
    Case("Fashion-MNIST, 60 s", "fashion", {"seconds": 60}, {
        "confidence": (">=", 0.90), "class_kl": ("<=", 0.003), "agreement": (">=", 0.90),
        "frechet": ("beside its floor", 0.0)}),
)  # fmt: skip


def run_once(case: Case, seed: int, data_root: str) -> tuple[Scores, int]:
    """Train one seed of a case and score it, by the command lines that README gives; scores and steps.

    Processes of their own: what one run leaves in memory must not slow the next.
    """
    root = ["--data-root", data_root] if case.preset != "fashion" else []
    changes = [f"--{name}={value}" for name, value in case.changes.items()]
    with tempfile.TemporaryDirectory() as folder:
        about = ["--preset", case.preset, *changes, f"--seed={seed}", "--runs", folder, "--quiet", *root]
        _gan_core("train", *about)
        (run,) = Path(folder).iterdir()
        lines = _gan_core("score", str(run), *root).splitlines()
        scores = {name: float(value) for name, value in map(str.split, lines)}
        return scores, int(json.loads((run / "status.json").read_text())["step"])


def _gan_core(*arguments: str) -> str:
    """What the command line prints."""
    command = [sys.executable, "-m", "gan_core", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def quality(seeds: int, data_root: str, say: Callable[[str], None], only: str = "") -> list[Row]:
    """One row a case and metric, over `seeds` seeds."""
    rows: list[Row] = []
    for case in (case for case in CASES if only in case.what):
        scores: list[Scores] = []
        counts = []
        for seed in range(seeds):
            result, steps = run_once(case, seed, data_root)
            say(f"{case.what}, seed {seed}: {steps} steps, " + _listed(result))
            scores.append(result)
            counts.append(steps)
        rows += [_row(case, name, scores, counts) for name in case.aims]
    return rows


def against_reference(data_root: str, say: Callable[[str], None]) -> list[Row]:
    """How long the tutorial DCGAN takes for what ours draws after three seconds."""
    case = Case("", "digits", {"seconds": 3}, {})
    ours, _ = run_once(case, 0, data_root)
    say(f"ours after 3 s: {_listed(ours)}")
    theirs: dict[float, float] = {}
    for seconds, seen, pictures in reference.train(Path(data_root), (30.0, 300.0)):
        theirs[round(seconds)] = score(pictures, None, "mnist", data_root)["frechet"]
        say(
            f"reference after {seconds:.0f} s, {seen} pictures: Frechet distance {theirs[round(seconds)]:.3g}"
        )
    best = min(theirs.values())
    listed = ", ".join(f"{value:.3g} after {seconds} s" for seconds, value in theirs.items())
    ratio = ">= 100" if best > ours["frechet"] else "below 100"
    result = f"ours {ours['frechet']:.3g} after 3 s, the tutorial's {listed}: time ratio {ratio}"
    return [
        Row("Fréchet distance on MNIST against the tutorial DCGAN", "ours in 3 s < theirs in 300 s", result)
    ]


def _row(case: Case, name: str, scores: Sequence[Scores], steps: Sequence[int]) -> Row:
    comparison, limit = case.aims[name]
    values = [s[name] for s in scores]
    aim = f"{comparison} {limit:g}" if limit else f"{comparison} ({scores[0]['floor']:.3g})"
    digits = 5 if name == "class_kl" else 3 if max(values) < 1.5 else 2
    what = f"{case.what}: {name.replace('_', ' ')} ({min(steps)} to {max(steps)} steps)"
    return Row(what, aim, spread(values, digits))


def _listed(scores: Scores) -> str:
    names = ("frechet", "frechet_over_floor", "class_kl", "confidence", "agreement", "recall")
    return ", ".join(f"{name} {scores[name]:.4g}" for name in names if name in scores)
