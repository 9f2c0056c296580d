"""A run has one writer; one that is parked goes on as if it had never stood still."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gan_core.checkpoints import read_tensors
from gan_core.cli import main
from gan_core.config import TrainConfig, from_mapping
from gan_core.errors import RunError
from gan_core.runs import RunPaths, control, create_run, read_lines, read_settings
from gan_core.runs.lock import only_writer
from gan_core.runs.reader import checkpoint_steps, status_as_written
from gan_core.runs.writer import amend_status
from gan_core.training import train
from gan_core.training.snapshot import FILE

SMALL = {"dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4, "latent": 8, "batch": 16, "steps": 12,
         "precision": "fp32", "memory_format": "contiguous", "threads": 1, "device": "cpu"}  # fmt: skip


@pytest.fixture
def config() -> TrainConfig:
    return from_mapping(SMALL)


def tensors(run: RunPaths) -> dict[str, torch.Tensor]:
    return read_tensors(run.checkpoint(12) / FILE)


def test_a_parked_run_that_goes_on_equals_one_that_never_stood_still(
    config: TrainConfig, tmp_path: Path
) -> None:
    whole, parked = create_run(tmp_path, config), create_run(tmp_path, config)
    for _ in train(config, whole):
        pass
    for record in train(config, parked):
        if record.step == 5:
            control.send(parked, "pause")
            control.park(parked, control.in_force(parked))
    status = status_as_written(parked)
    assert (status.state, status.step, status.parked, status.messages) == ("paused", 5, True, ())
    assert checkpoint_steps(parked)[-1] == 5 and parked.generator.is_file()
    control.send(parked, "run")
    steps = [record.step for record in train(config, parked, resume=True)]
    assert steps == list(range(6, 13)) and status_as_written(parked).state == "finished"
    assert [r["step"] for r in read_lines(parked.metrics)[0]] == [
        r["step"] for r in read_lines(whole.metrics)[0]
    ]
    expected, found = tensors(whole), tensors(parked)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_run_that_trains_cannot_be_trained_by_another(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_core.training.loop.HAND_OVER", 0.1)
    run = create_run(tmp_path, config)
    first = train(config, run)
    next(first)
    before = status_as_written(run)
    with pytest.raises(RunError, match=f"Run {run.id} is written by another process"):
        next(train(config, run))
    assert status_as_written(run) == before, "and nothing of it was touched"
    assert [record.step for record in first][-1] == 12
    with only_writer(run):
        pass  # it has let go


def test_resume_on_the_command_line_is_refused_while_another_writes(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gan_core.training.loop.HAND_OVER", 0.1)
    run = create_run(tmp_path, config)
    for _ in train(config, run):
        pass
    amend_status(run, state="stopped")
    with only_writer(run):
        for flags in (["--steps", "20"], []):
            assert main(["resume", str(run.path), "--quiet", *flags]) == 2
            words = capsys.readouterr().err
            assert "is written by another process" in words and len(words.splitlines()) == 1
        assert read_settings(run)[1] == config, "nor are its settings"
    assert main(["resume", str(run.path), "--quiet", "--steps", "14"]) == 0
    assert status_as_written(run).step == 14


def test_training_that_runs_out_of_memory_says_so(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")

    run = create_run(tmp_path, config)
    monkeypatch.setattr("gan_core.training.loop.train_iteration", greedy)
    with pytest.raises(RuntimeError):
        list(train(config, run))
    status = status_as_written(run)
    assert status.state == "failed" and status.message.startswith("Memory ran out: it needed more")
