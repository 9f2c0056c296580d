"""Terms added to D's loss that hold its slope in check.

A row of `PENALTIES` is a function of D, real and fake pictures (N, C, H, W) in [-1, 1] and their labels
(N,) or None, that gives one number before its weight. The slope of D at a picture is the gradient of that
picture's own logit, so D must look at each picture alone: where batch norm mixes them, the gradient of the
sum is not a slope.

A row that `reuses` also takes D's logits (N,) of real and of fake pictures where a step has them already: it
takes slopes through them, and D looks at nothing twice. In bf16 too, which has the range of float32 and
eight bits: R1 came out within 0.4 % of float32's, its gradient within 2 %. The others have D look at places
of their own, in float32: the difference of two nearby logits is lost in eight bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

TINY = 1e-12  # under the square root: the slope of a norm at 0 is finite then
# R3GAN begins CIFAR-10, 32 pixels, with this weight of R1 and R2 (Huang et al. 2024, arXiv 2501.05441, and
# their training script). Mescheder et al. 2018 have 10, for pictures up to 256 pixels and other networks.
SMALL = 0.05
Logits = tuple[Tensor | None, Tensor | None]  # of real and of fake pictures
NO_LOGITS: Logits = (None, None)
STEP = 0.02  # of the finite difference, in the units of pictures: small beside an edge


@dataclass(frozen=True, slots=True)
class Penalty:
    """A row of `PENALTIES`: its function, the weight suggested for it, whether D must see each picture alone
    for it to mean anything, and whether its function `reuses` the logits of a step."""

    function: Callable[..., Tensor]
    weight: float
    alone: bool
    paper: str
    summary: str
    reuses: bool = False


def in_force(name: str, weight: float | None) -> bool:
    """Whether a row of `PENALTIES` with this weight, the suggested one for None, changes anything."""
    return name != "none" and weight != 0


def slopes(D: nn.Module, pictures: Tensor, labels: Tensor | None, logits: Tensor | None = None) -> Tensor:
    """The gradient of each picture's own logit by its pixels, (N, C * H * W), itself differentiable.

    logits: D's of these very pictures, which then require gradients; without them D looks once more.
    """
    if logits is None:
        pictures = pictures.detach().float().requires_grad_(True)
        logits = D(pictures, labels).logits.float()
    (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gradient.float().flatten(1)


def none(D: nn.Module, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
    """0: D is free."""
    return real.new_zeros(())


def r1(D: nn.Module, real: Tensor, fake: Tensor, labels: Tensor | None, logits: Logits = NO_LOGITS) -> Tensor:
    """1/2 E ||grad D(x)||^2 at real pictures."""
    return 0.5 * slopes(D, real, labels, logits[0]).square().sum(1).mean()


def r2(D: nn.Module, real: Tensor, fake: Tensor, labels: Tensor | None, logits: Logits = NO_LOGITS) -> Tensor:
    """1/2 E ||grad D(G(z))||^2 at fake pictures."""
    return 0.5 * slopes(D, fake, labels, logits[1]).square().sum(1).mean()


def r1_and_r2(
    D: nn.Module, real: Tensor, fake: Tensor, labels: Tensor | None, logits: Logits = NO_LOGITS
) -> Tensor:
    """Both of them."""
    return r1(D, real, fake, labels, logits) + r2(D, real, fake, labels, logits)


def r1_by_difference(D: nn.Module, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
    """1/2 E (D(x + h n) - D(x))^2 / h^2 with n standard normal: about R1, as E (g n)^2 = ||g||^2.

    Two forward passes in place of a second derivative. D must be the same in both: the same features dropped
    by chance, and spectral norm's weights computed once, as each time moves them a little.
    """
    moved = real + STEP * torch.randn_like(real)
    with parametrize.cached():
        with torch.random.fork_rng(_devices(real)):
            there = D(moved, labels).logits.float()
        difference = there - D(real, labels).logits.float()
    value: Tensor = 0.5 * (difference / STEP).square().mean()
    return value


def gradient_penalty(D: nn.Module, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
    """E (||grad D(x')|| - 1)^2 at places x' drawn evenly between a real and a fake picture, each its own."""
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = share * real + (1 - share) * fake.detach()
    return _away_from_one(slopes(D, between, labels))


def dragan(D: nn.Module, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
    """E (||grad D(x + d)|| - 1)^2 around real pictures, d = std(x) / 2 times even noise from 0 to 1."""
    around = real + 0.5 * real.std() * torch.rand_like(real)
    return _away_from_one(slopes(D, around, labels))


def _devices(pictures: Tensor) -> list[torch.device]:
    """The GPU whose chance is at work there, if it is one."""
    return [pictures.device] if pictures.is_cuda else []


def _away_from_one(gradient: Tensor) -> Tensor:
    """(N, F) to the mean over N of (its row's length - 1)^2: a length for each picture."""
    lengths = (gradient.square().sum(1) + TINY).sqrt()  # (N,)
    return (lengths - 1).square().mean()


PENALTIES: dict[str, Penalty] = {
    "none": Penalty(none, 0.0, False, "-", "No penalty."),
    "r1": Penalty(
        r1, SMALL, True, "Mescheder et al. 2018, arXiv 1801.04406, eq. 9",
        "D must be flat where the data are: the steadiest of them.", reuses=True,
    ),
    "r2": Penalty(
        r2, SMALL, True, "Mescheder et al. 2018, arXiv 1801.04406, eq. 10",
        "D must be flat where the fakes are.", reuses=True,
    ),
    "r1-r2": Penalty(
        r1_and_r2, SMALL, True, "Huang et al. 2024, arXiv 2501.05441, section 2.2",
        "D must be flat at real and fake pictures; with the relativistic game it covers the data best.",
        reuses=True,
    ),
    "r1-difference": Penalty(
        r1_by_difference, SMALL, False, "after Mescheder et al. 2018; finite differences: Seaweed-APT, "
        "Lin et al. 2025, arXiv 2501.08316",
        "R1 by comparing two nearby pictures: cheap, and fine with batch norm.",
    ),
    "gradient-penalty": Penalty(
        gradient_penalty, 10.0, True, "Gulrajani et al. 2017, arXiv 1704.00028, eq. 3",
        "D must climb at slope one between real and fake: made for the Wasserstein game.",
    ),
    "dragan": Penalty(
        dragan, 10.0, True, "Kodali et al. 2017, arXiv 1705.07215, section 2.3",
        "D must climb at slope one around real pictures.",
    ),
}  # fmt: skip
