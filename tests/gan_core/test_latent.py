"""Ways through the latent space, and the directions of the strongest change."""

import numpy as np
import pytest
import torch

from gan_core.config import ModelConfig
from gan_core.directions import principal_directions
from gan_core.latent import INTERPOLATIONS, NOISES, lerp, path, sample_latents, slerp, suitable_interpolation
from gan_core.networks import build_pair
from gan_core.sampling import Sampler


def test_rows_do_not_depend_on_the_count():
    assert torch.equal(sample_latents(3, 64, 5), sample_latents(100, 64, 5)[:3])
    assert not torch.equal(sample_latents(3, 64, 5), sample_latents(3, 64, 6))


def test_latents_are_standard_normal():
    z = sample_latents(20_000, 8, 1)
    assert z.mean().abs() < 0.01 and abs(z.std().item() - 1) < 0.01


def test_slerp_by_hand():
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0])
    half = 3 * 0.5**0.5
    assert slerp(a, b, 0.5).tolist() == pytest.approx([half, half], rel=1e-5)
    third = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 1 / 3)
    assert third.tolist() == pytest.approx([np.cos(np.pi / 6), np.sin(np.pi / 6)], rel=1e-5)


def test_slerp_takes_each_row_by_itself():
    a, b = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(3))
    b[0], b[1] = -a[0] + 0.01 * b[0], a[1] + 0.01 * b[1]  # angles near pi and near 0 beside others
    together = slerp(a, b, 0.3)
    assert torch.allclose(together, torch.stack([slerp(x, y, 0.3) for x, y in zip(a, b)]), atol=1e-6)


def test_slerp_goes_by_directions_however_short_the_ends():
    a, b = sample_latents(2, 16, 4)
    assert torch.allclose(1000 * slerp(a / 1000, b / 500, 0.3), slerp(a, 2 * b, 0.3), rtol=1e-4)


@pytest.mark.parametrize("interpolation", [lerp, slerp])
def test_both_ways_begin_at_a_and_end_at_b(interpolation):
    a, b = sample_latents(2, 64, 0)
    assert torch.allclose(interpolation(a, b, 0.0), a, atol=1e-5) and torch.allclose(
        interpolation(a, b, 1.0), b, atol=1e-5
    )


def test_slerp_keeps_the_length_and_lerp_does_not():
    a, b = sample_latents(2, 100, 3)
    a, b = a / a.norm(), b / b.norm()
    assert slerp(a, b, 0.5).norm().item() == pytest.approx(1.0, abs=1e-5)
    assert lerp(a, b, 0.5).norm().item() < 0.85


def test_slerp_of_parallel_and_opposite_ends_is_finite():
    """It is the straight way: from 1 to -2 a third of the way is 0."""
    a = torch.tensor([1.0, 0.0, 0.0])
    for b in (a, 3 * a, a + 1e-7, -a, -2 * a):
        for t in (0.0, 0.3, 1 / 3, 0.5, 1.0):
            assert torch.allclose(slerp(a, b, t), a + t * (b - a), atol=1e-6)
    assert torch.isfinite(slerp(a, torch.zeros(3), 0.3)).all(), "0 has no direction"
    z = sample_latents(100, 64, 0)
    assert torch.allclose(slerp(z, 3 * z, 0.5), 2 * z, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [2, 3, 64, 512])
def test_slerp_of_opposite_and_of_parallel_ends_is_the_straight_way(dim, dtype):
    """However they are rounded: there is no arc between them to be found."""
    a = torch.from_numpy(np.random.default_rng(dim).standard_normal((4000, dim))).to(dtype)
    longer = torch.linspace(0.01, 3.0, 4000, dtype=dtype)[:, None]
    for b in (-a * longer, a * longer):
        for t in (0.0, 0.3, 0.5, 1.0):
            assert torch.equal(slerp(a, b, t), lerp(a, b, t))


