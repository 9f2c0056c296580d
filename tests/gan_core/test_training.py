"""Whole runs on a few drawn glyphs: what is written, resuming, stopping, and ending badly."""

import dataclasses
import json
from collections import Counter
from io import BytesIO
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gan_core.augment import REAL_AUGMENTS
from gan_core.config import TrainConfig, from_mapping
from gan_core.data import load
from gan_core.errors import ConfigError, DataError, RunError, TrainingDiverged
from gan_core.messages import Message
from gan_core.networks import build_pair
from gan_core.runs import RunWriter, create_run, read_lines, read_status
from gan_core.runs.control import send
from gan_core.runs.reader import checkpoint_steps, sample_steps
from gan_core.runs.writer import NullRunWriter
from gan_core.sampling import Sampler
from gan_core.seeds import stream_seed
from gan_core.training import iteration, speed, train, trial, warm_up
from gan_core.training.compute import ComputeConfig, choose_compute
from gan_core.training.loop import _steps
from gan_core.training.record import SampleGrid
from gan_core.training.schedule import Stopwatch, expected_images, progress, sample_gap, schedule_of
from gan_core.training.session import Session, open_session
from gan_core.training.setup import model_config
from gan_core.training.snapshot import read_counters
from gan_core.training.state import build_state

CURVES = {"step", "images", "seconds", "loss/D", "loss/G", "class/D", "class/G", "accuracy/real",
          "accuracy/fake", "gradient/D", "gradient/G", "speed/images per second", "learning_rate/G",
          "learning_rate/D"}  # fmt: skip
SMALL = {"dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4, "latent": 8, "batch": 16,
         "log_every": 5, "precision": "fp32", "memory_format": "contiguous", "threads": 1}  # fmt: skip


def config(**changes) -> TrainConfig:
    return from_mapping({**SMALL, **changes})


def run_to_end(run, settings, **options):
    return list(train(settings, run, **options))


def weights(run):
    return Sampler.load(run.path).generator.state_dict()


def opened(folder, settings):
    return open_session(settings, RunWriter(create_run(folder, settings)), resume=False)


def test_what_a_run_writes(tmp_path):
    settings = config(steps=60)
    run = create_run(tmp_path, settings, "digits")
    records = run_to_end(run, settings)
    assert [r.step for r in records] == list(range(1, 61))
    assert records[-1].images == 60 * 16
    status = read_status(run)
    assert (status.state, status.step, status.images, status.progress) == ("finished", 60, 960, 1.0)
    lines, _ = read_lines(run.metrics)
    assert [line["step"] for line in lines] == [*range(1, 11), *range(15, 61, 5)]
    assert all(line.keys() == {*CURVES, "score/D(x)", "score/D(G(z))"} for line in lines)
    assert lines[0]["learning_rate/G"] > lines[-1]["learning_rate/G"] > 0
    assert {0, 1, 2, 5, 10, 20, 35, 50, 60} <= set(sample_steps(run))
    with Image.open(run.sample(50)) as grid, Image.open(run.real) as real:
        assert grid.size == real.size == (10 * 16, 8 * 16)
    assert checkpoint_steps(run) == [60]
    info = Sampler.load(run.path).info
    assert info.pop("seconds") == round(status.seconds, 1)
    assert info == {"dataset": "glyphs", "class_names": list("0123456789"), "step": 60, "images": 960,
                    "seed": 0, "run": run.id, "licence": "made by this program; no restrictions"}  # fmt: skip
    assert json.loads(run.config.read_text())["settings"]["steps"] == 60


def test_each_term_and_whatever_moves_has_a_curve_of_its_own(tmp_path):
    settings = config(steps=1, loss="hinge", augment="translation", ada_target=0.6, schedule="dynamic",
                      mode_seeking=1.0, code_numbers=1, penalty="r1", d_norm="none")  # fmt: skip
    run = create_run(tmp_path, settings)
    run_to_end(run, settings)
    (line,) = read_lines(run.metrics)[0]
    assert line.keys() == {*CURVES, "code/D", "code/G", "mode_seeking/G", "penalty/D", "augment/probability",
                           "learning_rate_share/D"}  # fmt: skip


