"""Penalties against closed forms: a linear D has one and the same slope w everywhere."""

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_core import penalties
from gan_core.config import ModelConfig, from_mapping, knobs
from gan_core.losses import LOSSES
from gan_core.networks import DiscriminatorOutput, build_pair
from gan_core.penalties import PENALTIES
from gan_core.training.batch_sampler import Batch
from gan_core.training.compute import ComputeConfig
from gan_core.training.objective import objective_of
from gan_core.training.state import State, build_state
from gan_core.training.step import Objective, d_step, draw_fake, g_step, lazy_step

MODEL = ModelConfig(network="dcgan-s2d", size=16, channels=1, classes=0, latent=4, g_width=4, d_width=8,
                    conditioning="class-logits", d_norm="none", g_norm="none")  # fmt: skip


class Linear(nn.Module):
    """D(x) = <w, x> for each picture."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, pictures, labels):
        return DiscriminatorOutput((pictures.flatten(1) * self.w.to(pictures.dtype)).sum(1), None)


class Bowl(nn.Module):
    """D(x) = ||x||^2 / 2, whose slope at x is x."""

    def forward(self, pictures, labels):
        return DiscriminatorOutput(pictures.square().flatten(1).sum(1) / 2, None)


@pytest.fixture
def pictures():
    torch.manual_seed(0)
    return torch.randn(6, 1, 4, 4), torch.randn(6, 1, 4, 4)


def slope(length):
    w = torch.randn(16)
    return w * length / w.norm()


length = 3.0
CLOSED = {
    "none": 0.0,
    "r1": length**2 / 2,
    "r2": length**2 / 2,
    "r1-r2": length**2,
    "gradient-penalty": (length - 1) ** 2,
    "dragan": (length - 1) ** 2,
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_linear_d_has_the_closed_form_for_any_batch(name, pictures):
    real, fake = pictures
    D, function = Linear(slope(length)), PENALTIES[name].function
    assert function(D, real, fake, None).item() == pytest.approx(CLOSED[name], rel=1e-4)
    assert function(D, real[:1], fake[:1], None).item() == pytest.approx(CLOSED[name], rel=1e-4)


class Labelled(Linear):
    """D(x) = label * <w, x>: another slope for another label."""

    def forward(self, pictures, labels):
        return DiscriminatorOutput(super().forward(pictures, labels).logits * labels, None)


@pytest.mark.parametrize("name", [name for name in PENALTIES if name != "none"])
def test_each_looks_at_the_logit_of_each_pictures_own_label(name):
    """Half of the pictures with a slope of 1, half with one of 3."""
    torch.manual_seed(0)
    real, fake = torch.randn(2, 8000, 1, 4, 4)
    value = PENALTIES[name].function(Labelled(slope(1.0)), real, fake, torch.tensor([1.0, 3.0]).repeat(4000))
    expected = {"r1-r2": (1 + 9) / 2, "gradient-penalty": 2**2 / 2, "dragan": 2**2 / 2}.get(name, (1 + 9) / 4)
    assert value.item() == pytest.approx(expected, rel=0.1 if name == "r1-difference" else 1e-4)


def test_every_row_has_a_closed_form_here():
    assert CLOSED.keys() | {"r1-difference"} == PENALTIES.keys()


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
def test_the_difference_comes_near_r1(spread):
    """Of a D that is bent, and steeper the farther out: over no more than a small step, at real pictures."""
    torch.manual_seed(0)
    real, fake = spread * torch.randn(20_000, 1, 4, 4), torch.full((20_000, 1, 4, 4), 9.0)
    value = PENALTIES["r1-difference"].function(Bowl(), real, fake, None).item()
    assert value == pytest.approx(PENALTIES["r1"].function(Bowl(), real, fake, None).item(), rel=0.05)
    assert value == pytest.approx(8 * spread**2, rel=0.05), "half the squared length of 16 numbers"


def test_each_looks_where_it_says(pictures):
    """The slope of a bowl is the place itself."""
    real, fake = pictures
    half = {"r1": real, "r2": fake}
    for name, where in half.items():
        expected = 0.5 * where.flatten(1).square().sum(1).mean().item()
        assert PENALTIES[name].function(Bowl(), real, fake, None).item() == pytest.approx(expected, rel=1e-5)
    around = PENALTIES["dragan"].function(Bowl(), torch.full_like(real, 0.5), fake * 100, None)
    assert around.item() == pytest.approx((4 * 0.5 - 1) ** 2, rel=1e-4), "nothing of the fakes"


@pytest.mark.parametrize(("low", "high"), [(0.0, 10.0), (4.0, 8.0)])
def test_gradient_penalty_looks_between_real_and_fake_each_at_its_own_share(low, high):
    """Between pictures of length `low` and `high` the lengths are even from the one to the other."""
    torch.manual_seed(0)
    real, fake = torch.full((20_000, 1, 2, 2), low / 2), torch.full((20_000, 1, 2, 2), high / 2)
    value = PENALTIES["gradient-penalty"].function(Bowl(), real, fake, None).item()
    assert value == pytest.approx(((high - 1) ** 3 - (low - 1) ** 3) / 3 / (high - low), rel=0.03)


@pytest.mark.parametrize("std", [0.5, 2.0])
def test_dragan_looks_around_real_pictures_as_far_as_half_of_their_deviation(std):
    """Pictures of two pixels, one half all 0 and the other all 2 std: the expected value is the mean over
    all d, each pixel's its own and even from 0 to std / 2."""
    torch.manual_seed(0)
    real = torch.zeros(40_000, 1, 1, 2)
    real[::2] += 2 * std
    value = PENALTIES["dragan"].function(Bowl(), real, real, None).item()
    d = (torch.arange(200) + 0.5) / 200 * std / 2
    lengths = torch.stack([torch.hypot((x + d)[:, None], (x + d)[None]) for x in (0.0, 2 * std)])
    assert value == pytest.approx((lengths - 1).square().mean().item(), rel=0.007)