@pytest.mark.parametrize("dtype, off", [(torch.float32, 1e-3), (torch.float64, 1e-11)])
@pytest.mark.parametrize("bend", [3e-4, 1e-2, 0.5, 3.0])
def test_slerp_near_opposite_and_near_parallel_ends_keeps_both_ends_and_the_length(bend, dtype, off):
    """`bend` is the angle that is missing to a straight line; the way is as long as its ends at any t."""
    random = torch.from_numpy(np.random.default_rng(7).standard_normal((2, 2000, 64))).to(dtype)
    a, aside = (z / z.norm(dim=-1, keepdim=True) for z in random)
    aside = aside - (aside * a).sum(-1, keepdim=True) * a
    aside = aside / aside.norm(dim=-1, keepdim=True)
    for sign in (-1, 1):
        b = 3 * (sign * np.cos(bend) * a + np.sin(bend) * aside)
        assert torch.allclose(slerp(a, b, 0.0), a, atol=off) and torch.allclose(slerp(a, b, 1.0), b, atol=off)
        lengths = torch.stack([slerp(a, b, t).norm(dim=-1) / (1 + 2 * t) for t in (0.25, 0.5, 0.75)])
        assert lengths.isfinite().all() and (lengths - 1).abs().max() < off


def drawer_of(noise, **codes):
    model = ModelConfig(network="dcgan", size=16, channels=1, classes=0, latent=16, g_width=4, d_width=4,
                        conditioning="class-logits", noise=noise, **codes)  # fmt: skip
    return Sampler(build_pair(model, seed=0)[0], model, {})


WAYS = {"gaussian": "spherical", "uniform": "linear", "laplace": "linear", "truncated": "linear"}


@pytest.mark.parametrize("noise", NOISES)
def test_the_way_follows_the_noise(noise):
    drawer = drawer_of(noise)
    a, b = drawer.latents(2, 0)
    assert drawer.interpolation == WAYS[noise]
    assert torch.equal(drawer.between(a, b, 0.3), INTERPOLATIONS[WAYS[noise]](a, b, 0.3))


def test_without_codes_only_the_noise_is_asked():
    assert {noise: suitable_interpolation(noise) for noise in NOISES} == WAYS


@pytest.mark.parametrize("codes", [{"code_classes": 3}, {"code_numbers": 2}])
def test_codes_are_walked_through_straight(codes):
    drawer = drawer_of("gaussian", **codes)
    a, b = drawer.latents(2, 0)
    assert drawer.interpolation == "linear" and torch.equal(drawer.between(a, b, 0.5), lerp(a, b, 0.5))


def beyond(z):
    return (z.abs() > 1).float().mean().item()


@pytest.mark.parametrize("noise, out", [("uniform", 0.084), ("truncated", 0.059)])
def test_the_spherical_way_leaves_the_range_of_bounded_noise_and_the_linear_does_not(noise, out):
    """Though their lengths differ less than those of normal z: distance from a sphere is not the matter."""
    a, b = sample_latents(20_000, 64, 1, noise).split(10_000)
    assert beyond(slerp(a, b, 0.5)) == pytest.approx(out, abs=0.003) and beyond(lerp(a, b, 0.5)) == 0

    def spread(z):
        return (z.norm(dim=1).std() / z.norm(dim=1).mean()).item()

    assert spread(a) < 0.07 < 0.08 < spread(sample_latents(10_000, 64, 1))


@pytest.mark.parametrize("noise", NOISES)
def test_numbers_on_the_spherical_way_are_of_the_same_distribution_where_the_table_says_so(noise):
    """By the kurtosis: 3 of normal numbers, 6 of Laplace's, 1.8 of even ones."""

    def kurtosis(z):
        return ((z**4).mean() / (z**2).mean() ** 2).item()

    a, b = sample_latents(20_000, 64, 1, noise).split(10_000)
    moved = abs(kurtosis(slerp(a, b, 0.5)) - kurtosis(a))
    assert moved < 0.1 if NOISES[noise].turns else moved > 0.4