def test_the_same_seed_gives_the_same_weights(tmp_path):
    results = []
    for seed in (1, 1, 2):
        settings = config(steps=12, seed=seed)
        run = create_run(tmp_path, settings)
        run_to_end(run, settings)
        results.append(weights(run))
    key = "out.weight"
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])
    assert not torch.equal(results[0][key], results[2][key])


@pytest.mark.parametrize("changes", [{}, {"conditional": False, "d_steps": 2}, {"precision": "bf16"}])
def test_a_resumed_run_equals_one_never_stopped_bit_for_bit(tmp_path, changes):
    settings = config(steps=40, **changes)
    whole = create_run(tmp_path, settings)
    run_to_end(whole, settings)
    halves = create_run(tmp_path, settings)
    for record in train(settings, halves):
        if record.step == 17:
            send(halves, "stop")
    assert read_status(halves).state == "stopped" and checkpoint_steps(halves)[-1] == 17
    send(halves, "run")
    steps = [r.step for r in train(settings, halves, resume=True)]
    assert steps == list(range(18, 41))
    one, two = weights(whole), weights(halves)
    assert all(torch.equal(one[name], two[name]) for name in one)
    for line_one, line_two in zip(read_lines(whole.metrics)[0][-2:], read_lines(halves.metrics)[0][-2:]):
        assert line_one["loss/D"] == line_two["loss/D"]


def test_a_run_learns_from_as_many_of_the_first_pictures_as_asked_for(tmp_path):
    batch_sampler, every = (
        opened(tmp_path, config(steps=1, dataset_limit=24)).batch_sampler,
        load("glyphs", size=16),
    )
    assert torch.equal(batch_sampler.images, torch.from_numpy(every.images[:24].copy()))
    assert batch_sampler.labels.tolist() == every.labels[:24].tolist()


def test_a_run_changes_the_real_pictures_it_learns_from_as_asked_for(tmp_path):
    drawn = {}
    for name in ("none", "shift"):
        batch_sampler = opened(tmp_path, config(steps=1, real_augment=name)).batch_sampler
        torch.manual_seed(5)
        drawn[name] = batch_sampler.batch(0, 16).images
    torch.manual_seed(5)
    assert torch.equal(drawn["shift"], REAL_AUGMENTS["shift"](drawn["none"]))
    assert not torch.equal(drawn["shift"], drawn["none"])


def test_a_run_has_the_dropout_and_the_first_weights_asked_for(tmp_path):
    state = opened(tmp_path, config(steps=1, d_dropout=0.3, initialisation="orthogonal")).state
    assert [layer.p for layer in state.D.modules() if isinstance(layer, nn.Dropout)] == [0.3]
    weights = [p.flatten(1) for net in (state.G, state.D) for p in net.parameters() if p.ndim > 1]
    assert len(weights) >= 5
    for weight in weights:
        small = weight @ weight.T if len(weight) <= weight.shape[1] else weight.T @ weight
        assert torch.allclose(small, torch.eye(len(small)), atol=1e-4), "rows or columns at right angles"


def test_instance_noise_fades_as_a_run_goes_on(tmp_path, monkeypatch):
    sizes = []

    def spy(state, batch_sampler, config, objective, *others):
        sizes.append(objective.augment(torch.zeros(10_000)).std().item())
        return iteration.train_iteration(state, batch_sampler, config, objective, *others)

    monkeypatch.setattr("gan_core.training.loop.train_iteration", spy)
    settings = config(steps=4, instance_noise=0.4)
    run_to_end(create_run(tmp_path, settings), settings)
    assert sizes == pytest.approx([0.4, 0.3, 0.2, 0.1], rel=0.05)


def test_what_the_controller_leaves_of_d_s_learning_rate_is_taken(tmp_path):
    session = opened(tmp_path, config(steps=9, schedule="dynamic", lr_d=0.008, lr_g=0.002, lr_end=1.0))
    session.controllers.d_lr_controller.share = 0.25
    record = next(_steps(session))
    assert (record.metrics["learning_rate/D"], record.metrics["learning_rate/G"]) == pytest.approx(
        (0.002, 0.002)
    )


