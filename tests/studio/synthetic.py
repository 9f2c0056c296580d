"""A run directory written by hand, for tests of what reads one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_core.images import webp
from gan_core.presets import settings
from gan_core.runs.layout import RunPaths, create_run
from gan_core.runs.writer import RunWriter, amend_status

SMALL = {"dataset": "glyphs", "seconds": 10.0}


def metrics(step: int) -> dict[str, float]:
    """The record of one step, shaped like a real one."""
    fall = math.exp(-step / 300)
    return {
        "step": step, "images": 64 * step, "seconds": step / 70,
        "loss/D": 1.3 - 0.4 * math.sin(step / 50) * fall, "loss/G": 0.8 + fall,
        "score/D(x)": 0.6 + 0.2 * fall, "score/D(G(z))": 0.4 - 0.2 * fall,
        "accuracy/real": 0.7, "accuracy/fake": 0.65,
        "gradient/D": 0.5 + fall, "gradient/G": 0.7 + fall,
        "speed/images per second": 4200.0,
        "learning_rate/G": 0.008 * (1 - step / 2000), "learning_rate/D": 0.008,
    }  # fmt: skip


def grid(seed: int) -> bytes:
    """A 10 x 8 grid of noise as WebP."""
    return webp(Image.fromarray(np.random.default_rng(seed).integers(0, 255, (256, 320), np.uint8)))


def make_run(
    root: Path, *, steps: int = 200, state: str = "finished", owner: str = "", **changes: Any
) -> RunPaths:
    """A run of `steps` steps with curves and three sample grids, as it looks in `state`."""
    run = create_run(root, settings("glyphs", SMALL | changes), "glyphs", owner=owner)
    writer = RunWriter(run)
    writer.real(grid(1))
    for step in (0, steps // 2, steps):
        writer.sample(step, grid(step))
    for step in range(10, steps + 1, 10):
        writer.record(metrics(step))
    progress = {"step": steps, "images": 64 * steps, "seconds": steps / 70, "images_per_second": 4200.0}
    writer.update(**progress)
    if state in ("running", "paused"):
        writer.update(state=state)
    else:
        amend_status(run, state=state)
    return run