def test_the_spherical_way_through_other_noise_is_warned_about():
    a, b = drawer_of("uniform").latents(2, 0)
    with pytest.warns(UserWarning, match="suits normal noise alone") as said:
        z = drawer_of("uniform").between(a, b, 0.5, "spherical")
    assert torch.equal(z, slerp(a, b, 0.5)) and len(said) == 1
    drawer_of("gaussian").between(a, b, 0.5, "spherical")  # a warning would be an error here
    drawer_of("gaussian").between(a, b, 0.5, "linear")
    drawer_of("uniform").between(a, b, 0.5, "linear")


def test_path_has_its_ends_and_even_angles():
    a, b = sample_latents(2, 16, 2)
    steps = path(a, b, 5, "spherical")
    assert steps.shape == (5, 16)
    assert torch.allclose(steps[0], a, atol=1e-5) and torch.allclose(steps[-1], b, atol=1e-5)
    units = steps / steps.norm(dim=1, keepdim=True)
    cosines = (units[1:] * units[:-1]).sum(1)
    assert torch.allclose(cosines, cosines[:1].expand(4), atol=1e-4)


@pytest.fixture
def sampler():
    model = ModelConfig(network="dcgan-s2d", size=16, channels=1, classes=3, latent=6, g_width=4,
                        d_width=4, conditioning="class-logits")  # fmt: skip
    G, _ = build_pair(model, seed=0)
    return Sampler(G, model, {})


def test_directions_are_orthonormal_and_strongest_first(sampler):
    directions, strengths = principal_directions(sampler, 6)
    assert torch.allclose(directions @ directions.T, torch.eye(6), atol=1e-5)
    assert (strengths[:-1] >= strengths[1:]).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_direction_is_turned_so_that_its_largest_number_is_positive(seed, sampler):
    """A matrix has each of its directions both ways round: which one comes out must not be left to chance."""
    G, _ = build_pair(sampler.model, seed=seed)
    directions, _ = principal_directions(Sampler(G, sampler.model, {}), 6)
    assert (directions.gather(1, directions.abs().argmax(1, keepdim=True)) > 0).all()


def test_the_first_direction_moves_the_first_layer_most(sampler):
    """Against brute force: no random direction changes the normalised first feature map more."""
    first = sampler.generator.projection
    with torch.no_grad():
        first.norm.running_var.copy_(torch.linspace(0.1, 4.0, len(first.norm.running_var)))
        first.norm.weight.copy_(torch.linspace(-2.0, 1.0, len(first.norm.weight)))
    directions, strengths = principal_directions(sampler, 2)

    def change(step):
        z = torch.stack([torch.zeros(6), step])
        label = torch.zeros(2, dtype=torch.int64)
        with torch.no_grad():
            one_hot = torch.nn.functional.one_hot(label, 3).float()
            h = first.norm(first.linear(torch.cat([z, one_hot], 1)).view(2, 4, 4, -1).permute(0, 3, 1, 2))
        return (h[1] - h[0]).norm().item()

    assert change(directions[0]) == pytest.approx(strengths[0].item(), rel=1e-4)
    random = sample_latents(200, 6, 1)
    assert max(change(r / r.norm()) for r in random) <= strengths[0].item() + 1e-5


def test_sampler_chunks_and_labels(sampler):
    pictures, labels = sampler.sample(1203, seed=1)
    assert pictures.shape == (1203, 1, 16, 16) and pictures.dtype == np.uint8
    assert labels[:4].tolist() == [0, 1, 2, 0]
    again, _ = sampler.sample(2, seed=1)
    assert np.array_equal(pictures[:2], again)
    _, twos = sampler.sample(5, seed=1, label=2)
    assert twos.tolist() == [2] * 5


def test_labels_may_be_mixed(sampler):
    z = sampler.latents(1, 4).expand(3, -1)
    pure = sampler.pictures(z[:2], np.array([0, 2]))
    mixed = sampler.pictures(z, np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.0, 0.5]]))
    assert np.array_equal(mixed[:2], pure)
    assert not np.array_equal(mixed[2], pure[0]) and not np.array_equal(mixed[2], pure[1])