def test_a_resumed_run_goes_on_by_the_seconds_it_has_had(tmp_path):
    settings = config(steps=3, seconds=1000.0)
    session = opened(tmp_path, settings)
    session.state.seconds = 400.0
    session.save()
    first, *others = train(settings, session.writer.run, resume=True)
    assert 400 < first.seconds < 460 and 400 < read_status(session.writer.run).seconds < 460
    assert first.step == 1 and len(others) == 2


def test_dropping_the_iterator_saves_and_stops(tmp_path):
    settings = config(steps=1000)
    run = create_run(tmp_path, settings)
    list(islice(train(settings, run), 7))
    status = read_status(run)
    assert status.state == "stopped" and status.step == 7
    assert checkpoint_steps(run) == [7]


def test_pause_holds_and_costs_no_budget(tmp_path):
    import threading
    import time

    settings = config(steps=30)
    run = create_run(tmp_path, settings)
    steps = train(settings, run)
    for record in steps:
        if record.step == 5:
            break
    send(run, "pause")
    timer = threading.Timer(0.6, send, (run, "run"))
    begin, before = time.perf_counter(), record.seconds
    timer.start()
    record = next(steps)
    timer.join()
    assert time.perf_counter() - begin > 0.5, "it waited"
    assert record.seconds - before < 0.4, "the pause is not training time"
    assert [*steps][-1].step == 30


def test_resume_without_a_checkpoint_says_so(tmp_path):
    settings = config(steps=5)
    run = create_run(tmp_path, settings)
    with pytest.raises(RunError, match="no checkpoint"):
        run_to_end(run, settings, resume=True)
    assert read_status(run).state == "failed"


def test_divergence_ends_with_a_sentence_and_a_picture(tmp_path, monkeypatch):
    from gan_core import losses

    broken = losses.GanLoss(d=lambda r, f: r.mean() * float("nan"), g=lambda r, f: f.mean(), at_rest=(0, 0),
                            paper="", summary="")  # fmt: skip
    monkeypatch.setitem(losses.LOSSES, "non-saturating", broken)
    settings = config(steps=50)
    run = create_run(tmp_path, settings)
    with pytest.raises(TrainingDiverged, match="step 1: loss/D"):
        run_to_end(run, settings)
    status = read_status(run)
    assert status.state == "failed" and "no longer a finite number" in status.message
    assert read_lines(run.verdicts)[0][-1]["kind"] == "diverged"
    assert sample_steps(run)[-1] == 1


def test_divergence_after_the_last_point_of_the_curves_is_not_a_good_end(tmp_path):
    settings = config(steps=29, log_every=10_000)
    run = create_run(tmp_path, settings)

    def spoil(session, *_):
        if session.state.step == 15:
            for parameter in session.state.D.parameters():
                parameter.data.fill_(float("nan"))

    with pytest.MonkeyPatch.context() as patch, pytest.raises(TrainingDiverged, match="step 29"):
        patch.setattr("gan_core.training.loop._show", spoil)
        run_to_end(run, settings)
    assert read_status(run).state == "failed" and read_lines(run.verdicts)[0][0]["step"] == 29


def with_infinite_moments(patch, at):
    """From step `at` on D's second moments are infinite, as after gradients of 1e25; its weights are not."""
    left = [at]

    def spoil(session, *_):
        if session.state.step in left:
            left.remove(session.state.step)
            for moments in session.state.d_optimizer.state.values():
                moments["exp_avg_sq"].fill_(float("inf"))

    patch.setattr("gan_core.training.loop._show", spoil)


@pytest.mark.parametrize("optimiser, moment", [
    ("adam", "exp_avg_sq"), ("adamw", "exp_avg_sq"), ("rmsprop", "square_avg"), ("sgd", None),
])  # fmt: skip
def test_infinite_moments_are_not_sound(optimiser, moment):
    settings = config(steps=1, optimiser=optimiser)
    state = build_state(settings, model_config(settings), ComputeConfig())
    assert state.is_finite(), "there are no moments yet"
    for name, net, one in (("G", state.G, state.g_optimizer), ("D", state.D, state.d_optimizer)):
        first = next(net.parameters())
        first.grad = torch.full_like(first, 1e25)
        with torch.no_grad():
            kept = first.clone()
            one.step()
            assert first.isfinite().all()
            first.copy_(kept)
        assert state.first_nonfinite() == (f"moments/{name}" if moment else None)
        if moment:
            one.state[first][moment].fill_(1e30)
        assert state.is_finite(), "large, but finite: its square alone is not"
    next(state.ema.parameters()).fill_(float("nan"))
    assert state.first_nonfinite() == "weights/EMA" and not state.is_finite()


