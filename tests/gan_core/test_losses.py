"""Each loss against values worked out by hand, and against its gradient's direction."""

import math

import pytest
import torch

from gan_core.losses import LOSSES

LN2 = math.log(2)


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


CASES = {
    # name: (D loss, G loss) for real logits (2, -1), fake logits (1, 0.5)
    "non-saturating": (
        (softplus(-2) + softplus(1)) / 2 + (softplus(1) + softplus(0.5)) / 2,
        (softplus(-1) + softplus(-0.5)) / 2,
    ),
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
    real = torch.zeros(4, requires_grad=True)
    fake = torch.zeros(4, requires_grad=True)
    d_real, d_fake = torch.autograd.grad(LOSSES[name].d(real, fake), (real, fake))
    (g_fake,) = torch.autograd.grad(LOSSES[name].g(real.detach(), fake), (fake,))
    assert (d_real < 0).all(), "D gains by calling real pictures more real"
    assert (d_fake > 0).all(), "D gains by calling fake pictures less real"
    assert (g_fake < 0).all(), "G gains by having its pictures called more real"


@pytest.mark.parametrize("name", LOSSES)
def test_at_rest(name):
    """When nobody can tell real from fake all logits are 0."""
    zero = torch.zeros(8)
    d, g = LOSSES[name].at_rest
    assert LOSSES[name].d(zero, zero).item() == pytest.approx(d, abs=1e-3)
    assert LOSSES[name].g(zero, zero).item() == pytest.approx(g, abs=1e-3)


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
