"""Does InfoGAN find the ten digits by itself? The preset's code against the labels that nobody told it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.table import Row, spread
from gan_core.runs import RunPaths, read_status
from gan_core.scoring import score_codes

WHAT = "InfoGAN, MNIST test: matched accuracy of the code"
AIM = 0.90


def infogan(seeds: int, data_root: str, say: Callable[[str], None], only: str = "") -> list[Row]:
    """One row: how often D's guess of the code names the digit, over `seeds` runs of the preset `infogan`."""
    if only not in WHAT:
        return []
    found, seconds = [], []
    for seed in range(seeds):
        accuracy, spent = run_once(seed, data_root)
        say(f"{WHAT}, seed {seed}: {accuracy:.3f} after {spent:.0f} s")
        found.append(accuracy)
        seconds.append(spent)
    return [Row(f"{WHAT} (up to {max(seconds):.0f} s)", f">= {AIM:g}", spread(found))]


def run_once(seed: int, data_root: str) -> tuple[float, float]:
    """Train one seed by the command line; the matched accuracy, and the seconds it trained."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gan_core", "train", "--preset", "infogan", f"--seed={seed}",
                   "--runs", folder, "--quiet", "--data-root", data_root]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (path,) = Path(folder).iterdir()
        run = RunPaths(path)
        return score_codes(run, data_root), read_status(run).seconds