@pytest.mark.parametrize(("name", "kind"), [("G", "batch"), ("D", "spectral"), ("EMA", "batch")])
def test_buffers_that_are_not_finite_are_not_sound(name, kind):
    settings = config(steps=1, d_norm=kind)
    state = build_state(settings, model_config(settings), ComputeConfig())
    net = {"G": state.G, "D": state.D, "EMA": state.ema}[name]
    buffer = next(buffer for buffer in net.buffers() if buffer.is_floating_point())
    buffer.view(-1)[0] = float("inf")
    assert state.first_nonfinite() == f"buffers/{name}" and not state.is_finite()


def test_a_due_save_ends_a_run_whose_moments_are_infinite(tmp_path, monkeypatch):
    settings = config(steps=50, log_every=10_000, checkpoint_steps=5)
    run = create_run(tmp_path, settings)
    with_infinite_moments(monkeypatch, 12)
    with pytest.raises(TrainingDiverged, match="step 15: moments/D is no longer a finite number"):
        run_to_end(run, settings)
    assert read_status(run).state == "failed" and checkpoint_steps(run) == [5, 10]
    monkeypatch.undo()
    assert [record.step for record in run_to_end(run, config(steps=12), resume=True)] == [11, 12]


def test_infinite_moments_in_the_last_steps_are_not_a_good_end(tmp_path, monkeypatch):
    settings = config(steps=8, checkpoint_steps=5)
    run = create_run(tmp_path, settings)
    with_infinite_moments(monkeypatch, 7)
    with pytest.raises(TrainingDiverged, match="step 8: moments/D"):
        run_to_end(run, settings)
    assert read_status(run).state == "failed" and checkpoint_steps(run) == [5]


def test_a_run_goes_back_from_infinite_moments_where_it_may(tmp_path, monkeypatch):
    settings = config(steps=20, checkpoint_steps=5, retries=1)
    run = create_run(tmp_path, settings)
    with_infinite_moments(monkeypatch, 12)
    assert run_to_end(run, settings)[-1].step == 20
    assert read_status(run).state == "finished" and checkpoint_steps(run) == [5, 10, 15, 20]
    assert "Resumed from step-000010" in run.log.read_text()


def test_a_process_that_does_not_write_hears_of_an_unsound_state_and_ends_too(tmp_path):
    settings = config(steps=20)
    run = create_run(tmp_path, settings)
    session = open_session(settings, RunWriter(run), resume=False)
    told = SimpleNamespace(is_main=False, broadcast_control=lambda order, seconds: ("diverged", seconds))
    session.state.distributed, session.writer = told, NullRunWriter(run)
    with pytest.raises(TrainingDiverged):
        next(_steps(session))


def test_missing_data_fails_the_run_with_the_reason(tmp_path):
    nowhere = tmp_path.resolve() / "nowhere"
    settings = config(dataset="mnist", steps=5, data_root=str(nowhere))
    run = create_run(tmp_path / "runs", settings)
    with pytest.raises(DataError) as caught:
        run_to_end(run, settings)
    sentence = (
        f"MNIST is not here: there is no train-images-idx3-ubyte in {nowhere / 'MNIST' / 'raw'}. "
        f"Type `python -m gan_core datasets --download mnist --data-root {nowhere}` to fetch it, "
        "or give the folder that holds MNIST/raw with `--data-root DIR`."
    )
    assert str(caught.value) == sentence
    assert (read_status(run).state, read_status(run).message) == ("failed", sentence)


