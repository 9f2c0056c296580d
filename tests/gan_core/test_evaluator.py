"""Scores while a run trains: when they are due, that the best is kept, and that nothing is disturbed."""

import dataclasses
import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan_core.cli import main
from gan_core.config import TrainConfig, from_mapping
from gan_core.data import DATASETS, load
from gan_core.errors import DataError, TrainingDiverged
from gan_core.metrics import fast_metrics
from gan_core.metrics.classifier import FeatureExtractor
from gan_core.metrics.fast_metrics import reference_stats
from gan_core.presets import PRESETS
from gan_core.runs import RunWriter, branch, create_run, read_lines, read_status
from gan_core.runs.control import send
from gan_core.runs.reader import best_steps, checkpoint_steps, read_verdicts
from gan_core.sampling import Sampler
from gan_core.training import evaluator, grid_evaluator, train
from gan_core.training.evaluator import DISTANCE, MISSED, SHARE, PeriodicEvaluator
from gan_core.training.grid_evaluator import GridEvaluator
from gan_core.training.record import SampleGrid
from gan_core.training.session import open_session
from gan_core.training.setup import chosen

SMALL = {"dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4, "latent": 8, "batch": 16,
         "log_every": 5, "precision": "fp32", "memory_format": "contiguous", "threads": 1}  # fmt: skip
CHANCE = {"d_dropout": 0.2, "augment": "translation-cutout", "label_flip_prob": 0.1, "instance_noise": 0.1}
AT_THE_END = 50.0


def config(**changes) -> TrainConfig:
    return from_mapping({**SMALL, **changes})


class Script:
    """Stands in for the reference statistics: the distance to be measured next, if any is due."""

    extractor_name, floor, labels = "untrained", 0.5, np.zeros(4, np.int64)

    def __init__(self):
        self.next = None

    def distance(self, images):
        assert images.shape == (4, 1, 16, 16) and images.dtype == np.uint8
        time.sleep(0.01)
        return AT_THE_END if self.next is None else self.next


@pytest.fixture
def drive(monkeypatch):
    """Train with the distances `script` (step -> distance) measured at those steps."""
    stand_in = Script()
    monkeypatch.setattr(evaluator, "reference_stats", lambda *about: stand_in)
    monkeypatch.setattr(PeriodicEvaluator, "due", lambda self, seconds: stand_in.next is not None)

    def drive(settings, run, script, stop=0, resume=False):
        reached = checkpoint_steps(run)[-1] if resume else 0
        stand_in.next = script.get(reached + 1)
        send(run, "run")
        for record in train(settings, run, resume=resume):
            stand_in.next = script.get(record.step + 1)
            if record.step == stop:
                send(run, "stop")
            yield record.step

    return drive


def weights(path):
    return Sampler.load(path).generator.state_dict()


