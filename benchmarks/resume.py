"""Does a run that was killed go on as if it never was? And what do checkpoints cost?"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.table import Row
from gan_core.checkpoints import read_tensors
from gan_core.config import TrainConfig
from gan_core.presets import settings
from gan_core.runs import RunPaths, RunWriter, create_run, read_lines
from gan_core.runs.reader import checkpoint_steps
from gan_core.runs.retention import checkpoint_sizes
from gan_core.training import train
from gan_core.training.session import open_session
from gan_core.training.snapshot import FILE

STEPS, EVERY = 200, 25
FIXED = ["--preset=glyphs", f"--steps={STEPS}", f"--checkpoint-steps={EVERY}", "--log-every=1", "--quiet",
         "--precision=fp32", "--memory-format=channels_last", "--threads=1"]  # fmt: skip
CASES: dict[str, list[str]] = {
    "plain": ["--no-conditional"],
    "conditional, lazy R1, spectral norm, dropout": [
        "--penalty=r1", "--penalty-every=8", "--d-norm=spectral", "--d-dropout=0.2",
    ],
    "instance noise, augmentation, flips, 2 D steps": [
        "--instance-noise=0.2", "--augment=translation-cutout", "--label-flip-prob=0.1", "--d-steps=2",
    ],
}  # fmt: skip
SAVES = 15


def resume(seeds: int, say: Callable[[str], None], only: str = "") -> list[Row]:
    """A row for each case and seed, and one for each pair of networks on what a save takes."""
    rows = []
    for case, flags in CASES.items():
        for seed in range(seeds) if only in case else ():
            result = _killed(seed, flags)
            say(f"{case}, seed {seed}: {result}")
            rows.append(Row(f"kill -9, then resume: {case}, seed {seed}", "equal", result))
    for preset in ("glyphs", "textbook") if only in "save" else ():
        rows.append(_saves(preset))
        say(f"{rows[-1].what}: {rows[-1].result}")
    return rows


def _killed(seed: int, flags: list[str]) -> str:
    """Where it was killed, where it went on from, and whether the last state is that of a calm run."""
    flags = [*FIXED, *flags, f"--seed={seed}"]
    with tempfile.TemporaryDirectory() as folder:
        calm, hurt = Path(folder, "calm"), Path(folder, "hurt")
        subprocess.run(_command("train", f"--runs={calm}", *flags), check=True, stdout=subprocess.DEVNULL)
        child = subprocess.Popen(_command("train", f"--runs={hurt}", *flags), stdout=subprocess.DEVNULL)
        while not (found := list(hurt.glob("2*/checkpoints/step-*"))) and child.poll() is None:
            time.sleep(0.01)
        whole = RunPaths(next(calm.iterdir()))
        seconds = read_lines(whole.metrics)[0][-1]["seconds"]
        time.sleep(random.uniform(0, 0.6) * seconds)
        child.kill()
        child.wait()
        run = RunPaths(found[0].parent.parent)
        died, reached = read_lines(run.metrics)[0][-1]["step"], checkpoint_steps(run)[-1]
        subprocess.run(_command("resume", str(run.path), "--quiet"), check=True, stdout=subprocess.DEVNULL)
        one, two = (read_tensors(r.checkpoint(STEPS) / FILE) for r in (whole, run))
        wrong = [name for name in one if not torch.equal(one[name], two[name])]
    equal = f"{len(wrong)} DIFFER" if wrong else f"all {len(one)} tensors of the state equal bit for bit"
    return f"killed at {died}, resumed from {reached}, at {STEPS} {equal}"


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "gan_core", *words]


def _saves(preset: str) -> Row:
    """How long training stands still for a save, and the share of the default interval that it is."""
    config = settings(preset, {"dataset": "glyphs", "precision": "fp32", "memory_format": "channels_last",
                               "threads": 1, "steps": 2})  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = create_run(Path(folder), config)
        list(train(config, run))  # two steps, so that the optimisers have something to save
        session, times = open_session(config, RunWriter(run), resume=True), []
        for step in range(SAVES):
            session.state.step = 100 + step  # a step is saved once
            begin = time.perf_counter()
            session.save()
            times.append(time.perf_counter() - begin)
        size = checkpoint_sizes(run)[99 + SAVES]
    took, interval = statistics.median(times), TrainConfig().checkpoint_seconds
    return Row(f"A save of {preset} ({config.network}, width {config.g_width}), {size / 1e6:.0f} MB",
               f"<= 1 % of {interval:g} s",
               f"{1000 * took:.0f} ms ({1000 * min(times):.0f} to {1000 * max(times):.0f}), "
               f"{took / interval:.2%}")  # fmt: skip
