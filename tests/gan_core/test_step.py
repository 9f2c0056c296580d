"""The two updates: who learns from what, and what reaches whom."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gan_core.codes import code_loss
from gan_core.config import ModelConfig, TrainConfig
from gan_core.losses import LOSSES, GanLoss, hinge_d
from gan_core.mode_seeking import mode_seeking
from gan_core.penalties import PENALTIES
from gan_core.training import iteration
from gan_core.training.batch_sampler import Batch, BatchSampler
from gan_core.training.compute import ComputeConfig
from gan_core.training.controllers import Controllers
from gan_core.training.record import discriminator_stats, first_nonfinite_metric, measure
from gan_core.training.state import build_state, half_life, set_learning_rates, update_ema
from gan_core.training.step import Fake, Objective, StepOutput, d_step, draw_fake, g_step, gradient_norm

CONFIG = TrainConfig(seconds=1.0, batch=8)
OBJECTIVE = Objective(LOSSES["non-saturating"], class_weight=0.5)


def model(classes=3):
    return ModelConfig(network="dcgan-s2d", size=16, channels=1, classes=classes, latent=4, g_width=4,
                       d_width=4, conditioning="class-logits")  # fmt: skip


@pytest.fixture
def state():
    return build_state(CONFIG, model(), ComputeConfig())


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return Batch(torch.rand(8, 1, 16, 16) * 2 - 1, torch.arange(8) % 3)


def weights(net):
    return {name: value.clone() for name, value in net.named_parameters()}


def same(net, before):
    return all(torch.equal(value, before[name]) for name, value in net.named_parameters())


def test_d_step_changes_d_only(state, batch):
    fake = draw_fake(state, batch.labels, 8)
    G, D = weights(state.G), weights(state.D)
    d_step(state, batch, fake, OBJECTIVE)
    assert same(state.G, G) and not same(state.D, D)
    assert all(p.grad is None for p in state.G.parameters()), "D's step leaves nothing behind in G"


def test_g_step_changes_g_only_and_frees_d_again(state, batch):
    fake = draw_fake(state, batch.labels, 8)
    G, D = weights(state.G), weights(state.D)
    g_step(state, batch, fake, OBJECTIVE)
    assert not same(state.G, G) and same(state.D, D)
    assert all(p.grad is None for p in state.D.parameters())
    assert all(p.requires_grad for p in state.D.parameters())


def test_both_steps_may_share_one_fake_batch(state, batch):
    """G's gradient is that of D after its update, though the pictures were drawn before it."""
    fake = draw_fake(state, batch.labels, 8)
    d_step(state, batch, fake, OBJECTIVE)
    D = copy.deepcopy(state.D)
    output = D(fake.pictures, batch.labels)
    loss = F.softplus(-output.logits).mean() + 0.5 * F.cross_entropy(output.classes, batch.labels)
    expected = torch.autograd.grad(loss, list(state.G.parameters()), retain_graph=True)
    g_step(state, batch, fake, OBJECTIVE)
    for parameter, gradient in zip(state.G.parameters(), expected):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-4, atol=1e-7)


def test_d_learns_to_tell_a_fixed_pair_apart(state, batch):
    fake = Fake(torch.zeros(8, 1, 16, 16), torch.zeros(8, 4))
    for _ in range(60):
        outcome = d_step(state, batch, fake, OBJECTIVE)
    assert outcome.real.mean() > 1 and outcome.fake.mean() < -1
    assert outcome.loss < 0.5


def test_d_learns_the_label_of_real_pictures_only(state, batch):
    """D's gradient is that of the game and of the names it gives to real pictures. Fakes, which may not show
    their labels, teach it none; they pass D apart, so that batch norm mixes no fake with a real picture."""
    fake, D = Fake(torch.rand(8, 1, 16, 16), torch.zeros(8, 4)), copy.deepcopy(state.D)
    on_real, on_fake = D(batch.images, batch.labels), D(fake.pictures, batch.labels)
    game = F.softplus(-on_real.logits).mean() + F.softplus(on_fake.logits).mean()
    loss = game + 0.5 * F.cross_entropy(on_real.classes, batch.labels)
    expected = torch.autograd.grad(loss, list(D.parameters()))
    outcome = d_step(state, batch, fake, OBJECTIVE)
    for parameter, gradient in zip(state.D.parameters(), expected):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-4, atol=1e-7)
    assert torch.allclose(outcome.real, on_real.logits) and torch.allclose(outcome.fake, on_fake.logits)


def test_class_weight_zero_is_no_class_loss(state, batch):
    output = state.D(batch.images, batch.labels)
    assert Objective(LOSSES["non-saturating"], 0.0).class_loss(output, batch.labels) == 0.0
    half = Objective(LOSSES["non-saturating"], 0.5).class_loss(output, batch.labels)
    assert half.item() == pytest.approx(0.5 * F.cross_entropy(output.classes, batch.labels).item())