def same(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


def rated(run):
    """The rows of scores, without those of the sample grid."""
    return [row for row in read_lines(run.scores)[0] if "best" in row]


def scores(run):
    return [(row["step"], row[DISTANCE], row["best"]) for row in rated(run)]


def test_the_best_generator_is_kept_with_the_checkpoint_it_came_from(tmp_path, drive):
    settings = config(steps=8, disk_mb=1.0)
    run = create_run(tmp_path, settings)
    for step in drive(settings, run, {1: 9.0, 2: 3.0, 3: 5.0, 5: 3.0}):
        assert Sampler.load(run.path, best=True).info["step"] == min(step, 2)
    assert scores(run) == [(1, 9.0, True), (2, 3.0, True), (3, 5.0, False), (5, 3.0, False),
                           (8, AT_THE_END, False)]  # fmt: skip
    row = rated(run)[0]
    assert row["quality/floor"] == 0.5 and row["took"] >= 0.01 and row["extractor"] == "untrained"
    assert best_steps(run) == [1, 2] and 2 in checkpoint_steps(run)
    assert (Sampler.load(run.path).info["step"], read_status(run).state) == (8, "finished")
    assert not same(weights(run.best), weights(run.generator))


def test_the_best_checkpoint_holds_the_best_generator(tmp_path, drive):
    settings = config(steps=6)
    run = create_run(tmp_path, settings)
    list(drive(settings, run, {3: 1.0}))
    child = branch(run, 3, settings, config(steps=3), "")
    list(train(config(steps=3), child, resume=True))  # nothing is left to do: it exports what it has read
    assert same(weights(child.generator), weights(run.best))


def test_a_resumed_run_remembers_how_good_it_was(tmp_path, drive):
    settings = config(steps=9)
    run = create_run(tmp_path, settings)
    list(drive(settings, run, {2: 3.0}, stop=4))
    assert scores(run) == [(2, 3.0, True)], "a run that was stopped is not kept waiting for a last score"
    list(drive(settings, run, {6: 4.0, 7: 2.5}, resume=True))
    assert scores(run)[1:] == [(6, 4.0, False), (7, 2.5, True), (9, AT_THE_END, False)]
    assert best_steps(run) == [2, 7] and Sampler.load(run.path, best=True).info["step"] == 7


def test_the_last_may_be_the_best(tmp_path, drive):
    settings = config(steps=4)
    run = create_run(tmp_path, settings)
    list(drive(settings, run, {2: AT_THE_END + 1}))
    assert scores(run)[-1] == (4, AT_THE_END, True)
    assert same(weights(run.best), weights(run.generator))


def test_scores_disturb_nothing(tmp_path, monkeypatch, few):
    """With dropout, augmentation and noise: the same weights bit for bit, scored often or never."""
    monkeypatch.setattr(evaluator, "SHARE", 1e9)
    results = []
    for seconds, gap in ((0.0, 1e9), (0.001, 0.0)):
        monkeypatch.setattr(grid_evaluator, "grid_score_gap", lambda _, gap=gap: gap)
        settings = config(steps=12, score_seconds=seconds, **CHANCE)
        run = create_run(tmp_path, settings)
        torch.manual_seed(7)
        list(train(settings, run))
        results.append(weights(run.generator))
    assert same(*results)
    rows = rated(run)
    assert [row["step"] for row in rows] == list(range(1, 13))
    assert len(read_lines(run.scores)[0]) > len(rows) + 3, "the sample grids were measured as well"
    assert all(row[DISTANCE] > row["quality/floor"] > 0 for row in rows)


def test_scores_come_at_their_time_and_take_no_more_than_their_share(tmp_path):
    run = create_run(tmp_path, config(steps=1))
    one = PeriodicEvaluator(config(steps=1, score_seconds=60.0), RunWriter(run), 0.0)
    assert not one.begun and not one.due(59.9) and one.due(60.0)
    for seconds, took in ((60.0, 1.0), (120.0, 5.0)):
        RunWriter(run).score({"step": 1, "seconds": seconds, "took": took, DISTANCE: 4.0})
    two = PeriodicEvaluator(config(steps=1, score_seconds=60.0), RunWriter(run), 130.0)
    assert two.begun and not two.due(180.0), "six seconds were spent on them already"
    assert not two.due(6.0 / SHARE - 0.1) and two.due(6.0 / SHARE)
    never = PeriodicEvaluator(config(steps=1, score_seconds=0.0), RunWriter(run), 0.0)
    assert not never.due(1e9)
    newborn = RunWriter(create_run(tmp_path, config(steps=1)))
    branched = PeriodicEvaluator(config(steps=1, score_seconds=60.0), newborn, 500.0)
    assert not branched.due(559.0) and branched.due(560.0), "a branch counts from where it begins"


def test_what_cannot_be_measured_ends_the_scores_and_not_the_run(tmp_path, monkeypatch):
    def missing(*about):
        raise DataError("data-empty", title="MNIST", folder="here")

    monkeypatch.setattr(evaluator, "reference_stats", missing)
    settings = config(steps=5, score_seconds=0.001)
    run = create_run(tmp_path, settings)
    list(train(settings, run))
    assert read_status(run).state == "finished" and rated(run) == [] and not run.best.exists()
    assert run.log.read_text().count("No scores: MNIST in here has no pictures.") == 1


def opened(settings, run, monkeypatch):
    """A session before its first step, and the pictures or points that the first score looks at."""
    seen = []
    for stats in (fast_metrics.ReferenceStats, fast_metrics.PointReferenceStats):
        monkeypatch.setattr(stats, "distance", lambda self, drawn: seen.append(drawn) or 1.0)
    session = open_session(settings, RunWriter(run), resume=False)
    row = session.evaluator.measure(session.state, session.sampler)
    return session, seen[0], row


def test_an_infogan_is_scored_on_the_z_it_learns_from(tmp_path, monkeypatch, few):
    settings = config(steps=1, conditional=False, code_classes=10, code_numbers=2)
    run = create_run(tmp_path, settings)
    session, seen, _ = opened(settings, run, monkeypatch)
    session.export()
    assert (seen == Sampler.load(run.generator).sample(few, evaluator.SEED)[0]).all()


@pytest.mark.parametrize("changes", [{}, {"conditional": False, "code_classes": 3}, PRESETS["ring"].settings])
def test_the_grid_is_what_the_exported_generator_draws(tmp_path, changes):
    settings = from_mapping({**SMALL, "score_seconds": 0.0, **changes, "steps": 3})
    run = create_run(tmp_path, settings)
    list(train(settings, run))
    sampler = Sampler.load(run.path)
    assert SampleGrid(sampler.model, settings.seed).render(sampler) == run.sample(3).read_bytes()


PLANE = {**PRESETS["ring"].settings, "steps": 3, "g_width": 8, "d_width": 8, "batch": 16}


def test_points_are_scored_by_where_they_fall(tmp_path, monkeypatch):
    run = create_run(tmp_path, from_mapping(PLANE))
    session, seen, row = opened(from_mapping(PLANE), run, monkeypatch)
    session.export()
    sampler = Sampler.load(run.generator)
    assert (seen == sampler.numbers(sampler.latents(fast_metrics.COUNT, evaluator.SEED))).all(), (
        "no bytes between"
    )
    assert row["extractor"] == "places" and row[MISSED] == 1.0 and DISTANCE not in row
    assert 0 < row["quality/floor"] < 0.05, "one in ninety of the real points, and places not quite even"


def test_a_run_of_points_keeps_its_best_and_remembers_it(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluator, "SHARE", 1e9)
    settings = from_mapping({**PLANE, "score_seconds": 0.001})
    run = create_run(tmp_path, settings)
    list(train(settings, run))
    rows = rated(run)
    assert len(rows) >= 3 and all(0 < row[MISSED] <= 1 + math.log(8) for row in rows)
    assert best_steps(run) and Sampler.load(run.path, best=True).info["step"] == best_steps(run)[-1]
    assert PeriodicEvaluator(settings, RunWriter(run), 0.0)._best == min(row[MISSED] for row in rows)


def test_the_reference_of_points_tells_better_from_worse():
    mixture = DATASETS["ring"].mixture
    stats, real = fast_metrics.PointReferenceStats.over(mixture), load("ring", split="test")
    points, labels = np.array(real.images), real.labels
    assert stats.distance(points) == pytest.approx(stats.floor, abs=0.01)
    again = fast_metrics.PointReferenceStats.over(mixture)
    assert again.floor == stats.floor and np.array_equal(again.labels, stats.labels), "the same for every run"
    assert stats.floor > math.exp(-4.5) / 2, "each point has noise of its own: one in ninety is too far out"
    half = stats.distance(points[labels < 4])
    assert half == pytest.approx(math.log(2) + math.exp(-4.5), abs=0.02), "half the places"
    wide = np.random.default_rng(0).uniform(-1, 1, points.shape)
    assert 0.9 < stats.distance(wide) < half + 1
    assert stats.distance(np.zeros_like(points)) == pytest.approx(1 + math.log(8)), "finite without a hit"


@pytest.fixture
def few(monkeypatch):
    """Fewer pictures than in earnest, so that the tests are quick."""
    monkeypatch.setattr(fast_metrics, "COUNT", 400)
    reference_stats.cache_clear()
    yield 400
    reference_stats.cache_clear()


def corrupted(images, noise, classes=10, labels=None):
    """Pictures with noise, of the first `classes` classes only."""
    some = images if labels is None else images[labels < classes]
    random = np.random.default_rng(0)
    noisy = some + random.normal(0, noise, some.shape)
    return noisy.round().clip(0, 255).astype(np.uint8)


def test_an_untrained_extractor_still_tells_better_from_worse(few):
    real = load("glyphs", size=32)
    images, labels = np.asarray(real.images[-few:]), real.labels[-few:]
    stats = reference_stats("glyphs", 32)
    assert not stats.trained and len(stats.labels) == few
    by_noise = [stats.distance(corrupted(images, noise)) for noise in (0, 10, 40, 120)]
    assert by_noise == sorted(by_noise) and by_noise[0] < 3 * stats.floor and by_noise[2] > 1.5 * by_noise[0]
    by_classes = [stats.distance(corrupted(images, 0, k, labels)) for k in (10, 6, 2)]
    assert by_classes == sorted(by_classes), "missing classes"
    assert stats.distance(images[np.arange(few) % 20]) > 3 * by_noise[0], "twenty pictures again and again"


def test_reference_stats_are_of_all_classes_where_pictures_come_sorted(few, monkeypatch):
    def by_class(name, **about):
        every = load(name, **about)
        order = np.argsort(every.labels, kind="stable")
        return dataclasses.replace(every, images=every.images[order], labels=every.labels[order])

    monkeypatch.setattr(fast_metrics, "load", by_class)
    stats = reference_stats("glyphs", 32)
    assert np.bincount(stats.labels, minlength=10).min() > few / 20
    assert stats.distance(np.asarray(load("glyphs").images[-few:])) < 2 * stats.floor


def test_it_is_held_against_the_same_pictures_each_time(few):
    first = reference_stats("glyphs", 16)
    reference_stats.cache_clear()
    again = reference_stats("glyphs", 16)
    assert (first.labels == again.labels).all() and (first.real == again.real).all()
    assert first.floor == again.floor and len(first.labels) == few


def test_the_untrained_extractor_is_always_the_same_and_draws_no_random_numbers():
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), np.uint8)
    before = torch.get_rng_state()
    one, two = (FeatureExtractor.untrained(3) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before) and one.fingerprint == two.fingerprint
    assert (one(images)[0] == two(images)[0]).all() and one(images)[0].std() > 0
    FeatureExtractor(one.shape, {}, one._network.state_dict())
    assert torch.equal(torch.get_rng_state(), before), "nor does one read from a file"