@pytest.mark.parametrize("name", [name for name in PENALTIES if name != "none"])
def test_each_teaches_d_to_be_flatter_or_to_climb_at_one(name, pictures):
    real, fake = pictures
    steep = Linear(slope(length))
    PENALTIES[name].function(steep, real, fake, None).backward()
    assert (steep.w.grad @ steep.w).item() > 0, "a step down makes a steep D less steep"


@pytest.mark.parametrize("name", ["gradient-penalty", "dragan"])
def test_a_flat_d_is_told_to_climb_and_its_gradient_is_finite(name, pictures):
    flat = Linear(torch.zeros(16))
    value = PENALTIES[name].function(flat, *pictures, None)
    value.backward()
    assert value.item() == pytest.approx(1.0, abs=1e-4) and flat.w.grad.isfinite().all()


def test_slopes_take_short_numbers_and_leave_pictures_alone(pictures):
    real, _ = pictures
    gradient = penalties.slopes(Linear(slope(2.0)), real.bfloat16(), None)
    assert gradient.dtype == torch.float32 and gradient.shape == (6, 16)
    assert not real.requires_grad


class Point(nn.Module):
    """A generator that draws the one number theta, whatever z."""

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta))

    def forward(self, z, labels):
        return self.theta.expand(len(z), 1, 1, 1)


def dirac(gamma, rate, steps):
    """Where theta and psi are after `steps` real updates from (.1, 0)."""
    G, D = Point(0.1), Linear(torch.tensor([0.0]))
    sgd = [torch.optim.SGD(net.parameters(), lr=rate) for net in (G, D)]
    state = State(G, D, G, *sgd, torch.Generator(), 1, lambda z: z, ComputeConfig())
    term = (lambda *seen: gamma * PENALTIES["r1"].function(*seen)) if gamma else PENALTIES["none"].function
    objective = Objective(LOSSES["non-saturating"], penalty=term)
    for _ in range(steps):
        batch = Batch(torch.zeros(4, 1, 1, 1), None)
        fake = draw_fake(state, None, 4)
        d_step(state, batch, fake, objective)
        g_step(state, batch, fake, objective)
    return torch.stack([G.theta.detach(), D.w.detach()[0]]).double()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_the_dirac_gan_circles_and_r1_draws_it_to_the_middle(gamma):
    """D(x) = psi x, data at 0, G at theta: near (0, 0) theta' = psi / 2 and psi' = -theta / 2 - gamma psi,
    whose eigenvalues are (-gamma +- sqrt(gamma^2 - 1)) / 2. Source: Mescheder et al. 2018, arXiv 1801.04406,
    lemma 2.3 and 4.1."""
    flow = torch.tensor([[0.0, 0.5], [-0.5, -gamma]], dtype=torch.float64)
    rate, steps = 0.02, 400
    expected = torch.matrix_exp(flow * rate * steps) @ torch.tensor([0.1, 0.0], dtype=torch.float64)
    found = dirac(gamma, rate, steps)
    assert torch.allclose(found, expected, atol=0.003)
    assert (found.norm() > 0.09) == (gamma == 0)