def test_augment_reaches_real_and_fake_in_d_and_fake_in_g(state, batch):
    seen = []

    def record(pictures):
        seen.append(pictures)
        return pictures * 1.0

    objective = Objective(LOSSES["non-saturating"], 0.5, augment=record)
    fake = draw_fake(state, batch.labels, 8)
    d_step(state, batch, fake, objective)
    g_step(state, batch, fake, objective)
    assert [s.requires_grad for s in seen] == [False, False, True]
    assert torch.equal(seen[0], batch.images) and torch.equal(seen[1], fake.pictures)
    assert seen[2] is fake.pictures


def test_penalty_is_added_to_d(state, batch):
    def pull(D, real, fake, labels):
        return 1e3 * sum(p.square().sum() for p in D.parameters())

    plain, penalised = copy.deepcopy(state.D), copy.deepcopy(state.D)
    fake = Fake(torch.zeros(8, 1, 16, 16), torch.zeros(8, 4))
    state.D = plain
    d_step(state, batch, fake, OBJECTIVE)
    state.D = penalised
    d_step(state, batch, fake, Objective(LOSSES["non-saturating"], 0.5, penalty=pull))
    assert gradient_norm(penalised) > 100 * gradient_norm(plain)


def test_what_is_minimised_is_recorded_term_by_term(batch):
    """Each term by its own formula, on the networks as they were; the gradient is that of their sum."""
    shape = replace(model(), latent=7, d_norm="none", code_classes=3)
    state, penalty = build_state(CONFIG, shape, ComputeConfig()), PENALTIES["r1"].function
    objective = Objective(
        LOSSES["hinge"], class_weight=0.5, names_fakes=True, code_weight=2.0, code_classes=3,
        mode_seeking_weight=0.1, penalty=lambda *seen: 0.7 * penalty(*seen),
    )  # fmt: skip
    fake, D = draw_fake(state, batch.labels, 8), copy.deepcopy(state.D)
    on_real, on_fake = D(batch.images, batch.labels), D(fake.pictures.detach(), batch.labels)
    expected = {
        "loss": hinge_d(on_real.logits, on_fake.logits),
        "class": 0.5 * sum(F.cross_entropy(one.classes, batch.labels) for one in (on_real, on_fake)),
        "code": 2.0 * code_loss(on_fake.codes, fake.z, 3),
        "penalty": 0.7 * penalty(D, batch.images, fake.pictures, batch.labels),
    }
    outcome = d_step(state, batch, fake, objective)
    assert_recorded(outcome, expected, state.D, D)

    generator, G = torch.Generator(), copy.deepcopy(state.G)
    generator.set_state(state.noise.get_state())
    on_fake = copy.deepcopy(state.D)(fake.pictures, batch.labels)
    both = state.noise_transform(torch.randn(8, 7, generator=generator))
    drawn = G(both, batch.labels[:4].repeat(2))
    expected = {
        "loss": -on_fake.logits.mean(),
        "class": 0.5 * F.cross_entropy(on_fake.classes, batch.labels),
        "code": 2.0 * code_loss(on_fake.codes, fake.z, 3),
        "mode_seeking": 0.1 * mode_seeking(both[:4], both[4:], drawn[:4], drawn[4:]),
    }
    outcome = g_step(state, batch, fake, objective)
    assert_recorded(outcome, expected)


def assert_recorded(outcome, expected, net=None, before=None):
    """The terms of a step, and the gradient of their sum where it can be taken in a copy of its network."""
    assert ["loss", *outcome.others] == list(expected)
    for name, term in {"loss": outcome.loss, **outcome.others}.items():
        assert term.item() == pytest.approx(expected[name].item(), rel=1e-5) and term.item() != 0, name
        assert not term.requires_grad
    if net is not None:
        gradients = torch.autograd.grad(sum(expected.values()), list(before.parameters()))
        for parameter, gradient in zip(net.parameters(), gradients):
            assert torch.allclose(parameter.grad, gradient, rtol=1e-4, atol=1e-7)


def test_what_is_off_is_not_recorded(batch):
    state = build_state(CONFIG, model(), ComputeConfig())
    fake, objective = draw_fake(state, batch.labels, 8), Objective(LOSSES["hinge"])
    assert d_step(state, batch, fake, objective).others == g_step(state, batch, fake, objective).others == {}


