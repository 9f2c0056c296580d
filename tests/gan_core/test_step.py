"""The two updates: who learns from what, and what reaches whom."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gan_core.config import ModelConfig, TrainConfig
from gan_core.losses import LOSSES, GanLoss
from gan_core.training.batch_sampler import Batch, BatchSampler
from gan_core.training.compute import ComputeConfig
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
    """The class loss on D's side looks at real pictures; fakes with wrong labels must not teach it."""
    seen = []
    naming = Objective(LOSSES["non-saturating"], 0.5)
    forward = state.D.forward

    def spy(pictures, labels):
        seen.append(pictures)
        return forward(pictures, labels)

    state.D.forward = spy
    outcome = d_step(state, batch, Fake(torch.zeros(8, 1, 16, 16), torch.zeros(8, 4)), naming)
    assert len(seen) == 2, "real and fake go through D apart: batch norm must not mix them"
    assert torch.equal(seen[0], batch.images) and seen[1].abs().max() == 0
    assert outcome.real.shape == outcome.fake.shape == (8,)


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

    plain, pulled = copy.deepcopy(state.D), copy.deepcopy(state.D)
    fake = Fake(torch.zeros(8, 1, 16, 16), torch.zeros(8, 4))
    state.D = plain
    d_step(state, batch, fake, OBJECTIVE)
    state.D = pulled
    d_step(state, batch, fake, Objective(LOSSES["non-saturating"], 0.5, penalty=pull))
    assert gradient_norm(pulled) > 100 * gradient_norm(plain)


def test_a_comparing_loss_sees_real_logits_in_g_step(state, batch):
    got = {}

    def g(real, fake):
        got["real"] = real
        return fake.mean()

    loss = GanLoss(d=LOSSES["non-saturating"].d, g=g, at_rest=(0, 0), paper="", summary="", g_compares=True)
    g_step(state, batch, draw_fake(state, batch.labels, 8), Objective(loss))
    assert got["real"].abs().sum() > 0 and not got["real"].requires_grad


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


def test_how_far_smoothing_reaches():
    """A share of what was seen, and never more than was asked for, or than 25 roots of the budget."""
    config = TrainConfig(seconds=1.0, ema=0.2)
    assert half_life(config, 1000, 40_000) == pytest.approx(200), "25 x 200 = 5,000 lies further"
    assert half_life(config, 40_000, 40_000) == pytest.approx(5000), "a fifth would be 8,000"
    assert half_life(config, 30_000, 160_000) == pytest.approx(6000), "by the whole budget"
    assert half_life(config, 160_000, 160_000) == pytest.approx(10_000), "four times as many, twice as far"
    assert half_life(config, 64, float("inf")) == pytest.approx(12.8), "at the first step"
    assert half_life(TrainConfig(seconds=1.0, ema=0.2, ema_half_life=700), 40_000, 40_000) == 700
    assert half_life(TrainConfig(seconds=1.0, ema=0.0), 40_000, 40_000) == 0, "off"


def test_rates_fall_on_a_straight_line(state):
    config = TrainConfig(seconds=1.0, lr_g=0.01, lr_d=0.02, lr_end=0.1)
    for progress, share in ((0.0, 1.0), (0.5, 0.55), (1.0, 0.1), (1.7, 0.1)):
        set_learning_rates(state, config, progress)
        assert state.g_optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * share)
        assert state.d_optimizer.param_groups[0]["lr"] == pytest.approx(0.02 * share)


def test_measure_by_hand(state):
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


def test_feed_draws_every_picture_once_an_epoch_and_depends_on_position_only():
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
    assert d_step(state, batch, fake, OBJECTIVE).loss.isfinite()
    assert g_step(state, batch, fake, OBJECTIVE).loss.isfinite()
