"""Branches, new budgets, and second tries after divergence. A kill in the midst: test_resume.py."""

import dataclasses
import json
import shlex
from pathlib import Path

import pytest
import torch

from gan_core.cli import main
from gan_core.config import from_mapping
from gan_core.errors import ConfigError, RunError, TrainingDiverged, WeightsError
from gan_core.optimisers import OPTIMISERS
from gan_core.runs import RunWriter, branch, create_run, read_lines, read_settings, read_status
from gan_core.runs.control import send
from gan_core.runs.layout import RunPaths
from gan_core.runs.lineage import parent_of
from gan_core.runs.reader import read_verdicts, sample_steps, status_as_written
from gan_core.sampling import Sampler
from gan_core.training import train
from gan_core.training.compute import ComputeConfig
from gan_core.training.session import open_session
from gan_core.training.snapshot import read_counters

SMALL = {"dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4, "latent": 8, "batch": 16,
         "log_every": 5, "precision": "fp32", "memory_format": "contiguous", "threads": 1}  # fmt: skip
HARD = {"penalty": "r1", "penalty_every": 4, "d_norm": "none", "augment": "translation-cutout",
        "d_dropout": 0.2, "instance_noise": 0.1, "label_flip_prob": 0.1, "optimiser": "rmsprop",
        "ada_target": 0.3, "ada_images": 400, "schedule": "dynamic", "real_augment": "shift-rotation",
        "mode_seeking": 0.1, "g_steps": 2, "batch_end": 32}  # fmt: skip


def config(**changes):
    return from_mapping({**SMALL, **changes})


def weights(run):
    return Sampler.load(run.path).generator.state_dict()