def test_a_comparing_loss_sees_real_logits_in_g_step(state, batch):
    got = {}

    def g(real, fake):
        got["real"] = real
        return fake.mean()

    loss = GanLoss(d=LOSSES["non-saturating"].d, g=g, at_rest=(0, 0), paper="", summary="", g_compares=True)
    expected = state.D(batch.images, batch.labels).logits.detach()
    g_step(state, batch, draw_fake(state, batch.labels, 8), Objective(loss))
    assert torch.equal(got["real"], expected) and not got["real"].requires_grad


def test_ema_half_life():
    """After one half-life of pictures half of a difference is left."""
    torch.manual_seed(0)
    old, new = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    new.running_mean.fill_(8.0)
    torch.nn.init.constant_(new.weight, 5.0)
    new.num_batches_tracked.fill_(9)
    for _ in range(10):
        update_ema(old, new, half_life=100.0, batch=10)
    assert torch.allclose(old.weight, torch.full((3,), 3.0)), "1 -> 5, half way"
    assert torch.allclose(old.running_mean, torch.full((3,), 4.0)), "buffers follow as well"
    assert old.num_batches_tracked == 9
    update_ema(old, new, half_life=0.0, batch=10)
    assert torch.equal(old.weight, new.weight), "a half-life of 0 copies"


def sampler_of(count):
    images = np.random.default_rng(0).integers(0, 256, (count, 1, 16, 16), dtype=np.uint8)
    return BatchSampler(images, np.arange(count) % 3, seed=1, device="cpu")


def test_an_iteration_moves_the_ema_by_all_pictures_that_d_saw_and_no_further_back_than_it_may(state):
    """The half-life is half of the pictures seen: 12 after the first iteration. After the second it would
    be 24, and 16 is the most."""
    config = TrainConfig(seconds=1.0, batch=8, d_steps=3, ema_rampup=0.5, ema_half_life=16)
    for reach in (12.0, 16.0):
        before = weights(state.ema)
        iteration.train_iteration(state, sampler_of(48), config, OBJECTIVE, Controllers(), 8)
        state.step += 1
        left = 0.5 ** (24 / reach)
        for (name, old), new in zip(before.items(), state.G.parameters()):
            expected = left * old + (1 - left) * new
            assert torch.allclose(state.ema.get_parameter(name), expected, rtol=1e-4, atol=1e-6)


def test_each_of_ds_steps_sees_real_pictures_of_its_own(state, monkeypatch):
    seen = []

    def spy(state, batch, *others):
        seen.append(batch)
        return d_step(state, batch, *others)

    monkeypatch.setattr(iteration, "d_step", spy)
    config = TrainConfig(seconds=1.0, batch=8, d_steps=3)
    for _ in range(2):
        iteration.train_iteration(state, sampler_of(48), config, OBJECTIVE, Controllers(), 8)
        state.step += 1
    every = sampler_of(48).batch(0, 48)
    assert torch.equal(torch.cat([batch.images for batch in seen]), every.images)
    assert torch.equal(torch.cat([batch.labels for batch in seen]), every.labels)


def test_how_far_smoothing_reaches():
    """A share of what was seen, and never more than was asked for, or than 25 roots of the budget."""
    config = TrainConfig(seconds=1.0, ema_rampup=0.2)
    assert half_life(config, 1000, 40_000) == pytest.approx(200), "25 x 200 = 5,000 lies further"
    assert half_life(config, 40_000, 40_000) == pytest.approx(5000), "a fifth would be 8,000"
    assert half_life(config, 30_000, 160_000) == pytest.approx(6000), "by the whole budget"
    assert half_life(config, 160_000, 160_000) == pytest.approx(10_000), "four times as many, twice as far"
    assert half_life(config, 64, float("inf")) == pytest.approx(12.8), "at the first step"
    assert half_life(TrainConfig(seconds=1.0, ema_rampup=0.2, ema_half_life=700), 40_000, 40_000) == 700
    assert half_life(TrainConfig(seconds=1.0, ema_rampup=0.0), 40_000, 40_000) == 0, "off"


def test_learning_rates_fall_on_a_straight_line(state):
    config = TrainConfig(seconds=1.0, lr_g=0.01, lr_d=0.02, lr_end=0.1)
    for progress, share in ((0.0, 1.0), (0.5, 0.55), (1.0, 0.1), (1.7, 0.1)):
        set_learning_rates(state, config, progress)
        assert state.g_optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * share)
        assert state.d_optimizer.param_groups[0]["lr"] == pytest.approx(0.02 * share)


