"""Stacked MNIST: how many of the thousand classes are there, and how evenly?"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.cases import Case, run_once
from benchmarks.table import Row, spread
from gan_core.data import load
from gan_core.metrics import read_stacked, stacked_modes

SAMPLES = 26_000
AIMS = {"modes": (">=", 1000), "reverse_kl": ("<=", 0.06)}
CASE = Case("stacked MNIST, 30 min", "stacked", {}, AIMS, SAMPLES,
            "PacDCGAN 1000 modes, KL .06; R3GAN .029; DCGAN 99, 3.40")  # fmt: skip


def stacked(seeds: int, data_root: str, say: Callable[[str], None], only: str = "") -> list[Row]:
    """One row, with what as many real pictures score beside it."""
    if only not in CASE.what:
        return []
    real = stacked_modes(read_stacked(load("stacked-mnist", root=data_root).images[:SAMPLES]))
    scores = []
    for seed in range(seeds):
        result, status = run_once(CASE, seed, data_root)
        say(f"{CASE.what}, seed {seed}: {status['step']} steps, {result}")
        scores.append(result)
    modes, kl = ([one[name] for one in scores] for name in ("modes", "reverse_kl"))
    return [Row(f"{CASE.what} ({CASE.anchor})", "1000 modes, reverse KL <= 0.06",
                f"modes {spread(modes, 0)}, reverse KL {spread(kl)}; real pictures {real['modes']:.0f}, "
                f"{real['reverse_kl']:.3f}")]  # fmt: skip
