"""Runs, checkpoints and weights made before the names changed open, sample, resume and branch.

The two runs in fixtures/old_names were made by commit 192180b; see `gan_core.old_names`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gan_core import old_names
from gan_core.checkpoints import read_header, read_tensors, save_tensors
from gan_core.cli import main
from gan_core.config import TrainConfig
from gan_core.metrics.classifier import ClassifierNetwork, ClassifierShape, read_classifier, save_classifier
from gan_core.runs import RunPaths, list_runs, read_lines, read_settings
from gan_core.runs.reader import checkpoint_steps
from gan_core.sampling import Sampler
from gan_core.training.snapshot import FILE, read_counters

FIXTURES = Path(__file__).parent / "fixtures" / "old_names"
LABELLED, CODES = "20261124-185152-glyphs-digits-266b", "20261124-185217-glyphs-digits-316e"


@pytest.fixture(params=[LABELLED, CODES])
def run(request, tmp_path) -> RunPaths:
    """A copy of one of the runs: it may be written to."""
    shutil.copytree(FIXTURES / request.param, tmp_path / request.param)
    return RunPaths(tmp_path / request.param)


def test_every_old_setting_is_in_a_fixture_and_none_is_a_name_of_today():
    saved = json.loads((FIXTURES / LABELLED / "config.json").read_text())["settings"]
    assert set(old_names.SETTINGS) < set(saved)
    assert not set(old_names.SETTINGS) & set(TrainConfig.__dataclass_fields__)
    assert set(old_names.SETTINGS.values()) <= set(TrainConfig.__dataclass_fields__)


def test_old_settings_keep_their_values():
    _, config = read_settings(RunPaths(FIXTURES / LABELLED))
    assert (config.real_label, config.label_flip_prob, config.dataset_limit) == (0.9, 0.1, 500)
    assert (config.ema_rampup, config.ema_half_life, config.schedule) == (0.1, 2000, "dynamic")


def test_old_curves_have_the_names_of_today():
    lines, _ = read_lines(RunPaths(FIXTURES / LABELLED).metrics)
    assert {"learning_rate/G", "learning_rate/D", "learning_rate_share/D", "augment/probability"} < set(
        lines[-1]
    )
    assert not set(old_names.RECORDS) & set(lines[-1])


def test_an_old_run_is_listed_and_its_generator_draws(run):
    (status,) = list_runs(run.path.parent)
    assert (status.state, status.id) == ("finished", run.id)
    pictures, _ = Sampler.load(run.path).sample(20, seed=1)
    assert pictures.shape == (20, 1, 16, 16) and pictures.std() > 0


def test_old_tensors_have_the_names_of_today():
    tensors = read_tensors(RunPaths(FIXTURES / LABELLED).checkpoint(20) / FILE)
    assert {"G.projection.linear.weight", "ema.projection.norm.weight"} < set(tensors)
    assert any(name.startswith("D.head.q_head.") for name in
               read_tensors(RunPaths(FIXTURES / CODES).checkpoint(12) / FILE))  # fmt: skip
    assert not any("seed" in name.split(".") or "reader" in name.split(".") for name in tensors)


def test_old_counters_go_on():
    counters = read_counters(RunPaths(FIXTURES / LABELLED).checkpoint(10))
    assert counters["compute"].precision == "fp32"
    assert counters["controllers"]["adaptive_augment"] == [0.00064, 1.0, 1.0]
    assert counters["controllers"]["d_lr_controller"] == [1.0, 0.7327319150125]


def test_an_old_run_is_resumed(run, capsys):
    last = checkpoint_steps(run)[-1]
    assert main(["resume", str(run.path), "--steps", str(last + 4), "--quiet"]) == 0
    steps = [line["step"] for line in read_lines(run.metrics)[0]]
    assert steps == sorted(set(steps)) and steps[-1] > last and checkpoint_steps(run)[-1] == last + 4


def test_an_old_run_is_branched(run, capsys):
    first = checkpoint_steps(run)[0]
    arguments = ["branch", str(run.path), "--at", str(first), "--lr-g", "0.001", "--steps", str(first + 2)]
    assert main([*arguments, "--quiet"]) == 0
    child = RunPaths(Path(capsys.readouterr().out.strip()))
    assert read_settings(child)[1].lr_g == 0.001 and checkpoint_steps(child)[-1] == first + 2


def test_a_classifier_written_before_opens(tmp_path):
    path = tmp_path / "classifier-things.safetensors"
    save_classifier(ClassifierNetwork(shape := ClassifierShape(1, 2)), shape, {}, path)
    save_tensors(path, read_tensors(path), read_header(path) | {"format": "gan_core.judge"})
    assert read_classifier(path).shape == shape