def test_sample_and_score_take_the_best_where_asked(tmp_path, drive, capsys):
    settings = config(steps=5)
    run = create_run(tmp_path, settings)
    list(drive(settings, run, {2: 1.0}))
    drawn = []
    for flags in ([], ["--best"]):
        out = tmp_path / "a.npz"
        assert main(["sample", str(run.path), "--n", "5", "--out", str(out), *flags]) == 0
        with np.load(out) as file:
            drawn.append(file["images"])
    assert (drawn[0] != drawn[1]).any()
    assert (drawn[1][..., 0] == Sampler.load(run.best).sample(5, 0)[0][:, 0]).all()
    unscored = create_run(tmp_path, settings)
    list(train(settings, unscored))
    capsys.readouterr()
    assert main(["sample", str(unscored.path), "--best", "--out", str(tmp_path / "b.npz")]) == 2
    assert capsys.readouterr().err.endswith("keeps no best generator: no score was taken (score_seconds).\n")


def test_the_grid_is_measured_within_its_share_of_the_time(tmp_path, monkeypatch):
    settings = config(steps=1)
    run, ticks = create_run(tmp_path, settings), iter(range(1000))
    one = GridEvaluator(settings, chosen(settings), RunWriter(run), 10.0)
    state, samples = SimpleNamespace(step=5, images_seen=40, seconds=11.0), np.zeros((4, 1, 16, 16), np.uint8)
    assert not one.due(10.5) and one.due(11.0)
    monkeypatch.setattr(grid_evaluator.time, "perf_counter", lambda: 0.3 * next(ticks))
    row = one.measure(samples, None, state)
    assert (row["step"], row["images"], row["seconds"]) == (5, 40, 11.0) and "variety/pictures" in row
    assert not one.due(12.0) and not one.due(19.9) and one.due(20.1), ".3 s are three hundredths of ten"
    other = GridEvaluator(settings, None, RunWriter(run), 10.0)
    assert other.measure(samples, None, state) == {}, "another process of the run does it"


