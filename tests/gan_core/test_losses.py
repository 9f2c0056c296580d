"""Each loss against values worked out by hand, and against its gradient's direction."""

import math

import pytest
import torch

from gan_core.losses import LOSSES, MISTAKES

LN2 = math.log(2)
REST = {"least-squares": 0.5}  # the logit of "I cannot tell"; 0 in the other games


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


CASES = {
    # name: (D loss, G loss) for real logits (2, -1), fake logits (1, 0.5)
    "non-saturating": (
        (softplus(-2) + softplus(1)) / 2 + (softplus(1) + softplus(0.5)) / 2,
        (softplus(-1) + softplus(-0.5)) / 2,
    ),
    "minimax": (
        (softplus(-2) + softplus(1)) / 2 + (softplus(1) + softplus(0.5)) / 2,
        -(softplus(1) + softplus(0.5)) / 2,
    ),
    "least-squares": ((1 / 2 + 4 / 2) / 2 + (1 / 2 + 0.25 / 2) / 2, (0 + 0.25 / 2) / 2),
    "hinge": ((0 + 2) / 2 + (2 + 1.5) / 2, -0.75),
    "wasserstein": (0.75 - 0.5, -0.75),
    "relativistic": ((softplus(-1) + softplus(1.5)) / 2, (softplus(1) + softplus(-1.5)) / 2),
}


def test_every_loss_has_a_case():
    assert CASES.keys() == LOSSES.keys()


@pytest.mark.parametrize("name", LOSSES)
def test_values_by_hand(name):
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 0.5])
    d, g = CASES[name]
    assert LOSSES[name].d(real, fake).item() == pytest.approx(d, rel=1e-6)
    assert LOSSES[name].g(real, fake).item() == pytest.approx(g, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_the_two_want_opposite_things(name):
    real, fake = (torch.full((4,), REST.get(name, 0.0), requires_grad=True) for _ in range(2))
    d_real, d_fake = torch.autograd.grad(LOSSES[name].d(real, fake), (real, fake))
    (g_fake,) = torch.autograd.grad(LOSSES[name].g(real.detach(), fake), (fake,))
    assert (d_real < 0).all(), "D gains by calling real pictures more real"
    assert (d_fake > 0).all(), "D gains by calling fake pictures less real"
    assert (g_fake < 0).all(), "G gains by having its pictures called more real"


@pytest.mark.parametrize("name", LOSSES)
def test_at_rest(name):
    """When nobody can tell real from fake, D's best answer to all pictures is one and the same logit."""
    rest, (d, g) = torch.full((8,), REST.get(name, 0.0)), LOSSES[name].at_rest
    assert LOSSES[name].d(rest, rest).item() == pytest.approx(d, abs=1e-3)
    assert LOSSES[name].g(rest, rest).item() == pytest.approx(g, abs=1e-3)
    for other in torch.linspace(-3, 3, 25):
        assert LOSSES[name].d(other + rest, other + rest) >= LOSSES[name].d(rest, rest) - 1e-6


@pytest.mark.parametrize("name", LOSSES)
def test_only_a_loss_that_says_so_looks_at_real_logits(name):
    fake = torch.tensor([0.3, -0.2])
    one = LOSSES[name].g(torch.tensor([0.0, 0.0]), fake)
    other = LOSSES[name].g(torch.tensor([5.0, -3.0]), fake)
    assert torch.equal(one, other) != LOSSES[name].g_compares


def test_extreme_logits_stay_finite():
    for loss in LOSSES.values():
        big = torch.tensor([1e4, -1e4])
        assert torch.isfinite(loss.d(big, -big)) and torch.isfinite(loss.g(big, -big))


def slope(value, at):
    (gradient,) = torch.autograd.grad(value, at)
    return gradient


def test_minimax_teaches_g_nothing_once_d_has_won_and_the_other_one_does():
    fake = torch.full((1,), -12.0, requires_grad=True)
    assert slope(LOSSES["minimax"].g(fake, fake), fake).abs() < 1e-4
    assert slope(LOSSES["non-saturating"].g(fake, fake), fake).abs() > 0.99


def test_minimax_g_minimises_what_d_maximises():
    """The value of the game: both gradients by D(G(z)) are opposite, logit for logit."""
    fake = torch.tensor([-2.0, 0.3, 1.0], requires_grad=True)
    game = LOSSES["minimax"]
    for_d, for_g = (slope(side(torch.zeros(3), fake), fake) for side in (game.d, game.g))
    assert torch.allclose(for_d, -for_g)


def test_hinge_leaves_alone_what_is_right_by_the_margin():
    real, fake = torch.tensor([1.5, 0.5], requires_grad=True), torch.tensor([-1.5, -0.5], requires_grad=True)
    d_real, d_fake = torch.autograd.grad(LOSSES["hinge"].d(real, fake), (real, fake))
    assert d_real.tolist() == [0.0, -0.5] and d_fake.tolist() == [0.0, 0.5]


@pytest.mark.parametrize("name", ["relativistic", "wasserstein"])
def test_only_differences_count_for_d(name):
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 0.5])
    d = LOSSES[name].d
    assert d(real + 7, fake + 7).item() == pytest.approx(d(real, fake).item(), abs=1e-6)