def test_real_pictures_stand_in_the_columns_of_their_classes():
    """The first eight of each class, one a row; a class without pictures shows the first of all."""
    settings = config(steps=1)
    sample_grid = SampleGrid(model_config(settings), seed=0)
    labels = np.arange(95)[::-1] % 9  # none of class 9, ten or eleven of each other
    images = np.arange(95, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 16, 16), np.uint8)
    with Image.open(BytesIO(sample_grid.real(images, labels))) as grid:
        shown = np.asarray(grid.convert("L")).reshape(8, 16, 10, 16)
    assert (shown == shown[:, :1, :, :1]).all(), "80 whole pictures"
    for column in range(9):
        assert shown[:, 0, column, 0].tolist() == np.flatnonzero(labels == column)[:8].tolist()
    assert shown[:, 0, 9, 0].tolist() == [0] * 8
    plain = SampleGrid(dataclasses.replace(model_config(settings), classes=0), seed=0)
    with Image.open(BytesIO(plain.real(images, labels))) as grid:
        shown = np.asarray(grid.convert("L"))[::16, ::16]
    assert shown.tolist() == np.arange(80).reshape(8, 10).tolist(), "without labels as they come"


def test_budget_is_whichever_is_met_first(tmp_path):
    settings = config(steps=1000, images=16 * 6, seconds=1000.0)
    assert progress(settings, step=500, images=0, seconds=0.0) == 0.5
    assert progress(settings, step=0, images=48, seconds=900.0) == 0.9
    run = create_run(tmp_path, settings)
    assert run_to_end(run, settings)[-1].step == 6


def test_pictures_of_the_whole_budget_are_told_by_the_pace_so_far():
    assert expected_images(config(images=4000), step=1, images=1000, seconds=7.0) == pytest.approx(4000)
    assert expected_images(config(steps=8), step=2, images=1000, seconds=7.0) == pytest.approx(4000)
    assert expected_images(config(seconds=60.0), step=2, images=1000, seconds=15.0) == pytest.approx(4000)
    several = config(seconds=60.0, steps=8)
    assert expected_images(several, step=4, images=1000, seconds=15.0) == pytest.approx(2000), "the nearer"
    assert expected_images(several, step=0, images=0, seconds=0.0) == float("inf")


@pytest.mark.parametrize("changes, reached", [
    ({"steps": 4}, (500, 1000, 1500, 1581.14)), ({"images": 4000}, (500, 1000, 1500, 1581.14)),
    ({"steps": 4, "ema_half_life": 700}, (500, 700, 700, 700)),
    ({"steps": 2, "d_steps": 2}, (1000, 1581.14)), ({"steps": 4, "ema_rampup": 0.0}, (0, 0, 0, 0)),
])  # fmt: skip
def test_smoothing_follows_the_budget_through_a_run(tmp_path, monkeypatch, changes, reached):
    """4,000 pictures in batches of 1,000: half of those seen, 25 x 63.25 at most."""
    taken: list[float] = []
    real_follow = iteration.update_ema
    monkeypatch.setattr(iteration, "update_ema", lambda *a: (taken.append(a[2]), real_follow(*a))[1])
    settings = from_mapping({"dataset": "ring", "network": "mlp-2d", "size": 1, "conditional": False,
                             "latent": 2, "g_width": 4, "d_width": 4, "batch": 1000, "ema_rampup": 0.5,
                             "threads": 1,
                             "precision": "fp32", "memory_format": "contiguous", **changes})  # fmt: skip
    run_to_end(create_run(tmp_path, settings), settings)
    assert taken == pytest.approx(reached)


def test_sample_grids_come_often_at_first_and_rarely_later():
    times = schedule_of(config(seconds=1000.0))
    shown = []
    for seconds in (t / 100 for t in range(1, 60_000)):
        if times.sample_due(1000, seconds):
            assert times.sample_due(1000, seconds), "asking changes nothing"
            times.samples.mark(seconds)
            shown.append(seconds)

    def between(a, b):
        return sum(a <= t < b for t in shown)

    assert 10 <= between(0, 3) <= 13, "about four a second"
    assert 22 <= between(3, 15) <= 26, "two a second"
    assert between(60, 120) < 30 and between(300, 600) < 30, "ever rarer"
    assert sample_gap(600) == 20
    assert all(schedule_of(config(seconds=9.0)).sample_due(step, 0.01) for step in (0, 1, 2, 5, 10, 200))