def test_a_difference_compares_the_same_dropped_features(pictures):
    """With two masks the difference would be that of two discriminators, however near the pictures."""

    class Dropping(Linear):
        def forward(self, pictures, labels):
            return super().forward(nn.functional.dropout(pictures, 0.5), labels)

    torch.manual_seed(0)
    real = torch.ones(2000, 1, 4, 4)
    value = PENALTIES["r1-difference"].function(Dropping(slope(length)), real, real, None)
    assert value.item() == pytest.approx(length**2, rel=0.2), "kept features count double: 1/2 * 4 * 1/2"


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_difference_comes_near_r1_under_spectral_norm(seed, trained):
    """Each pass in training moves spectral norm's estimates; between the two the weights must not change, or
    their change is taken for D's slope, up to hundreds of times as large."""
    torch.manual_seed(seed)
    _, D = build_pair(dataclasses.replace(MODEL, d_norm="spectral"), seed)
    if trained:  # faster than the estimates follow
        for parameter in D.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
    real = torch.rand(512, 1, 16, 16) * 2 - 1
    exact, by_difference = (
        PENALTIES[name].function(copy.deepcopy(D), real, real, None) for name in ("r1", "r1-difference")
    )
    assert exact / 1.5 < by_difference < 1.5 * exact


class Smooth(nn.Module):
    """Two layers under spectral norm, and nothing with an edge."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            spectral_norm(nn.Linear(16, 8)), nn.Tanh(), spectral_norm(nn.Linear(8, 1))
        )

    def forward(self, pictures, labels):
        return DiscriminatorOutput(self.layers(pictures.flatten(1)).squeeze(1), None)


def test_the_weights_that_serve_both_passes_of_a_difference_learn_from_both(pictures):
    """Their gradient is how the value changes with them."""
    D = Smooth().eval()  # the estimates rest
    steps = [0.1 * torch.randn_like(parameter) for parameter in D.parameters()]

    def moved(far):
        net = copy.deepcopy(D)
        for parameter, step in zip(net.parameters(), steps):
            parameter.data += far * step
        torch.manual_seed(1)
        return net, PENALTIES["r1-difference"].function(net, *pictures, None)

    net, value = moved(0.0)
    value.backward()
    slope_there = sum((p.grad * step).sum().item() for p, step in zip(net.parameters(), steps))
    change = (moved(0.01)[1] - moved(-0.01)[1]).item() / 0.02
    assert abs(slope_there) > 1e-3 and change == pytest.approx(slope_there, rel=0.02)


REUSING = [name for name, row in PENALTIES.items() if row.reuses]


def a_step(name, precision="fp32"):
    """A state whose D has learned a little, a batch, fakes, and the objective with this penalty alone."""
    settings = from_mapping({"steps": 1, "dataset": "glyphs", "penalty": name, "penalty_weight": 3.0,
                             "d_norm": "none", "g_norm": "none", "conditional": False})  # fmt: skip
    state = build_state(settings, MODEL, ComputeConfig(precision=precision))
    torch.manual_seed(0)
    batch = Batch(torch.rand(16, 1, 16, 16) * 2 - 1, None)
    fake = draw_fake(state, None, 16)
    for _ in range(5):
        d_step(state, batch, fake, Objective(LOSSES["non-saturating"]))
    return state, batch, fake, objective_of(settings)[0]


def test_those_at_the_pictures_of_the_step_reuse_its_logits():
    assert REUSING == ["r1", "r2", "r1-r2"]


@pytest.mark.parametrize("name", PENALTIES)
def test_how_often_d_looks_in_a_step(name):
    state, batch, fake, objective = a_step(name)
    looks, more = [], {"gradient-penalty": 1, "dragan": 1, "r1-difference": 2}.get(name, 0)
    state.D.register_forward_hook(lambda *_: looks.append(1))
    d_step(state, batch, fake, objective)
    assert len(looks) == 2 + more


@pytest.mark.parametrize("name", REUSING)
@pytest.mark.parametrize("precision, off", [("fp32", 1e-5), ("bf16", 0.03)])
def test_through_the_logits_of_a_step_a_penalty_is_what_a_second_look_would_give(name, precision, off):
    """In its value and in what D learns from it."""
    state, batch, fake, objective = a_step(name, precision)
    again = copy.deepcopy(state)
    once = d_step(state, batch, fake, objective)
    twice = d_step(again, batch, fake, dataclasses.replace(objective, reuses=False))
    assert once.others["penalty"].item() == pytest.approx(twice.others["penalty"].item(), rel=off)
    assert once.loss.item() == pytest.approx(twice.loss.item(), rel=off)
    one, two = (torch.cat([p.grad.flatten() for p in s.D.parameters()]) for s in (state, again))
    assert (one - two).norm() < off * two.norm() and two.norm() > 0
    assert not batch.images.requires_grad and batch.images.grad is None


@pytest.mark.parametrize("name", ["r1", "r2", "r1-r2", "r1-difference"])
def test_left_empty_the_weight_is_r3gans_and_not_called_that_of_the_rows_own_paper(name, pictures):
    """Mescheder et al. 2018 train with 10; .05 is what R3GAN begins CIFAR-10 with."""
    row, D = PENALTIES[name], Linear(torch.ones(16))
    assert row.weight == penalties.SMALL == 0.05
    assert "paper" not in knobs()["penalty_weight"].help
    penalty = objective_of(from_mapping({"steps": 1, "penalty": name, "d_norm": "none"}))[0].penalty
    torch.manual_seed(1)
    weighed = penalty(D, *pictures, None)
    torch.manual_seed(1)
    assert weighed.item() == pytest.approx(0.05 * row.function(D, *pictures, None).item())


@pytest.mark.parametrize("name", ["gradient-penalty", "dragan"])
def test_left_empty_the_weight_of_those_that_aim_at_one_is_ten_as_in_their_papers(name, pictures):
    """Gulrajani et al. 2017, algorithm 1; Kodali et al. 2017: lambda = 10."""
    penalty = objective_of(from_mapping({"steps": 1, "penalty": name, "d_norm": "none"}))[0].penalty
    value = penalty(Linear(slope(length)), *pictures, None).item()
    assert value == pytest.approx(10 * (length - 1) ** 2, rel=1e-4)


@pytest.mark.parametrize("every", [1, 4])
def test_d_learns_from_a_penalty_at_each_pictures_own_label(every):
    """A logit a class has another slope a class. In each step it is added to the game, now and then it stands
    alone with as many times the weight."""
    settings = from_mapping({"steps": 1, "batch": 6, "penalty": "r1", "penalty_weight": 3.0, "d_norm": "none",
                             "penalty_every": every, "class_weight": 0.0})  # fmt: skip
    model = ModelConfig(network="dcgan-s2d", size=16, channels=1, classes=3, latent=4, g_width=4, d_width=4,
                        conditioning="class-logits", d_norm="none")  # fmt: skip
    state, (objective, _) = build_state(settings, model, ComputeConfig()), objective_of(settings)
    torch.manual_seed(0)
    for parameter in state.D.parameters():
        parameter.data *= 5  # steep enough for the penalty to count beside the game
    batch = Batch(torch.rand(6, 1, 16, 16) * 2 - 1, torch.tensor([2, 0, 1, 1, 2, 0]))
    drawn, D = draw_fake(state, batch.labels, 6), copy.deepcopy(state.D)

    pixels = batch.images.clone().requires_grad_(True)
    real, fake = D(pixels, batch.labels).logits, D(drawn.pictures.detach(), batch.labels).logits
    (slopes,) = torch.autograd.grad(real.sum(), pixels, create_graph=True)
    penalty = every * 3.0 / 2 * slopes.square().sum((1, 2, 3)).mean()
    game = F.softplus(-real).mean() + F.softplus(fake).mean()
    learning = list(D.parameters())[:-1]  # all but the last offset, which has no part in a slope
    expected = torch.autograd.grad(penalty if every > 1 else game + penalty, learning)

    (d_step if every == 1 else lazy_step)(state, batch, drawn, objective)
    for parameter, gradient in zip(state.D.parameters(), expected):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-6)
