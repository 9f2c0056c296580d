"""Each loss against values worked out by hand, and against its gradient's direction."""

import math

import pytest
import torch

from gan_core.losses import CROSS_ENTROPY, GAMES, LOSSES, MISTAKES, game_of

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


def resting(game):
    """(D loss, G loss) at D's best answer to pictures that nobody can tell apart: one common logit for all.

    None where no logit is best, as D gains without end by a farther one; in G's place where several are and
    G's loss is not the same at all of them.
    """
    logits = torch.linspace(-12, 12, 24_001, dtype=torch.float64)

    def at(logit):
        common = logit.expand(2)
        return game.d(common, common), game.g(common, common)

    d, g = torch.vmap(at, randomness="different")(logits)
    near = d[logits.abs() <= 6].min()
    if near > d.min() + 1e-9:
        return None
    g = g[d <= near + 1e-8]
    return near.item(), g.mean().item() if g.max() - g.min() < 2e-3 else None


ASKED = [(name, 1.0, label_flip_prob) for name in GAMES for label_flip_prob in (0.0, 0.25)]
ASKED += [(name, 0.9, 0.0) for name in MISTAKES]
ASKED += [
    (name, target, label_flip_prob)
    for name in CROSS_ENTROPY
    for target, label_flip_prob in ((0.9, 0.0), (0.5, 0.4))
]


@pytest.mark.parametrize(("name", "target", "label_flip_prob"), ASKED)
def test_at_rest(name, target, label_flip_prob):
    game = game_of(name, target, label_flip_prob)
    expected = resting(game)
    assert (game.at_rest is None) == (expected is None)
    for told, found in zip(game.at_rest or (), expected or (), strict=True):
        assert told == (None if found is None else pytest.approx(found, abs=1e-3))


@pytest.mark.parametrize("target", [0.9, 0.5])
def test_a_smoothed_game_rests_at_half_its_target(target):
    """2 softplus(a) - t a is least where sigmoid(a) = t / 2, and there twice the entropy of t / 2."""
    p = target / 2
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert game_of("non-saturating", target).at_rest == pytest.approx((2 * entropy, -math.log(p)), abs=1e-5)
    assert game_of("minimax", target).at_rest == pytest.approx((2 * entropy, math.log(1 - p)), abs=1e-5)


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


AT_ZERO = {  # (D loss, G loss) where all logits are 0
    "mistake-wrong-label": (2 * LN2, LN2),
    "mistake-double-sigmoid": (softplus(-0.5) + softplus(0.5), softplus(-0.5)),
    "mistake-wrong-sign": (0.0, LN2),
    "mistake-stale-batch": (2 * LN2, LN2),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_the_one_it_is_named_for(name):
    real, fake = (torch.zeros(4, requires_grad=True) for _ in range(2))
    game = MISTAKES[name]
    sides = game.d(real, fake).item(), game.g(real, fake).item()
    assert sides == pytest.approx(AT_ZERO[name], abs=1e-6)
    d_real, d_fake = torch.autograd.grad(game.d(real, fake), (real, fake))
    (g_fake,) = torch.autograd.grad(game.g(real, fake), (fake,))
    assert (d_real < 0).all()
    assert (d_fake > 0).all() != (name == "mistake-wrong-sign"), "D is rewarded for believing fakes"
    wrong_way, nowhere = name == "mistake-wrong-label", name == "mistake-stale-batch"
    assert (g_fake < 0).all() == (not wrong_way and not nowhere)
    assert (g_fake > 0).all() == wrong_way, "G is told to look faker"
    assert (g_fake == 0).all() == nowhere


def test_the_wrong_sign_takes_half_of_the_difference():
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 0.5])
    by_hand = (softplus(-2) + softplus(1)) / 2 - (softplus(1) + softplus(0.5)) / 2
    assert MISTAKES["mistake-wrong-sign"].d(real, fake).item() == pytest.approx(by_hand / 2, rel=1e-6)


def test_two_sigmoids_leave_d_unsure_for_ever_and_hide_from_g_where_it_is_wrong():
    game, far = MISTAKES["mistake-double-sigmoid"], torch.tensor([30.0])
    assert game.d(far, -far).item() == pytest.approx(softplus(-1) + LN2, abs=1e-4), "its best, far from 0"
    fake = torch.tensor([-12.0], requires_grad=True)
    assert slope(game.g(fake, fake), fake).abs() < 1e-4
