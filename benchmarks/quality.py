"""Does it learn, and how fast? Runs of the shipped presets, scored on 10,000 pictures, over several seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import reference
from benchmarks.cases import Case, Scores, run_once
from benchmarks.losses import losses
from benchmarks.points import points
from benchmarks.stacked import stacked
from benchmarks.sturdy import SECONDS, sturdy
from benchmarks.table import Row, spread
from gan_core.metrics import score

CASES = (
    Case("MNIST, 5 s", "digits", {"seconds": 5}, {"confidence": (">=", 0.97), "agreement": (">=", 0.95)}),
    Case("MNIST, 10 s", "digits", {"seconds": 10}, {
        "confidence": (">=", 0.985), "class_kl": ("<=", 0.001), "agreement": (">=", 0.98),
        "frechet_over_floor": ("<=", 8.0)}),
    Case("MNIST, 60 s", "digits", {"seconds": 60}, {
        "frechet_over_floor": ("<=", 2.5), "agreement": (">=", 0.99)},
        anchor="real pictures .994"),
    Case("MNIST, 10 s, fp32 forced", "digits", {"seconds": 10, "precision": "fp32"},
         {"confidence": (">=", 0.98)}),
    Case("MNIST without labels, 60 s", "unlabelled", {"seconds": 60}, {
        "confidence": (">=", 0.96), "frechet_over_floor": ("<=", 6.0), "class_kl": ("<=", 0.003)}),
    Case("Fashion-MNIST, 60 s", "fashion", {"seconds": 60}, {
        "confidence": (">=", 0.90), "class_kl": ("<=", 0.003), "agreement": (">=", 0.90),
        "frechet": ("beside its floor", 0.0)}, anchor="real pictures' agreement .928"),
    Case("Fashion-MNIST, 120 s", "fashion", {"seconds": 120}, {
        "frechet_over_floor": ("<=", 15.0), "recall": ("beside real pictures'", 0.0)}),
)  # fmt: skip


def quality(seeds: int | None, data_root: str, say: Callable[[str], None], only: str = "",
            seconds: float = SECONDS) -> list[Row]:  # fmt: skip
    """One row a case and metric, over `seeds` seeds: three, and ten for points, unless a number is given.

    `seconds` is how long sturdy trains.
    """
    rows = points(seeds or 10, say, only)
    seeds = seeds or 3
    for case in (case for case in CASES if only in case.what):
        scores: list[Scores] = []
        counts = []
        for seed in range(seeds):
            result, status = run_once(case, seed, data_root)
            say(f"{case.what}, seed {seed}: {status['step']} steps, " + _listed(result))
            scores.append(result)
            counts.append(status["step"])
        rows += [_row(case, name, scores, counts) for name in case.aims]
    for more in (losses, stacked):
        rows += more(seeds, data_root, say, only)
    return rows + sturdy(seeds, data_root, say, only, seconds)


def against_reference(data_root: str, say: Callable[[str], None]) -> list[Row]:
    """How long the tutorial DCGAN, which is told no labels, takes for what ours draws after three seconds."""
    ours: dict[str, float] = {}
    for preset, known in (("digits", "with labels"), ("unlabelled", "without")):
        result, _ = run_once(Case("", preset, {"seconds": 3}, {}), 0, data_root)
        say(f"ours {known} after 3 s: {_listed(result)}")
        ours[known] = result["frechet"]
    theirs: dict[float, float] = {}
    for seconds, seen, pictures in reference.train(Path(data_root), (30.0, 300.0)):
        theirs[round(seconds)] = score(pictures, None, "mnist", data_root)["frechet"]
        say(
            f"reference after {seconds:.0f} s, {seen} pictures: Frechet distance {theirs[round(seconds)]:.3g}"
        )
    best = min(theirs.values())
    listed = ", ".join(f"{value:.3g} after {seconds} s" for seconds, value in theirs.items())
    mine = ", ".join(
        f"{value:.3g} {known} (time ratio {'>=' if best > value else 'below'} 100)"
        for known, value in ours.items()
    )
    return [
        Row("Fréchet distance on MNIST against the tutorial DCGAN, which knows no labels",
            "ours in 3 s < theirs in 300 s", f"ours after 3 s {mine}; the tutorial's {listed}")
    ]  # fmt: skip


def _row(case: Case, name: str, scores: Sequence[Scores], steps: Sequence[int]) -> Row:
    comparison, limit = case.aims[name]
    values = [s[name] for s in scores]
    beside = scores[0]["floor" if name == "frechet" else f"{name}_real"] if not limit else 0.0
    aim = f"{comparison} {limit:g}" if limit else f"{comparison} ({beside:.3g})"
    digits = 5 if name == "class_kl" else 3 if max(values) < 1.5 else 2
    what = f"{case.what}: {name.replace('_', ' ')} ({min(steps)} to {max(steps)} steps)"
    what += f"; {case.anchor}" if case.anchor and name == "agreement" else ""
    return Row(what, aim, spread(values, digits))


def _listed(scores: Scores) -> str:
    names = ("frechet", "frechet_over_floor", "class_kl", "confidence", "agreement", "recall")
    return ", ".join(f"{name} {scores[name]:.4g}" for name in names if name in scores)