def test_what_is_due_is_done_and_then_waited_for(tmp_path, monkeypatch):
    """A step takes an eighth of a second here; its number alone brings about nothing."""
    settings = config(steps=100_000, checkpoint_seconds=1.0, score_seconds=0.0)
    session = open_session(settings, RunWriter(create_run(tmp_path, settings)), resume=False)
    done = Counter()
    for name in ("render_samples", "export", "report", "save"):
        monkeypatch.setattr(Session, name, lambda session, n=name: done.update([n]))
    session.state.step, session.watch = 1000, SimpleNamespace(seconds=0.0)
    for record in islice(_steps(session), 17):
        session.watch.seconds = (record.step - 1000) / 8
    assert done == Counter(render_samples=8, export=3, report=5, save=2), "in two seconds from the first step"


def test_the_stopwatch_does_not_count_what_is_skipped():
    watch = Stopwatch(5.0)
    before = watch.seconds
    watch.skip(lambda: __import__("time").sleep(0.2))
    assert 5.0 <= before <= watch.seconds < before + 0.15


def test_choice_of_machine_keeps_what_is_fixed_and_takes_the_fastest():
    import time

    def fake_trial(compute):
        cost = {"bf16": 0.001, "fp32": 0.004}[compute.precision]
        return lambda: time.sleep(cost + (0.01 if compute.memory_format == "contiguous" else 0))

    best, reason = choose_compute(TrainConfig(seconds=1.0, device="cpu", threads=1), fake_trial)
    assert (best.precision, best.memory_format, best.threads) == ("bf16", "channels_last", 1)
    assert "Chosen: bf16 channels_last" in str(reason)
    fixed = TrainConfig(seconds=1.0, device="cpu", precision="fp32", memory_format="contiguous", threads=1)
    best, _ = choose_compute(fixed, lambda compute: pytest.fail("nothing was left to measure"))
    assert best == ComputeConfig("cpu", "fp32", "contiguous", 1)


def test_a_number_format_that_is_only_imitated_does_not_win_for_want_of_time(monkeypatch):
    import time

    monkeypatch.setattr("gan_core.training.compute.PATIENCE", 0.0)
    best, _ = choose_compute(
        TrainConfig(seconds=1.0, device="cpu", threads=1),
        lambda compute: lambda: time.sleep(0.02 if compute.precision == "bf16" else 0.002),
    )
    assert best.precision == "fp32"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one here")
def test_a_device_that_is_not_here_is_one_sentence(tmp_path):
    settings = config(steps=1, device="cuda")
    run = create_run(tmp_path, settings)
    with pytest.raises(ConfigError, match="There is no cuda here; choose one of auto, cpu"):
        run_to_end(run, settings)
    assert read_status(run).state == "failed"


def test_a_state_that_diverged_between_two_records_spoils_nothing_on_disk(tmp_path):
    settings = config(steps=100, log_every=50, checkpoint_seconds=1.0)
    run = create_run(tmp_path, settings)
    session = open_session(settings, RunWriter(run), resume=False)
    session.save(), session.export()
    good = run.generator.read_bytes()
    with torch.no_grad():
        next(session.state.ema.parameters()).fill_(float("nan"))
    session.state.step = 3
    session.save(), session.export()
    assert checkpoint_steps(run) == [0] and run.generator.read_bytes() == good


def test_a_step_is_saved_once(tmp_path, monkeypatch):
    """Due at the last step, and then at the end; by a run that goes on and has nothing to do."""
    saved, checkpoint = [], RunWriter.checkpoint

    def counted(writer, step, *about):
        saved.append(step)
        return checkpoint(writer, step, *about)

    monkeypatch.setattr(RunWriter, "checkpoint", counted)
    settings = config(steps=6, checkpoint_steps=3)
    run = create_run(tmp_path, settings)
    run_to_end(run, settings)
    assert saved == checkpoint_steps(run) == [3, 6]
    run_to_end(run, settings, resume=True)
    assert saved == [3, 6]
    run_to_end(run, config(steps=7, checkpoint_steps=3), resume=True)
    assert saved == [3, 6, 7]


def test_the_choice_is_in_the_log_and_kept_by_the_checkpoint(tmp_path):
    settings = config(steps=3, precision="auto", threads=1)
    run = create_run(tmp_path, settings)
    run_to_end(run, settings)
    assert "Chosen:" in run.log.read_text()
    compute = read_counters(run.checkpoint(3))["compute"]
    assert compute.threads == 1 and compute.precision in ("fp32", "bf16")