def test_looks_after_the_first_say_how_far_pictures_moved_and_of_few_pictures_how_new_they_are(tmp_path):
    few = config(steps=1, dataset_limit=50)
    state, samples = SimpleNamespace(step=5, images_seen=40, seconds=11.0), np.zeros((4, 1, 16, 16), np.uint8)
    one = GridEvaluator(few, chosen(few), RunWriter(create_run(tmp_path, few)), 10.0)
    rows = [one.measure(samples + value, None, state) for value in (0, 200, 200)]
    assert "motion/moved" not in rows[0]
    assert rows[1]["motion/moved"] > 1 and rows[2]["motion/moved"] == 0
    assert rows[0]["novelty/pictures"] > 0
    copies = one.measure(np.asarray(chosen(few).images[:4]), None, state)
    assert copies["novelty/pictures"] < 0.01
    usual = config(steps=1)
    every = GridEvaluator(usual, chosen(usual), RunWriter(create_run(tmp_path, usual)), 10.0)
    assert "novelty/pictures" not in every.measure(samples, None, state), "no picture was left out"


def test_a_run_that_diverges_is_measured_where_it_did(tmp_path):
    settings = config(steps=200, lr_g=0.1, lr_d=0.1, optimiser="sgd", penalty="r1", penalty_weight=1e4,
                      d_norm="none", initialisation="orthogonal")  # fmt: skip
    run = create_run(tmp_path, settings)
    with pytest.raises(TrainingDiverged):
        list(train(settings, run))
    last = [row for row in read_lines(run.scores)[0] if "variety/pictures" in row][-1]
    assert last["step"] == read_verdicts(run)[-1].step, "not what it drew while it was healthy"