def test_discriminator_stats_by_hand(state):
    for net in (state.G, state.D):
        for parameter in net.parameters():
            parameter.grad = torch.zeros_like(parameter)
    first = next(state.D.parameters())
    first.grad.view(-1)[:2] = torch.tensor([3.0, 4.0])
    d = StepOutput(
        torch.tensor(1.5), torch.tensor([0.0, 2.0, -1.0, 3.0]), torch.tensor([0.0, -2.0, -1.0, -3.0])
    )
    g = StepOutput(torch.tensor(0.7), torch.zeros(4), torch.zeros(4))
    values = measure(state, LOSSES["non-saturating"], d, g)
    assert values["loss/D"] == 1.5 and values["loss/G"] == pytest.approx(0.7)
    assert values["accuracy/real"] == 0.5 and values["accuracy/fake"] == 0.75
    assert values["score/D(x)"] == pytest.approx(np.mean(1 / (1 + np.exp([0, -2, 1, -3]))))
    assert values["gradient/D"] == 5.0 and values["gradient/G"] == 0.0
    assert first_nonfinite_metric(values) is None
    assert not {"penalty/D", "class/D", "class/G"} & values.keys()
    terms = {name: torch.tensor(value) for name, value in (("class", 0.25), ("penalty", 2.0))}
    d, g = d._replace(others=terms), g._replace(others={"code": torch.ones(())})
    values = measure(state, LOSSES["hinge"], d, g)
    assert (values["class/D"], values["penalty/D"], values["code/G"]) == (0.25, 2.0, 1.0)
    assert "class/G" not in values and "code/D" not in values
    state.lazy_penalty = torch.tensor(8.0)
    assert measure(state, LOSSES["hinge"], d, g)["penalty/D"] == 8.0, "the last one, until the next"
    assert first_nonfinite_metric({"a": 1.0, "b": float("inf"), "c": float("nan")}) == "b"


@pytest.mark.parametrize("name, right", [
    ("non-saturating", (0.75, 0.25)), ("minimax", (0.75, 0.25)), ("hinge", (0.75, 0.25)),
    ("least-squares", (0.25, 0.75)), ("wasserstein", (0.5, 0.5)), ("relativistic", (0.5, 0.5)),
])  # fmt: skip
def test_how_often_d_is_right_goes_by_where_its_game_decides(name, right):
    """Logits in which every kind of decision counts differently; the first two pairs are told apart."""
    real, fake = torch.tensor([0.9, -0.2, 0.1, 0.2]), torch.tensor([0.3, -0.3, 0.8, 0.4])
    values = discriminator_stats(LOSSES[name], real, fake)
    assert (values["accuracy/real"], values["accuracy/fake"]) == right
    scored = {"score/D(x)", "score/D(G(z))"} <= values.keys()
    assert scored == (name in ("non-saturating", "minimax")), "elsewhere a logit is no probability"


@pytest.mark.parametrize("name", LOSSES)
def test_a_game_decides_where_its_row_says(name):
    """D's loss is the same with both kinds exchanged and mirrored there; where nothing but differences
    counts, it is the same with all logits moved."""
    game, bound = LOSSES[name].d, LOSSES[name].decides_at
    real, fake = torch.tensor([0.9, -0.2, 3.0]), torch.tensor([0.3, -2.0, 0.8])
    again = game(real + 0.7, fake + 0.7) if bound is None else game(2 * bound - fake, 2 * bound - real)
    assert torch.allclose(game(real, fake), again)


def test_the_batch_sampler_draws_every_picture_once_an_epoch_and_depends_on_position_only():
    images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    labels = np.arange(10)
    batch_sampler = BatchSampler(images, labels, seed=3, device="cpu")
    positions = range(0, 40, 4)
    batches = [batch_sampler.batch(p, 4) for p in positions]
    drawn = torch.cat([b.labels for b in batches]).view(4, 10)
    assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in drawn)
    assert drawn[0].tolist() != drawn[1].tolist()
    for batch in batches:
        assert torch.allclose((batch.images.flatten() + 1) * 127.5, batch.labels.float(), atol=1e-4)
    fresh = BatchSampler(images, labels, seed=3, device="cpu")
    assert torch.equal(fresh.batch(28, 4).labels, batches[7].labels)
    other = BatchSampler(images, labels, seed=4, device="cpu")
    assert other.batch(0, 10).labels.tolist() != drawn[0].tolist()


def test_unconditional_steps():
    state = build_state(CONFIG, model(classes=0), ComputeConfig())
    batch = Batch(torch.zeros(8, 1, 16, 16), None)
    fake = draw_fake(state, None, 8)
    for step, net, side in ((d_step, state.D, OBJECTIVE.loss.d), (g_step, state.G, OBJECTIVE.loss.g)):
        real, drawn = (state.D(pictures, None).logits for pictures in (batch.images, fake.pictures))
        before = weights(net)
        assert step(state, batch, fake, OBJECTIVE).loss == side(real, drawn), "no label, no loss of its name"
        assert not same(net, before)
