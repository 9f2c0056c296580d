"""The ring of eight and the grid of twenty-five: does every seed find every place?"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.cases import Case, run_once
from benchmarks.table import Row, spread

SAMPLES = 2500  # as in Lin et al. 2018, arXiv 1712.04086
SECONDS = 30.0
AIMS = {"within_3_sigma": (">=", 0.95), "reverse_kl": ("<=", 0.05)}
CASES = (
    Case("ring of 8", "ring", {}, {"modes": (">=", 8), **AIMS}, SAMPLES,
         "PacGAN2 7.9 modes, 95.6 % within, KL .07; VEEGAN 8, 52.9 %; GAN 6.3, 98.2 %, .45"),
    Case("grid of 25", "grid", {}, {"modes": (">=", 25), **AIMS}, SAMPLES,
         "PacGAN4 24.8 modes, 93.6 % within, KL .04; VEEGAN 24.6, 40 %; GAN 17.3, 94.8 %, .70"),
)  # fmt: skip


def reached(scores: dict[str, float], case: Case) -> bool:
    """Whether all aims of the case are reached."""
    return all(
        scores[name] >= limit if sign == ">=" else scores[name] <= limit
        for name, (sign, limit) in case.aims.items()
    )


def points(seeds: int, say: Callable[[str], None], only: str = "") -> list[Row]:
    """One row a case: how many seeds reach everything, and the spread of each number."""
    return [_row(case, seeds, say) for case in CASES if only in case.what]


def _row(case: Case, seeds: int, say: Callable[[str], None]) -> Row:
    scores, seconds = [], []
    for seed in range(seeds):
        result, status = run_once(case, seed, "")
        say(f"{case.what}, seed {seed}: {status['seconds']:.1f} s, {result}")
        scores.append(result)
        seconds.append(status["seconds"])
    good = sum(reached(result, case) for result in scores)
    listed = ", ".join(
        f"{name.replace('_', ' ')} {spread([s[name] for s in scores], 1 if name == 'modes' else 3)}"
        for name in case.aims
    )
    aims = ", ".join(f"{name.replace('_', ' ')} {sign} {aim:g}" for name, (sign, aim) in case.aims.items())
    return Row(f"{case.what} ({case.anchor})", f"{aims}, < {SECONDS:g} s",
               f"{good} of {seeds} seeds; {listed}; {spread(seconds, 1)} s")  # fmt: skip