def same(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


def stopped_at(step, settings, root):
    run = create_run(root, settings)
    for record in train(settings, run):
        if record.step == step:
            send(run, "stop")
    return run


def diverged(run):
    """The steps at which the run ended by itself; what the doctor says is no matter here."""
    return [verdict.step for verdict in read_verdicts(run) if verdict.kind == "diverged"]


def sick_at(monkeypatch, steps):
    """Diverge once at each of `steps`; every (step, learning rate of G) as it was recorded."""
    from gan_core.training import loop

    seen, left = [], set(steps)

    def sick(session, d, g):
        step = session.state.step
        seen.append((step, session.config.lr_g))
        if step in left:
            left.remove(step)
            return loop._diverged(session, "loss/D")
        return {}

    monkeypatch.setattr(loop, "_record", sick)
    return seen


@pytest.mark.parametrize("changes", [HARD, {**HARD, "conditional": False, "optimiser": "sgd", "beta1": 0.0}])
def test_chance_goes_on_where_it_was(tmp_path, changes):
    """Dropout, augmentation, flips, noise and a lazy penalty all draw random numbers."""
    settings = config(steps=24, **changes)
    whole = create_run(tmp_path, settings)
    list(train(settings, whole))
    halves = stopped_at(11, settings, tmp_path)
    send(halves, "run")
    torch.manual_seed(999)  # another process has drawn other numbers
    list(train(settings, halves, resume=True))
    assert same(weights(whole), weights(halves))


def test_resume_to_a_new_budget(tmp_path, capsys):
    settings = config(steps=10)
    run = create_run(tmp_path, settings, "glyphs")
    list(train(settings, run))
    assert main(["resume", str(run.path), "--steps", "16", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(run.path)
    status = read_status(run)
    assert (status.state, status.step, status.budget["steps"]) == ("finished", 16, 16)
    preset, now = read_settings(run)
    assert (preset, now.steps, now.lr_g) == ("glyphs", 16, settings.lr_g)


def test_a_new_budget_leaves_the_parent_named(tmp_path, capsys):
    parent = stopped_at(6, config(steps=20), tmp_path)
    child = branch(parent, 6, config(steps=20), config(steps=8), "glyphs")
    before = json.loads(child.config.read_text())
    list(train(config(steps=8), child, resume=True))
    assert main(["resume", str(child.path), "--steps", "9", "--quiet"]) == 0
    after = json.loads(child.config.read_text())
    assert after["parent"] == before["parent"] == {"run": parent.id, "step": 6, "changed": {"steps": [20, 8]}}
    assert after["settings"] == before["settings"] | {"steps": 9} and after["preset"] == "glyphs"


def test_a_branch_begins_at_the_checkpoint_with_what_was_changed(tmp_path, capsys):
    parent = stopped_at(8, config(steps=20), tmp_path)
    before = {path.name: path.read_bytes() for path in parent.path.glob("*.json*")}
    assert main(["branch", str(parent.path), "--at", "8", "--lr-g", "0.001", "--steps", "12", "--quiet"]) == 0
    child = RunPaths(Path(capsys.readouterr().out.splitlines()[-1]))
    assert child.path.parent == parent.path.parent and child.id != parent.id
    assert read_status(child).step == 12 and read_lines(child.metrics)[0][0]["step"] in (9, 10)
    about = json.loads(child.config.read_text())
    assert about["parent"] == {"run": parent.id, "step": 8,
                               "changed": {"lr_g": [0.008, 0.001], "steps": [20, 12]}}  # fmt: skip
    assert about["settings"]["lr_g"] == 0.001
    assert {path.name: path.read_bytes() for path in parent.path.glob("*.json*")} == before
    assert child.real.read_bytes() == parent.real.read_bytes()


def test_a_branch_computes_as_its_own_settings_say(tmp_path, capsys):
    """What the new settings fix replaces what the checkpoint's machine was; the rest is taken over."""
    parent = stopped_at(6, config(steps=20), tmp_path)
    flags = ["--precision", "bf16", "--threads", "2", "--memory-format", "auto", "--steps", "8", "--quiet"]
    assert main(["branch", str(parent.path), "--at", "6", *flags]) == 0
    child = RunPaths(Path(capsys.readouterr().out.splitlines()[-1]))
    assert read_counters(parent.checkpoint(6))["compute"] == ComputeConfig("cpu", "fp32", "contiguous", 1)
    assert read_counters(child.checkpoint(8))["compute"] == ComputeConfig("cpu", "bf16", "contiguous", 2)


def test_a_branch_is_warned_of_what_does_not_go_together(tmp_path, capsys):
    parent = stopped_at(6, config(steps=20), tmp_path)
    changes = ["--loss", "wasserstein", "--steps", "7", "--quiet"]
    assert main(["branch", str(parent.path), "--at", "6", *changes]) == 0
    assert capsys.readouterr().err.startswith("Note: The Wasserstein game needs a limit")


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_branch_with_another_optimiser_begins_its_moments_afresh(tmp_path, optimiser):
    old = config(steps=20, optimiser="sgd" if optimiser == "adam" else "adam")
    parent = stopped_at(3, old, tmp_path)
    new = config(steps=6, optimiser=optimiser, beta1=0.5)
    for asked, kept in ((new, False), (dataclasses.replace(old, lr_g=0.001), True)):
        child = branch(parent, 3, old, asked, "")
        state = open_session(asked, RunWriter(child), resume=True).state
        for optimizer in (state.g_optimizer, state.d_optimizer):
            assert any(optimizer.state.values()) == (kept and old.optimiser != "sgd")
    child = branch(parent, 3, old, new, "")
    assert list(train(new, child, resume=True))[-1].step == 6


@pytest.mark.parametrize(("beta1", "kept"), [(0.9, True), (0.0, False)])
def test_sgd_without_momentum_takes_none_over(tmp_path, beta1, kept):
    old = config(steps=20, optimiser="sgd", beta1=0.5)
    new = dataclasses.replace(old, beta1=beta1)
    child = branch(stopped_at(3, old, tmp_path), 3, old, new, "")
    state = open_session(new, RunWriter(child), resume=True).state
    for optimizer in (state.g_optimizer, state.d_optimizer):
        moments = [moment for of_one in optimizer.state.values() for moment in of_one.values()]
        assert any(torch.is_tensor(moment) for moment in moments) == kept


def test_a_branch_has_no_first_weights_to_choose(tmp_path, capsys):
    """It would train the same, and say that it was changed."""
    old = config(steps=20, initialisation="xavier")
    parent = stopped_at(6, old, tmp_path)
    asked = {"initialisation": "orthogonal", "start_from": str(parent.path)}
    for name, value in asked.items():
        said = f"A branch begins with its checkpoint's weights: leave {name} as it was."
        with pytest.raises(ConfigError) as error:
            branch(parent, 6, old, dataclasses.replace(old, **{name: value}), "")
        assert str(error.value) == said and [p.field for p in error.value.problems] == [name]
        flag = f"--{name.replace('_', '-')}"
        assert main(["branch", str(parent.path), "--at", "6", flag, value, "--quiet"]) == 2
        assert said in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"leave initialisation .* leave start_from"):
        branch(parent, 6, old, dataclasses.replace(old, **asked), "")
    assert [path.name for path in tmp_path.iterdir()] == [parent.id], "nothing was begun"
    assert branch(parent, 6, old, dataclasses.replace(old, lr_g=0.001), "").config.is_file()


def test_a_branch_that_cannot_be(tmp_path, capsys):
    parent = stopped_at(6, config(steps=20), tmp_path)
    with pytest.raises(RunError, match=r"no checkpoint of step 7; there are: 6\."):
        branch(parent, 7, config(steps=20), config(steps=20), "")
    assert main(["branch", str(parent.path), "--at", "6", "--g-width", "8", "--quiet"]) == 2
    assert "does not fit these settings" in capsys.readouterr().err


def test_after_divergence_it_goes_back_with_half_the_learning_rates_as_often_as_asked(tmp_path, monkeypatch):
    seen = sick_at(monkeypatch, {4, 7})
    settings = config(steps=9, retries=2, log_every=1, checkpoint_steps=3)
    run = create_run(tmp_path, settings)
    list(train(settings, run))
    assert read_status(run).state == "finished"
    first = [(step, 0.008) for step in (1, 2, 3, 4)]  # nothing to go back to before step 3
    second = [(step, 0.004) for step in (4, 5, 6, 7)]  # from step 3 on, and then from step 6 on
    assert seen == [*first, *second, (7, 0.002), (8, 0.002), (9, 0.002)]
    assert "once more with learning rates 0.004" in run.log.read_text()
    assert run.log.read_text().count("Resumed from step-00000") == 2
    _, now = read_settings(run)
    assert (now.lr_g, now.lr_d, now.retries) == (0.002, 0.002, 0)


def test_it_goes_back_to_the_very_weights_of_the_checkpoint(tmp_path, monkeypatch):
    """As after a branch from the same checkpoint with half the learning rates."""
    sick_at(monkeypatch, {4})
    settings = config(steps=6, retries=1, log_every=1, checkpoint_steps=3)
    run = create_run(tmp_path, settings)
    list(train(settings, run))
    halved = config(steps=6, lr_g=0.004, lr_d=0.004, checkpoint_steps=3)
    child = branch(run, 3, settings, halved, "")
    list(train(halved, child, resume=True))
    assert same(weights(run), weights(child))


def test_grids_beyond_the_checkpoint_go_once_the_run_goes_on_from_it(tmp_path):
    settings = config(steps=20)
    run = stopped_at(8, settings, tmp_path)
    kept, files = sample_steps(run), sorted(run.samples.iterdir())
    for step in (9, 15, 30):  # as from a process that was killed after step 30, its last checkpoint of step 8
        RunWriter(run).sample(step, b"lost")
    with pytest.raises(WeightsError):
        list(train(config(steps=20, g_width=8), run, resume=True))
    assert sample_steps(run) == [*kept, 9, 15, 30], "a run that cannot go on loses nothing"
    open_session(settings, RunWriter(run), resume=True)  # and then it is killed
    assert sample_steps(run) == kept and kept[-1] == 8 and status_as_written(run).grid_step == 8
    assert sorted(run.samples.iterdir()) == files and run.real in files
    assert "Sample grids beyond step 8, from before it went back, were dropped: 3." in run.log.read_text()
    send(run, "run")
    list(train(config(steps=12), run, resume=True))
    assert sample_steps(run)[-1] == read_status(run).step == 12
    assert run.log.read_text().count("were dropped") == 1


def test_a_kill_while_grids_are_dropped_leaves_the_first_of_them_and_a_true_status(tmp_path, monkeypatch):
    run = create_run(tmp_path, config(steps=20))
    writer, unlink, dropped = RunWriter(run), Path.unlink, []
    for step in (0, 5, 8, 9, 15, 30):
        writer.sample(step, b"grid")

    def killed(path, **options):
        if dropped:
            raise KeyboardInterrupt
        dropped.extend([path.name] if path.suffix == ".webp" else [])
        unlink(path, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", killed)
        writer.back_to(8)
    assert sample_steps(run) == [0, 5, 8, 9, 15] and status_as_written(run).grid_step == 8
    RunWriter(run).back_to(8)
    assert sample_steps(run) == [0, 5, 8]


def test_grids_of_a_try_that_diverged_before_any_checkpoint_go_with_it(tmp_path, monkeypatch):
    sick_at(monkeypatch, {7})
    settings = config(steps=9, retries=1, log_every=1, checkpoint_steps=50)
    run = create_run(tmp_path, settings)
    seen = [(record.step, sample_steps(run)) for record in train(settings, run)]
    assert [step for step, _ in seen] == [*range(1, 7), *range(1, 10)]
    assert {0, 1, 2, 5} <= set(seen[5][1]) and seen[6] == (1, [0, 1])


def test_a_run_that_diverged_names_the_way_back(tmp_path, monkeypatch, capsys):
    sick_at(monkeypatch, {5})
    settings = config(steps=6, checkpoint_steps=3, log_every=1)
    run = create_run(tmp_path, settings)
    with pytest.raises(TrainingDiverged, match="To go back with half of it, type") as caught:
        list(train(settings, run))
    assert str(caught.value).endswith("`, or train with --retries 2 next time.")
    command = shlex.split(str(caught.value).split("`")[1])
    assert command[:3] == ["python", "-m", "gan_core"]
    assert main([*command[3:], "--quiet"]) == 0
    child = RunPaths(Path(capsys.readouterr().out.splitlines()[-1]))
    assert (read_settings(child)[1].lr_g, read_settings(child)[1].lr_d) == (0.004, 0.004)
    assert read_status(child).step == 6 and parent_of(child).step == 3


def test_the_way_back_advises_no_second_tries_that_were_used_up(tmp_path, monkeypatch):
    """Once one was used up, after stop and resume too, more of them are no advice."""
    sick_at(monkeypatch, {4, 8})
    settings = config(steps=20, retries=1, log_every=1, checkpoint_steps=3)
    run = create_run(tmp_path, settings)
    for record in train(settings, run):
        if record.step == 6:
            send(run, "stop")
    (first,) = (verdict for verdict in read_verdicts(run) if verdict.kind == "diverged")
    assert (first.kind, first.step, first.figures) == ("diverged", 4, {"value": "loss/D", "retries": 1})
    send(run, "run")
    with pytest.raises(TrainingDiverged) as caught:
        list(train(read_settings(run)[1], run, resume=True))
    assert str(caught.value).endswith("--at 6 --lr-g 0.002 --lr-d 0.002`.")
    assert "To go back with half of it, type `" in str(caught.value) and "--retries" not in str(caught.value)


def test_without_a_checkpoint_it_begins_anew_and_no_more_often_than_asked(tmp_path, monkeypatch):
    seen = sick_at(monkeypatch, {2, 3})
    settings = config(steps=6, retries=1, log_every=1, checkpoint_steps=5)
    once = create_run(tmp_path, settings)
    with pytest.raises(TrainingDiverged):
        list(train(settings, once))
    assert [step for step, _ in seen] == [1, 2, 1, 2, 3]
    assert read_status(once).state == "failed" and len(diverged(once)) == 2


def test_second_tries_are_remembered_after_stop_and_resume(tmp_path, monkeypatch, capsys):
    seen = sick_at(monkeypatch, {4, 8})
    settings = config(steps=20, retries=1, log_every=1, checkpoint_steps=3)
    run = create_run(tmp_path, settings)
    for record in train(settings, run):
        if record.step == 6:
            send(run, "stop")
    assert main(["resume", str(run.path), "--quiet"]) == 2, "no try is left for step 8"
    assert "Training diverged at step 8" in capsys.readouterr().err
    assert seen[-2:] == [(7, 0.004), (8, 0.004)]