def test_the_networks_are_built_once_and_shown_before_the_machine_is_measured(tmp_path, monkeypatch):
    """Built for any machine and then moved, a state makes the steps of one that was built there."""
    settings = config(steps=3, d_norm="spectral", d_dropout=0.2)
    run, built = create_run(tmp_path, settings), []
    there = ComputeConfig(memory_format="channels_last")

    def build(*about):
        built.append(about)
        torch.rand(1)  # whatever building them draws
        return build_pair(*about)

    def measure(*about):
        assert run.sample(0).exists() and len(built) == 1
        torch.rand(1)
        return there, Message("log-compute-asked", compute="it")

    monkeypatch.setattr("gan_core.training.state.build_pair", build)
    monkeypatch.setattr("gan_core.training.session.choose_compute", measure)
    session = open_session(settings, RunWriter(run), resume=False)
    state, other = session.state, build_state(settings, session.model, there)
    assert len(built) == 2 and state.compute == other.compute == there
    for net, its in ((state.G, other.G), (state.D, other.D), (state.ema, other.ema)):
        assert all(torch.equal(a, b) and a.stride() == b.stride()
                   for a, b in zip(net.state_dict().values(), its.state_dict().values()))  # fmt: skip
    now, begin = torch.get_rng_state(), stream_seed(settings.seed, "training")
    assert torch.equal(now, torch.manual_seed(begin).get_state()), "whatever was drawn before"
    z = other.draw_z(4)
    assert torch.equal(state.draw_z(4), z)
    other.to(ComputeConfig())
    assert torch.equal(other.draw_z(4), z), "noise begins anew on another machine"
    next(_steps(session))
    moved = zip(state.d_optimizer.state, state.D.parameters(), strict=True)
    assert all(a is b for a, b in moved), "its optimisers know the weights still"


def test_warm_up_and_trial_need_no_data(monkeypatch):
    monkeypatch.setattr("gan_core.training.setup.load", lambda *a, **k: pytest.fail("read data"))
    warm_up()
    trial(config(steps=1), ComputeConfig())()


@pytest.mark.parametrize("number, lazies", [(-1, 0), (0, 1)])
def test_a_trial_takes_the_steps_of_the_loop(monkeypatch, number, lazies):
    taken = Counter()
    for name in ("d_step", "g_step", "lazy_step"):
        step = getattr(iteration, name)
        monkeypatch.setattr(iteration, name, lambda *a, n=name, s=step: (taken.update([n]), s(*a))[1])
    settings = config(steps=1, d_steps=2, g_steps=3, penalty="r1", penalty_every=16)
    trial(settings, ComputeConfig())(number)
    assert taken == Counter(d_step=2, g_step=3, lazy_step=lazies)


def test_the_time_of_a_step_is_the_mean_over_as_long_as_asked(monkeypatch):
    """The first step, which is slower, does not count."""
    clock, takes = [0.0], iter([9.0, 1.0, 3.0, 2.0, 2.0, 9.0, 3.0])
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def step():
        clock[0] += next(takes)

    assert speed._seconds(step, "cpu", 7.0) == 2.0
    assert speed._seconds(step, "cpu", 0.0) == 3.0, "one step at least"


@pytest.mark.parametrize("d_steps, every, expected", [
    (1, 16, 1 / (15 / 16 * 1 + 1 / 16 * 5)), (4, 16, 1 / (12 / 16 * 1 + 4 / 16 * 5)), (16, 16, 1), (1, 1, 1),
])  # fmt: skip
def test_a_promised_speed_counts_a_lazy_penalty_as_often_as_it_comes(monkeypatch, d_steps, every, expected):
    """A round takes a second, one with a lazy penalty more than the others five."""
    clock = [0.0]

    def fake_trial(asked, compute):
        assert asked is settings and compute.device == "cpu"

        def step(number=-1):
            clock[0] += 5.0 if number == 0 else 1.0

        return step

    def choose(asked, of):
        of(ComputeConfig())()  # as a candidate is tried
        return ComputeConfig(), None

    monkeypatch.setattr(speed, "trial", fake_trial)
    monkeypatch.setattr(speed, "choose_compute", choose)
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    settings = config(steps=1, device="cpu", d_steps=d_steps, penalty="r1", penalty_every=every)
    assert speed.measure_speed(settings, 20.0) == pytest.approx(expected)
