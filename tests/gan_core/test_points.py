"""Points in the plane: the clouds, how they reach the networks, how they are drawn and counted."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core.checkpoints import export_generator
from gan_core.cli import main
from gan_core.config import ModelConfig
from gan_core.data import DATASETS, load
from gan_core.data.points import grid, ring
from gan_core.errors import WeightsError
from gan_core.images import PLOT, preview, to_plot, to_unit
from gan_core.metrics.modes import ModeAssignment, assign_modes, modes, reverse_kl, score_points, within
from gan_core.networks import build_pair
from gan_core.presets import PRESETS, settings
from gan_core.runs import create_run, read_lines
from gan_core.sampling import Sampler
from gan_core.scoring import score_generator
from gan_core.training import train
from gan_core.training.batch_sampler import BatchSampler

POINT_SETS = ("ring", "grid")
MODEL = ModelConfig(network="mlp-2d", size=1, channels=2, classes=0, latent=2, g_width=8, d_width=8,
                    conditioning="class-logits", g_norm="none", d_norm="none", kind="points")  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("count", [1, 7, 8])
def test_a_ring_has_as_many_places_as_it_says(count):
    """A published notebook draws the first place twice: seven of eight."""
    places = np.array(ring(count))
    assert len({tuple(place) for place in places.round(6)}) == count
    assert np.hypot(*places.T) == pytest.approx(np.ones(count))
    assert places.sum(0) == pytest.approx([0, 0] if count > 1 else [1, 0], abs=1e-9)


def test_a_grid_has_as_many_places_as_it_says():
    assert sorted(set(grid(5, 2.0))) == [(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)]


@pytest.mark.parametrize("name", POINT_SETS)
def test_points_keep_what_bytes_would_lose(name):
    pictures = load(name, split="test")
    mixture, images = pictures.source.mixture, pictures.images
    assert (images.shape, images.dtype) == ((10_000, 2, 1, 1), np.float32)
    assert np.abs(images).max() < 1 and np.unique(images[:, 0]).size > 9_900
    offsets = mixture.reach * images.reshape(-1, 2) - np.array(mixture.means)[pictures.labels]
    assert offsets.std(0) == pytest.approx([mixture.sigma] * 2, rel=0.03)
    assert np.abs(offsets.mean(0)).max() < 0.05 * mixture.sigma
    shares = np.bincount(pictures.labels) / len(images) * len(mixture.means)
    assert shares == pytest.approx(np.ones(len(mixture.means)), abs=0.25)
    assert (load(name, split="test", size=64).images == images).all()
    assert isinstance(images, np.memmap) and not (load(name).images[:10_000] == images).any()


def test_the_published_ring_and_grid():
    """Lin et al. 2018, section 4.1: radius 1 and 0.01; from -4 to 4 and 0.05."""
    ring_, grid_ = DATASETS["ring"].mixture, DATASETS["grid"].mixture
    assert (len(ring_.means), ring_.sigma, len(grid_.means), grid_.sigma) == (8, 0.01, 25, 0.05)
    assert ring_.means[1] == pytest.approx((math.sqrt(0.5), math.sqrt(0.5)))


def test_the_batch_sampler_hands_points_on_as_they_are():
    points = np.array([[[[0.1234567]], [[-0.7654321]]]], np.float32)
    batch = BatchSampler(points, None, seed=0, device="cpu").batch(0, 2)
    assert batch.images.dtype == torch.float32 and batch.images.tolist() == points.tolist() * 2
    assert (to_unit(points).numpy() == points).all()


def at(mixture, *places):
    """Points at (place number, standard deviations to the right of it)."""
    numbers = [(mixture.means[k][0] + off * mixture.sigma, mixture.means[k][1]) for k, off in places]
    return (np.array(numbers) / mixture.reach).reshape(-1, 2, 1, 1)


@pytest.mark.parametrize("name", POINT_SETS)
def test_modes_by_hand(name):
    mixture = DATASETS[name].mixture
    landed = assign_modes(at(mixture, (0, 0.0), (0, 2.9), (1, -2.9), (2, 3.1)), mixture)
    assert landed.nearest.tolist() == [0, 0, 1, 2]
    assert landed.distance == pytest.approx([0, 2.9, 2.9, 3.1], abs=1e-5)
    assert (modes(landed), within(landed)) == (2, 0.75)
    share = np.array([2 / 3, 1 / 3])
    assert reverse_kl(landed) == pytest.approx((share * np.log(share * len(mixture.means))).sum())


def test_a_point_at_three_deviations_is_good():
    landed = ModeAssignment(np.array([0, 1]), np.array([3.0, np.nextafter(3.0, 4.0)]), places=2)
    assert landed.good.tolist() == [1, 0] and within(landed) == 0.5


@pytest.mark.parametrize("name", POINT_SETS)
def test_what_the_best_and_the_worst_generator_score(name):
    source = DATASETS[name]
    best = score_points(load(name, split="test").images, source.mixture)
    assert best["modes"] == len(source.classes) and best["reverse_kl"] < 0.002
    assert best["within_3_sigma"] == pytest.approx(1 - math.exp(-4.5), abs=0.003)
    collapsed = score_points(at(source.mixture, *[(3, 0.0)] * 9), source.mixture)
    assert collapsed == pytest.approx(
        {"modes": 1, "within_3_sigma": 1, "reverse_kl": math.log(best["modes"])}
    )
    nowhere = score_points(np.full((5, 2, 1, 1), 0.999), source.mixture)
    assert nowhere == {"modes": 0, "within_3_sigma": 0, "reverse_kl": math.inf}


def test_a_scatter_plot_has_x_to_the_right_and_y_upwards():
    for place, (column, row) in {
        (-1, -1): (0, PLOT - 2),
        (1, 1): (PLOT - 2, 0),
        (1, -1): (PLOT - 2,) * 2,
    }.items():
        plot = np.asarray(preview(np.array(place, np.float32).reshape(1, 2, 1, 1), "points", 3))
        assert plot.shape == (PLOT, PLOT) and (plot > 0).sum() == 4 and plot[row, column] > 100
    assert to_plot(np.zeros((2, 2, 1, 1), np.uint8)).size == (PLOT, PLOT)
    crowd, one = (np.asarray(to_plot(np.zeros((n, 2, 1, 1), np.float32))).max() for n in (5, 1))
    assert crowd > one


def test_d_sees_fine_structure_and_judges_each_point_alone():
    line = torch.linspace(-1, 1, 401, dtype=torch.float64)
    points = torch.stack([line, torch.zeros(401)], 1)[:, :, None, None]
    turns = 0
    for seed in range(4):
        _, D = build_pair(dataclasses.replace(MODEL, d_width=64), seed, "orthogonal")
        values = D.double()(points).logits.detach()
        assert torch.allclose(D(points[:3]).logits, values[:3])
        turns += (values.diff().sign().diff() != 0).sum().item()
    assert turns >= 50, "a plain net turns 26 times in all, with waves 69 times"


def test_a_generator_of_points_is_sampled_and_scored(tmp_path):
    run = create_run(tmp_path, settings("ring", {}), "ring")
    export_generator(run.generator, build_pair(MODEL, 1)[0], MODEL, {"dataset": "ring"})
    sampler = Sampler.load(run.path)
    points = sampler.numbers(sampler.latents(600, 3))
    assert (points.shape, points.dtype) == ((600, 2, 1, 1), np.float32)
    assert sampler.pictures(sampler.latents(600, 3)).shape == (600, 2, 1, 1)
    assert score_generator(sampler, count=600, seed=3) == score_points(points, DATASETS["ring"].mixture)
    assert main(["sample", str(run.path), "--n", "9", "--out", str(tmp_path / "points.png")]) == 0
    with Image.open(tmp_path / "points.png") as plot:
        assert plot.size == (PLOT, PLOT)


GREY = dataclasses.replace(MODEL, network="dcgan-s2d", size=16, channels=1, kind="pictures")


@pytest.mark.parametrize(("model", "drawn", "dataset", "held"), [
    (GREY, "grey pictures", "ring", "points"),
    (GREY, "grey pictures", "stacked-mnist", "colour pictures"),
    (dataclasses.replace(GREY, channels=3), "colour pictures", "mnist", "grey pictures"),
    (dataclasses.replace(GREY, channels=2), "other pictures", "ring", "points"),
    (MODEL, "points", "mnist", "grey pictures"),
], ids=["grey-as-points", "grey-as-colour", "colour-as-grey", "two-channels-as-points", "points-as-grey"],
)  # fmt: skip
def test_what_is_of_another_kind_is_not_scored(model, drawn, dataset, held):
    """Grey pixels taken two by two as places in the plane would give figures that mean nothing."""
    sampler = Sampler(build_pair(model, 1)[0], model, {})
    with pytest.raises(WeightsError) as raised:
        score_generator(sampler, count=50, dataset=dataset)
    sentence = f"This generator draws {drawn} and cannot be scored by {dataset}, which holds {held}."
    assert str(raised.value) == sentence


@pytest.mark.parametrize("name", POINT_SETS)
def test_the_same_kernel_trains_points(name, tmp_path):
    config = settings(name, {"steps": 30, "g_width": 16, "d_width": 16, "threads": 1,
                             "memory_format": "contiguous"})  # fmt: skip
    run = create_run(tmp_path, config, name)
    assert [record.step for record in train(config, run)] == list(range(1, 31))
    assert len(read_lines(run.metrics)[0]) == 12 and run.real.exists() and run.generator.exists()
    assert set(score_generator(Sampler.load(run.path), count=50)) == {"modes", "within_3_sigma", "reverse_kl"}
    assert PRESETS[name].settings["dataset"] == name