def test_relativistic_pairs_by_place():
    """Row i of both has the same label: shuffling one side changes the value."""
    real, fake = torch.tensor([3.0, -3.0]), torch.tensor([3.0, -3.0])
    game = LOSSES["relativistic"]
    assert game.d(real, fake).item() == pytest.approx(LN2)
    assert game.d(real, fake.flip(0)).item() > 3 and game.g(real, fake.flip(0)).item() > 3


@pytest.mark.parametrize("name", ["minimax", "non-saturating"])
def test_the_dirac_gan_circles(name):
    """D(x) = psi x, data at 0, G at theta: the flow's Jacobian at rest has eigenvalues +-i/2.

    Source: Mescheder et al. 2018, arXiv 1801.04406, lemma 2.3.
    """
    game = LOSSES[name]

    def flow(theta, psi):
        zero = psi * torch.zeros(1, dtype=psi.dtype)
        d = -slope(game.d(zero, psi * theta.detach()), psi)
        g = -slope(game.g(zero, psi.detach() * theta), theta)
        return g, d

    rows = []
    for theta, psi in ((1e-4, 0.0), (0.0, 1e-4)):
        point = [torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (theta, psi)]
        rows.append([float(v) / 1e-4 for v in flow(*point)])
    eigenvalues = torch.linalg.eigvals(torch.tensor(rows, dtype=torch.float64).T)
    assert eigenvalues.real.abs().max() < 1e-3
    assert sorted(eigenvalues.imag.tolist()) == pytest.approx([-0.5, 0.5], abs=1e-3)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_the_one_it_is_named_for(name):
    real, fake = (torch.zeros(4, requires_grad=True) for _ in range(2))
    game = MISTAKES[name]
    assert game.d(real, fake).item() == pytest.approx(game.at_rest[0], abs=1e-3)
    assert game.g(real, fake).item() == pytest.approx(game.at_rest[1], abs=1e-3)
    d_real, d_fake = torch.autograd.grad(game.d(real, fake), (real, fake))
    (g_fake,) = torch.autograd.grad(game.g(real, fake), (fake,))
    assert (d_real < 0).all()
    assert (d_fake > 0).all() != (name == "mistake-wrong-sign"), "D is rewarded for believing fakes"
    wrong_way, nowhere = name == "mistake-wrong-label", name == "mistake-stale-batch"
    assert (g_fake < 0).all() == (not wrong_way and not nowhere)
    assert (g_fake > 0).all() == wrong_way, "G is told to look faker"
    assert (g_fake == 0).all() == nowhere


def test_two_sigmoids_leave_d_unsure_for_ever_and_hide_from_g_where_it_is_wrong():
    game, far = MISTAKES["mistake-double-sigmoid"], torch.tensor([30.0])
    assert game.d(far, -far).item() == pytest.approx(softplus(-1) + LN2, abs=1e-4), "its best, far from 0"
    fake = torch.tensor([-12.0], requires_grad=True)
    assert slope(game.g(fake, fake), fake).abs() < 1e-4
