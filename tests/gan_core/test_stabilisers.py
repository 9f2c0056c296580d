"""Targets, clipping, norms, noise, first weights, optimisers and schedules, each by what it promises."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from gan_core.augment import AUGMENTS, InstanceNoise, color, cutout, translation
from gan_core.config import ModelConfig, TrainConfig, from_mapping
from gan_core.latent import NOISES, sample_latents
from gan_core.losses import CROSS_ENTROPY, LOSSES, flipped, smoothed
from gan_core.networks import INITIALISATIONS, NETWORKS, build_pair
from gan_core.optimisers import OPTIMISERS
from gan_core.training.batch_sampler import Batch
from gan_core.training.compute import ComputeConfig
from gan_core.training.objective import gradient_clipping_of, objective_of, penalty_of
from gan_core.training.record import measure
from gan_core.training.state import build_state, lazy_share, set_learning_rates
from gan_core.training.step import d_step, draw_fake, g_step, gradient_norm, lazy_step

MODEL = ModelConfig(network="dcgan-s2d", size=16, channels=1, classes=0, latent=4, g_width=4, d_width=4,
                    conditioning="class-logits")  # fmt: skip


def config(**changes):
    return from_mapping({"seconds": 1.0, "batch": 8, "conditional": False, **changes})


def batch():
    torch.manual_seed(0)
    return Batch(torch.rand(8, 1, 16, 16) * 2 - 1, None)


def one_d_step(settings, model=MODEL):
    state, (objective, _) = build_state(settings, model, ComputeConfig()), objective_of(settings)
    some = batch()
    fake = draw_fake(state, None, 8)
    d_step(state, some, fake, objective)
    return state, some, fake, objective


@pytest.mark.parametrize("name", CROSS_ENTROPY)
def test_smoothing_is_the_cross_entropy_with_the_softer_target_for_real_pictures_only(name):
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 0.5])
    expected = nn.functional.binary_cross_entropy_with_logits(real, torch.full((2,), 0.9))
    expected += nn.functional.binary_cross_entropy_with_logits(fake, torch.zeros(2))
    assert smoothed(LOSSES[name], 0.9).d(real, fake).item() == pytest.approx(expected.item(), rel=1e-6)
    assert smoothed(LOSSES[name], 0.9).g is LOSSES[name].g


def test_a_smoothed_d_is_best_at_its_target():
    game, logits = smoothed(LOSSES["non-saturating"], 0.9), torch.linspace(-5, 5, 1001)
    losses = torch.stack([game.d(logit[None], torch.zeros(1)) for logit in logits])
    assert logits[losses.argmin()].sigmoid().item() == pytest.approx(0.9, abs=0.005)


def test_flips_hand_over_as_many_pairs_the_wrong_way_round_as_asked_for():
    torch.manual_seed(0)
    real, fake = torch.full((20_000,), 4.0), torch.full((20_000,), -4.0)
    game = LOSSES["wasserstein"]
    assert flipped(game, 0.25).d(real, fake).item() == pytest.approx(-8 * 0.75 + 8 * 0.25, abs=0.2)
    assert flipped(game, 0.0).d(real, fake) == game.d(real, fake)


def test_a_run_plays_with_smoothing_and_flips_together():
    """Three pairs of four the right way round, one the wrong way, and .9 what D aims at for the real side."""
    torch.manual_seed(0)
    real, fake = torch.full((20_000,), 4.0), torch.full((20_000,), -4.0)

    def one_way(real, fake):
        entropy = nn.functional.binary_cross_entropy_with_logits
        return (entropy(real, torch.full_like(real, 0.9)) + entropy(fake, torch.zeros_like(fake))).item()

    expected = 0.75 * one_way(real, fake) + 0.25 * one_way(fake, real)
    loss = objective_of(config(real_label=0.9, label_flip_prob=0.25))[0].loss
    assert loss.d(real, fake).item() == pytest.approx(expected, abs=0.1)
    assert abs(expected - one_way(real, fake)) > 1, "flips show"


def steepness(**changes):
    """The curves' gradients of D and of G after one step of both, and their lengths as the optimisers saw
    them; with learning rates of 0, so that limits of D's steps do not reach G's."""
    settings = dataclasses.replace(config(**changes), lr_d=0.0, lr_g=0.0)
    state, (objective, _) = build_state(settings, MODEL, ComputeConfig()), objective_of(settings)
    some = batch()
    fake = draw_fake(state, None, 8)
    d, g = d_step(state, some, fake, objective), g_step(state, some, fake, objective)
    values = measure(state, objective.loss, d, g)
    curves = [values["gradient/D"], values["gradient/G"]]
    return curves, [gradient_norm(state.D).item(), gradient_norm(state.G).item()]


@pytest.mark.parametrize("changes", [{"clip_norm": 0.01}, {"clip_value": 1e-4}, {"l1": 0.1}])
def test_the_curves_show_gradients_as_they_were_before_a_limit(changes):
    curves, left = steepness()
    assert curves == left, "with no limit they are read where they lie"
    before, after = steepness(**changes)
    assert before == pytest.approx(curves, rel=1e-4) and all(length > 0.02 for length in before)
    assert all(abs(a / b - 1) > 0.2 for a, b in zip(after, before)), "a tower would not have shown"


def test_clipped_weights_lie_within_the_bound_after_the_step_and_g_is_left_alone():
    state, *_ = one_d_step(config(clip_weights=0.01))
    assert max(p.abs().max().item() for p in state.D.parameters()) == pytest.approx(0.01)
    assert max(p.abs().max().item() for p in state.G.parameters()) > 0.05


def test_clipped_weights_lie_within_the_bound_after_a_lazy_penalty_too():
    settings = config(clip_weights=0.01, penalty="r1", penalty_every=4, d_norm="none")
    model = dataclasses.replace(MODEL, d_norm="none")
    state, (objective, _) = build_state(settings, model, ComputeConfig()), objective_of(settings)
    lazy_step(state, batch(), draw_fake(state, None, 8), objective)
    assert max(p.abs().max().item() for p in state.D.parameters()) == pytest.approx(0.01)


def test_gradients_are_limited_by_length_by_entry_and_pulled_by_l1():
    net = nn.Linear(4, 1, bias=False)
    net.weight.data = torch.tensor([[1.0, -1.0, 2.0, 0.5]])

    def limited(**changes):
        net.weight.grad = torch.tensor([[3.0, 4.0, 0.0, 0.0]])
        gradient_clipping_of(config(**changes))(net)
        return net.weight.grad[0].tolist()

    assert limited(clip_norm=1.0) == pytest.approx([0.6, 0.8, 0, 0], abs=1e-4)
    assert limited(clip_value=3.5) == [3.0, 3.5, 0, 0]
    assert limited(l1=0.5) == [3.5, 3.5, 0.5, 0.5]
    assert gradient_clipping_of(config()) is None


def test_defaults_change_nothing():
    """With every row off the objective is the one of the first release, and draws no random number."""
    objective, _ = objective_of(config())
    pictures = torch.randn(4, 1, 16, 16)
    assert objective.augment(pictures) is pictures
    assert (
        objective.loss is LOSSES["non-saturating"]
        and objective.clip_gradients is objective.clip_weights is None
    )
    assert objective.lazy_penalty is None
    state, some = build_state(config(), MODEL, ComputeConfig()), batch()
    before = torch.get_rng_state()
    fake = draw_fake(state, None, 8)
    d_step(state, some, fake, objective)
    lazy_step(state, some, fake, objective)
    g_step(state, some, fake, objective)
    assert torch.equal(before, torch.get_rng_state())
    assert TrainConfig().penalty == "none"


@pytest.mark.parametrize(
    ("network", "asked"), [("dcgan", "spectral"), ("dcgan-s2d", "spectral"), ("sndcgan", "batch"),
                           ("resnet", "none")],
)  # fmt: skip
def test_spectral_norm_leaves_a_largest_singular_value_of_one(network, asked):
    """Where it is asked for, and in the networks that it belongs to whatever is asked for."""
    wanted = dataclasses.replace(MODEL, network=network, d_norm=asked, classes=3, conditioning="projection")
    _, D = build_pair(wanted, seed=0)
    for _ in range(60):
        D(torch.randn(4, 1, 16, 16), torch.tensor([0, 1, 2, 0]))
    layers = [layer for layer in D.modules() if isinstance(layer, (nn.Conv2d, nn.Linear, nn.Embedding))]
    assert len(layers) >= 3
    for layer in layers:
        largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]
        assert largest.item() == pytest.approx(1.0, rel=0.01)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in D.modules())


def test_without_norm_a_picture_is_judged_alone_and_with_batch_norm_it_is_not():
    torch.manual_seed(0)
    pictures, others = torch.randn(1, 1, 16, 16), torch.randn(3, 1, 16, 16)
    cases = [("dcgan", "none", True), ("dcgan", "spectral", True), ("dcgan", "batch", False),
             ("r3", "batch", True), ("resnet", "batch", True)]  # fmt: skip
    for network, norm, alone in cases:
        _, D = build_pair(dataclasses.replace(MODEL, network=network, d_norm=norm), seed=0)
        spectral = norm == "spectral" or network == "resnet"
        D.train(not spectral)  # a power iteration moves it a little at each pass
        first = D(torch.cat([pictures, others])).logits[0]
        second = D(torch.cat([pictures, 3 * others])).logits[0]
        assert torch.allclose(first, second, rtol=1e-4, atol=1e-6) == alone, norm


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_is_built_as_it_is_defined_whatever_is_asked_for(network):
    """Norms and dropout are those of its row where it has its own, else those asked for."""
    row = NETWORKS[network]
    size = 32 if 32 in row.sizes else row.sizes[0]
    for g_norm, d_norm, dropout in (("batch", "batch", 0.0), ("none", "spectral", 0.5)):
        asked = {"g_norm": g_norm, "d_norm": d_norm, "d_dropout": dropout}
        has = asked | dict(row.fixed)
        G, D = build_pair(dataclasses.replace(MODEL, network=network, size=size, **asked), seed=0)
        for net, norm in ((G, has["g_norm"]), (D, has["d_norm"])):
            kinds = [type(layer).__name__ for layer in net.modules()]
            assert any(kind.startswith("BatchNorm") for kind in kinds) == (norm == "batch"), network
            assert any("SpectralNorm" in kind for kind in kinds) == (norm == "spectral"), network
        shares = {layer.p for layer in D.modules() if isinstance(layer, nn.Dropout)} or {0.0}
        assert shares == {has["d_dropout"]}, network


@pytest.mark.parametrize("network", ["dcgan", "dcgan-s2d"])
def test_dropout_takes_its_share_in_training_only(network):
    _, D = build_pair(dataclasses.replace(MODEL, network=network, d_dropout=0.5, d_norm="none"), seed=0)
    pictures = torch.randn(2, 1, 16, 16)
    assert not torch.equal(D(pictures).logits, D(pictures).logits)
    D.eval()
    assert torch.equal(D(pictures).logits, D(pictures).logits)


@pytest.mark.parametrize(
    ("noise", "spread", "largest"),
    [("gaussian", 1.0, 9), ("uniform", 3**-0.5, 1), ("laplace", 1.0, 20), ("truncated", 0.5396, 1)],
)
def test_noises_have_the_scale_they_say(noise, spread, largest):
    z = sample_latents(20_000, 8, 1, noise)
    assert z.mean().abs() < 0.01 and z.std().item() == pytest.approx(spread, rel=0.02)
    assert z.abs().max() <= largest and z.dtype == torch.float32
    assert torch.equal(z[:3], sample_latents(3, 8, 1, noise))


def test_laplace_has_its_tails_and_uniform_is_even():
    z = sample_latents(50_000, 4, 2, "laplace").flatten()
    assert (z.abs() > 2).float().mean().item() == pytest.approx(math.exp(-2 * 2**0.5), rel=0.05)
    u = sample_latents(50_000, 4, 2, "uniform").flatten()
    assert torch.histc(u, 10, -1, 1).div(len(u)).sub(0.1).abs().max() < 0.005
    for noise in NOISES.values():
        extreme = noise.transform(torch.tensor([-40.0, -6.0, 0.0, 6.0, 40.0]))
        assert extreme.isfinite().all() and (extreme.diff() >= 0).all() and extreme[2].abs() < 1e-6


def test_training_draws_from_the_noise_that_was_asked_for():
    state = build_state(config(noise="uniform"), dataclasses.replace(MODEL, noise="uniform"), ComputeConfig())
    z = state.draw_z(5000)
    assert z.abs().max() <= 1 and z.std().item() == pytest.approx(3**-0.5, rel=0.02)


def test_first_weights():
    def first(name):
        return build_pair(MODEL, 0, name)[0].projection.linear.weight.detach()

    assert first("dcgan").std().item() == pytest.approx(0.02, rel=0.1)
    rows, columns = first("xavier").shape
    assert first("xavier").std().item() == pytest.approx((2 / (rows + columns)) ** 0.5, rel=0.1)
    square = first("orthogonal").T @ first("orthogonal")
    assert torch.allclose(square, torch.eye(columns), atol=1e-4)
    assert first("zero").abs().max() == 0
    assert INITIALISATIONS.keys() == {"dcgan", "xavier", "orthogonal", "zero"}


def minimised(name, rate):
    weight = nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = OPTIMISERS[name].build([weight], rate, (0.5, 0.9), 0.0)
    for _ in range(300):
        optimizer.zero_grad()
        (weight.square() * torch.tensor([1.0, 4.0])).sum().backward()
        optimizer.step()
    return weight.detach().abs().max().item()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_goes_down(name):
    assert minimised(name, 0.02) < 0.05


def test_one_step_of_each_by_hand():
    """From weight 1 with gradient 2, rate .1, betas (0, .9), decay .5."""
    expected = {
        "adam": 1 - 0.1,  # even length, whatever the gradient
        "adamw": 1 - 0.1 * 0.5 - 0.1,
        "rmsprop": 1 - 0.1 * 2.5 / (0.1 * 2.5**2) ** 0.5,
        "sgd": 1 - 0.1 * (2 + 0.5),
    }
    for name, value in expected.items():
        weight = nn.Parameter(torch.tensor([1.0]))
        weight.grad = torch.tensor([2.0])
        OPTIMISERS[name].build([weight], 0.1, (0.0, 0.9), 0.5).step()
        assert weight.item() == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize(
    ("schedule", "shares"), [("linear", (1, 0.6, 0.2)), ("cosine", (1, 0.6, 0.2)), ("constant", (1, 1, 1))]
)
def test_schedules_at_the_start_the_middle_and_the_end(schedule, shares):
    settings = config(schedule=schedule, lr_end=0.2, lr_g=0.01)
    state = build_state(settings, MODEL, ComputeConfig())
    for progress, share in zip((0.0, 0.5, 1.0), shares):
        set_learning_rates(state, settings, progress)
        assert state.g_optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * share)


def test_cosine_stays_high_longer_and_ends_gently():
    settings = config(schedule="cosine", lr_end=0.0, lr_g=0.01)
    state = build_state(settings, MODEL, ComputeConfig())
    set_learning_rates(state, settings, 0.25)
    assert state.g_optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * (1 + 0.5**0.5) / 2)


def test_a_lazy_penalty_has_its_weight_times_the_steps_between_and_d_the_right_step():
    settings = config(
        penalty="r1", penalty_weight=0.5, penalty_every=16, d_norm="none", lr_d=0.017, beta2=0.9
    )
    share = 16 / 17
    assert lazy_share(settings) == share and lazy_share(config(penalty="r1")) == 1.0
    assert lazy_share(dataclasses.replace(settings, penalty_weight=0.0)) == 1.0, "what is off costs nothing"
    model = dataclasses.replace(MODEL, d_norm="none")
    state, some, fake, objective = one_d_step(settings, model)
    group = state.d_optimizer.param_groups[0]
    set_learning_rates(state, settings, 0.0)
    assert group["lr"] == pytest.approx(0.016) and group["betas"][1] == pytest.approx(0.9**share)
    assert state.g_optimizer.param_groups[0]["betas"][1] == 0.9
    every_step = penalty_of(dataclasses.replace(settings, penalty_every=1))
    lazy = objective.lazy_penalty(state.D, some.images, fake.pictures, None)
    plain = every_step(state.D, some.images, fake.pictures, None)
    assert lazy.item() == pytest.approx(16 * plain.item(), rel=1e-5)
    assert objective.penalty(state.D, some.images, fake.pictures, None) == 0
    before = [p.detach().clone() for p in state.D.parameters()]
    lazy_step(state, some, fake, objective)
    assert any(not torch.equal(a, b) for a, b in zip(before, state.D.parameters()))


def test_translation_moves_whole_pictures_and_leaves_black():
    torch.manual_seed(0)
    pictures = torch.full((500, 1, 16, 16), -1.0)
    pictures[:, :, 8, 8] = 1.0
    moved = translation(pictures)
    assert (moved.amax((1, 2, 3)) == 1).all() and (moved.sum((1, 2, 3)) == pictures.sum((1, 2, 3))).all()
    places = moved.flatten(1).argmax(1)
    reach = {(int(p) // 16 - 8, int(p) % 16 - 8) for p in places}
    assert reach == {(y, x) for y in range(-2, 3) for x in range(-2, 3)}, "both by their own chance"


def test_what_translation_moves_out_does_not_come_in_on_the_other_side():
    """Each is the same picture laid on black, at one of the places that an eighth of the side allows."""
    torch.manual_seed(0)
    pictures = torch.rand(800, 1, 32, 24)
    moved, framed = translation(pictures), nn.functional.pad(pictures, (4, 4, 4, 4), value=-1.0)
    places = [(y, x) for y in range(9) for x in range(9)]
    parts = [framed[:, :, y : y + 32, x : x + 24] for y, x in places]
    same = torch.stack([(part == moved).all(3).all((1, 2)) for part in parts])
    assert (same.sum(0) == 1).all() and same.any(1).all()


def test_cutout_covers_a_square_of_half_the_side_up_to_half_outside_at_each_edge():
    torch.manual_seed(0)
    pictures = cutout(torch.ones(4000, 3, 16, 16))
    covered = pictures[:, 0] == 0  # (N, 16, 16)
    assert torch.equal(pictures, (~covered)[:, None].float().expand_as(pictures)), "grey, or as it was"
    spans = [(max(first, 0), min(first + 8, 16)) for first in range(-4, 13)]
    found = []
    for along in (covered.any(2), covered.any(1)):  # (N, 16): the rows, the columns
        first, count = along.int().argmax(1), along.sum(1)
        found.append(list(zip(first.tolist(), (first + count).tolist())))
        shares = [found[-1].count(span) / len(covered) for span in spans]
        assert sum(shares) == 1 and shares == pytest.approx([1 / 17] * 17, abs=0.015)
    assert all(picture[a:b, c:d].all() and picture.sum() == (b - a) * (d - c)
               for picture, (a, b), (c, d) in zip(covered, *found))  # fmt: skip
    assert len(set(zip(*found))) > 250, "of 289: across and down by themselves"


def test_color_takes_brightness_saturation_and_contrast_from_the_whole_of_their_ranges():
    def parts(some):
        mean, grey = some.mean((1, 2, 3), keepdim=True), some.mean(1, keepdim=True)
        return mean, grey - mean, some - grey

    def times(after, before):
        return (after * before).sum((1, 2, 3)) / before.square().sum((1, 2, 3))

    torch.manual_seed(0)
    pictures = torch.rand(4000, 3, 4, 4) - 0.5
    changed = color(pictures)
    (mean, light, hue), (new_mean, new_light, new_hue) = parts(pictures), parts(changed)
    contrast = times(new_light, light)
    saturation, brightness = times(new_hue, hue) / contrast, (new_mean - mean).flatten()
    again = contrast[:, None, None, None] * (light + saturation[:, None, None, None] * hue)
    assert torch.allclose(changed, new_mean + again, atol=1e-5), "nothing else is changed"
    ranges = ((brightness, -0.5, 0.5), (saturation, 0.0, 2.0), (contrast, 0.5, 1.5))
    for drawn, low, high in ranges:
        assert low - 1e-4 <= drawn.min() and drawn.max() <= high + 1e-4
        assert (torch.histc(drawn, 10, low, high) / 4000 - 0.1).abs().max() < 0.02, "evenly"
    one, two, three = (drawn for drawn, _, _ in ranges)
    assert torch.corrcoef(torch.stack([one, two, three])).sub(torch.eye(3)).abs().max() < 0.05


@pytest.mark.parametrize("name", AUGMENTS)
def test_g_learns_through_every_augmentation(name):
    pictures = torch.zeros(8, 1, 16, 16, requires_grad=True)
    changed = AUGMENTS[name](pictures)
    assert changed.shape == pictures.shape
    changed.square().sum().backward() if name == "none" else changed.sum().backward()
    assert pictures.grad.isfinite().all() and (name == "none" or pictures.grad.abs().sum() > 0)


def test_instance_noise_has_its_size_and_is_gone_at_the_end():
    _, controllers = objective_of(config(instance_noise=0.2))
    (noise,) = controllers.noises
    zeros = torch.zeros(20_000)
    for progress, size in ((0.0, 0.2), (0.5, 0.1), (1.0, 0.0), (1.3, 0.0)):
        controllers.begin(progress)
        assert noise(zeros).std().item() == pytest.approx(size, rel=0.03, abs=1e-9)
    assert InstanceNoise(0.0)(zeros).abs().max() == 0


def test_networks_say_what_they_are():
    assert all(row.paper and row.summary.endswith(".") for row in NETWORKS.values())
    for table in (LOSSES, OPTIMISERS, INITIALISATIONS):
        assert all(row.paper and row.summary.endswith(".") for row in table.values())
