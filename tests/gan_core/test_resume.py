"""kill -9 in the midst of training, then `resume`: all that the run is equals the run never interrupted.

To prove another setting, add a row to `CASES`.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from gan_core import presets
from gan_core.checkpoints import read_tensors
from gan_core.cli import main
from gan_core.runs import branch, create_run, read_settings, read_status
from gan_core.runs.layout import RunPaths
from gan_core.runs.lineage import curve
from gan_core.runs.reader import checkpoint_steps
from gan_core.training import train
from gan_core.training.snapshot import FILE, read_counters

ROOT = Path(__file__).resolve().parents[2]
STEPS, EVERY = 160, 20
SMALL = {"dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4, "latent": 8, "batch": 16,
         "log_every": 10, "precision": "fp32", "memory_format": "contiguous", "threads": 1,
         "steps": STEPS, "checkpoint_steps": EVERY, "disk_mb": 100.0}  # fmt: skip
CASES = {
    "plain": {"conditional": False},
    "conditional, lazy R1, spectral norm, dropout, EMA": {
        "penalty": "r1", "penalty_every": 4, "d_norm": "spectral", "d_dropout": 0.2, "ema_rampup": 0.2,
        "memory_format": "channels_last",
    },
    "conditional, ADA, lazy R1, dynamic schedule": {
        "penalty": "r1", "penalty_every": 4, "d_norm": "none", "augment": "translation-cutout",
        "ada_target": 0.3, "ada_images": 800, "schedule": "dynamic", "mode_seeking": 0.1,
        "real_augment": "rotation", "batch_end": 32,
    },
    "instance noise, augmentation, flips, two D steps": {
        "instance_noise": 0.2, "augment": "translation-cutout", "label_flip_prob": 0.1, "d_steps": 2,
        "schedule": "cosine", "optimiser": "rmsprop", "conditioning": "projection",
        "lr_g": 1e-3, "lr_d": 1e-3, "precision": "bf16", "memory_format": "channels_last",
    },
}  # fmt: skip


def flag(name: str, value: object) -> str:
    words = name.replace("_", "-")
    return f"--{words}={value}" if not isinstance(value, bool) else f"--{words}" if value else f"--no-{words}"


def killed(root: Path, settings: dict[str, object]) -> RunPaths:
    """A run whose process got a kill -9 at a random moment after its first checkpoint."""
    command = [sys.executable, "-m", "gan_core", "train", "--preset=glyphs", "--quiet", f"--runs={root}"]
    flags = [flag(name, value) for name, value in settings.items()]
    child = subprocess.Popen([*command, *flags], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while not (found := list(root.glob("2*/checkpoints/step-*"))):
            assert child.poll() is None, child.communicate()
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.2))
    finally:
        child.kill()
        child.communicate()
    assert child.returncode == -signal.SIGKILL
    return RunPaths(found[0].parent.parent)


def everything(run: RunPaths, step: int = STEPS) -> dict[str, torch.Tensor]:
    """Both networks, the EMA, both optimisers and all random numbers at the checkpoint of `step`."""
    return read_tensors(run.checkpoint(step) / FILE)


def assert_same(one: RunPaths, two: RunPaths, step: int = STEPS) -> None:
    a, b = everything(one, step), everything(two, step)
    assert a.keys() == b.keys() and len(a) > 30
    assert [name for name in a if not torch.equal(a[name], b[name])] == []
    counters = [read_counters(run.checkpoint(step)) for run in (one, two)]
    assert [c["step"] for c in counters] == [step] * 2 and counters[0]["images"] == counters[1]["images"]


@pytest.fixture(scope="module", params=CASES)
def whole(request, tmp_path_factory, environment) -> tuple[RunPaths, dict[str, object]]:
    """A run of each case that nothing ever interrupted, and its settings."""
    settings = {**SMALL, **CASES[request.param]}
    run = create_run(tmp_path_factory.mktemp("whole"), presets.settings("glyphs", settings), "glyphs")
    list(train(presets.settings("glyphs", settings), run))
    return run, settings


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
def test_killed_and_resumed_it_equals_the_run_never_interrupted(whole, tmp_path, capsys):
    calm, settings = whole
    run = killed(tmp_path, settings)
    assert read_settings(run) == read_settings(calm)
    reached = checkpoint_steps(run)[-1]
    assert EVERY <= reached < STEPS and read_status(run).state == "running", "it was killed under way"
    torch.manual_seed(12345)  # another process has drawn other numbers
    assert main(["resume", str(run.path), "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(run.path)
    assert f"Resumed from step-{reached:06d}" in run.log.read_text()
    for step in range(EVERY * (reached // EVERY + 1), STEPS + 1, EVERY):
        assert_same(calm, run, step)
    curves = [{line["step"]: line["loss/D"] for line in curve(r)} for r in (calm, run)]
    assert curves[0] == curves[1], "each point is that of the run never interrupted"


def test_a_branch_without_changes_equals_its_parent(whole):
    parent, settings = whole
    config = presets.settings("glyphs", settings)
    child = branch(parent, 3 * EVERY, config, config, "glyphs")
    torch.manual_seed(12345)
    list(train(config, child, resume=True))
    assert_same(parent, child)
