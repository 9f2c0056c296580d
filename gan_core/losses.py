"""The games that a generator and a discriminator can play.

A row of `LOSSES` is a pair of functions of two (N,) float32 tensors of logits, `real = D(x)` and
`fake = D(G(z))`, row i of both belonging to the same label. Both are given to both functions, because
some games compare them. Each returns one number, the mean over the batch, to be minimised.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class GanLoss:
    """One game: what D minimises, what G minimises, and both values when G draws perfectly.

    `at_rest` is (D loss, G loss) once nobody can tell real from fake and D gives its best answer, one logit
    for all. G's is None where several logits are as good and G's loss differs among them; all of it is None
    where no logit is best, as D gains by ever farther ones.
    """

    d: Callable[[Tensor, Tensor], Tensor]
    g: Callable[[Tensor, Tensor], Tensor]
    at_rest: tuple[float, float | None] | None
    paper: str
    summary: str
    g_compares: bool = False  # G's side looks at the real logits too
    decides_at: float | None = 0.0  # the logit above which D calls a picture real; None: pairs are compared
    log_odds: bool = False  # the logit's sigmoid is how likely real D thinks a picture: cross-entropy


def non_saturating_d(real: Tensor, fake: Tensor) -> Tensor:
    """mean softplus(-D(x)) + softplus(D(G(z))): binary cross-entropy with targets 1 and 0."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def non_saturating_g(real: Tensor, fake: Tensor) -> Tensor:
    """mean softplus(-D(G(z))): the same cross-entropy with the target turned to 1."""
    return F.softplus(-fake).mean()


def minimax_g(real: Tensor, fake: Tensor) -> Tensor:
    """mean log(1 - sigmoid(D(G(z)))) = -softplus(D(G(z))): flat where D has won; G learns nothing there."""
    return -F.softplus(fake).mean()


def least_squares_d(real: Tensor, fake: Tensor) -> Tensor:
    """mean 1/2 (D(x) - 1)^2 + 1/2 D(G(z))^2."""
    return (0.5 * (real - 1).square() + 0.5 * fake.square()).mean()


def least_squares_g(real: Tensor, fake: Tensor) -> Tensor:
    """mean 1/2 (D(G(z)) - 1)^2."""
    return 0.5 * (fake - 1).square().mean()


def hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    """mean max(0, 1 - D(x)) + max(0, 1 + D(G(z))): no gradient from what is right by a margin."""
    return (F.relu(1 - real) + F.relu(1 + fake)).mean()


def wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    """mean D(G(z)) - D(x): minus the estimated distance, if D is 1-Lipschitz."""
    return (fake - real).mean()


def critic_g(real: Tensor, fake: Tensor) -> Tensor:
    """-mean D(G(z)): G climbs D's score, in the hinge and in the Wasserstein game."""
    return -fake.mean()


def relativistic_d(real: Tensor, fake: Tensor) -> Tensor:
    """mean softplus(-(D(x_i) - D(G(z_i)))): the real picture of a pair is the more real one."""
    return F.softplus(fake - real).mean()


def relativistic_g(real: Tensor, fake: Tensor) -> Tensor:
    """mean softplus(-(D(G(z_i)) - D(x_i))): the fake picture of a pair is the more real one."""
    return F.softplus(real - fake).mean()


def smoothed(game: GanLoss, target: float) -> GanLoss:
    """The same game with D aiming at `target` instead of 1 for real pictures; fakes keep their 0.

    For the cross-entropy games, where softplus(a) - softplus(-a) = a. Source: Salimans et al. 2016, arXiv
    1606.03498, section 3.4; smoothing the other side too would reward present mistakes. Where nobody can tell
    real from fake, 2 softplus(a) - target a is least at sigmoid(a) = target / 2.
    """

    def d(real: Tensor, fake: Tensor) -> Tensor:
        return game.d(real, fake) + (1 - target) * real.mean()

    rest = None
    if game.at_rest is not None:
        logit = torch.tensor([math.log(target / (2 - target))])
        rest = d(logit, logit).item(), game.g(logit, logit).item()
    return replace(game, d=d, at_rest=rest)


def flipped(game: GanLoss, share: float) -> GanLoss:
    """The same game with a `share` of pairs handed to D the wrong way round, drawn anew at each step.

    It rests where it did: once nobody can tell real from fake, an exchange of the two changes nothing.
    """

    def d(real: Tensor, fake: Tensor) -> Tensor:
        wrong = torch.rand_like(real) < share
        return game.d(torch.where(wrong, fake, real), torch.where(wrong, real, fake))

    return replace(game, d=d)


LOSSES: dict[str, GanLoss] = {
    "non-saturating": GanLoss(
        d=non_saturating_d,
        g=non_saturating_g,
        at_rest=(1.3863, 0.6931),  # 2 ln 2, ln 2
        paper="Goodfellow et al. 2014, arXiv 1406.2661, section 3",
        summary="The classic game: D says real or fake, G wants its fakes called real.",
        log_odds=True,
    ),
    "minimax": GanLoss(
        d=non_saturating_d,
        g=minimax_g,
        at_rest=(1.3863, -0.6931),
        paper="Goodfellow et al. 2014, arXiv 1406.2661, eq. 1",
        summary="The game as the proof has it: G learns nothing while D is sure of itself.",
        log_odds=True,
    ),
    "least-squares": GanLoss(
        d=least_squares_d,
        g=least_squares_g,
        at_rest=(0.25, 0.125),
        paper="Mao et al. 2017, arXiv 1611.04076, eq. 9",
        summary="D aims at 1 for real and 0 for fake; what is far from its aim is pulled hardest.",
        decides_at=0.5,
    ),
    "hinge": GanLoss(
        d=hinge_d,
        g=critic_g,
        at_rest=(2.0, None),  # any logit from -1 to 1 is as good for D
        paper="Lim and Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957, eq. 16 and 17",
        summary="D looks only at what it is not yet sure of; goes well with spectral normalisation.",
    ),
    "wasserstein": GanLoss(
        d=wasserstein_d,
        g=critic_g,
        at_rest=(0.0, None),  # any logit at all
        paper="Arjovsky et al. 2017, arXiv 1701.07875, eq. 2",
        summary="D's score is a distance between real and fake, as long as its slope is held in check.",
        decides_at=None,
    ),
    "relativistic": GanLoss(
        d=relativistic_d,
        g=relativistic_g,
        at_rest=(0.6931, 0.6931),
        paper="Jolicoeur-Martineau 2018, arXiv 1807.00734; Huang et al. 2024, arXiv 2501.05441, eq. 2",
        summary="D compares a real with a fake picture; covers the variety of the data best, with R1 and R2.",
        g_compares=True,
        decides_at=None,
    ),
}

CROSS_ENTROPY = tuple(name for name, row in LOSSES.items() if row.log_odds)


def wrong_label_g(real: Tensor, fake: Tensor) -> Tensor:
    """mean softplus(D(G(z))): G's pictures are trained to be called fake, which they are already."""
    return F.softplus(fake).mean()


def twice_squashed_d(real: Tensor, fake: Tensor) -> Tensor:
    """The cross-entropy of sigmoid(sigmoid(logit)): D can never be surer than .73, nor less sure than .5."""
    return non_saturating_d(real.sigmoid(), fake.sigmoid())


def twice_squashed_g(real: Tensor, fake: Tensor) -> Tensor:
    """G's side of it: the more D is right, the less it is told."""
    return non_saturating_g(real.sigmoid(), fake.sigmoid())


def wrong_sign_d(real: Tensor, fake: Tensor) -> Tensor:
    """mean (softplus(-D(x)) - softplus(D(G(z)))) / 2: D is rewarded for calling everything real."""
    return 0.5 * (F.softplus(-real).mean() - F.softplus(fake).mean())


def stale_g(real: Tensor, fake: Tensor) -> Tensor:
    """The right number from D's view of a fake batch cut off from G: it is printed, and no gradient flows."""
    return F.softplus(-fake.detach()).mean() + 0.0 * fake.sum()


MISTAKES: dict[str, GanLoss] = {  # printed in articles and copied from them; each is a lesson, not a game
    "mistake-wrong-label": GanLoss(
        d=non_saturating_d,
        g=wrong_label_g,
        at_rest=(1.3863, 0.6931),
        paper="-",
        summary="A mistake: the generator is trained towards the label of fakes.",
        log_odds=True,
    ),
    "mistake-double-sigmoid": GanLoss(
        d=twice_squashed_d,
        g=twice_squashed_g,
        at_rest=None,  # D's loss falls towards 2 ln 2, and is there at no logit
        paper="-",
        summary="A mistake: a sigmoid before a loss that has its own.",
        log_odds=True,
    ),
    "mistake-wrong-sign": GanLoss(
        d=wrong_sign_d,
        g=non_saturating_g,
        at_rest=None,  # D's loss is -logit / 2: there is no end to it
        paper="-",
        summary="A mistake: the two halves of the discriminator's loss are subtracted.",
        log_odds=True,
    ),
    "mistake-stale-batch": GanLoss(
        d=non_saturating_d,
        g=stale_g,
        at_rest=(1.3863, 0.6931),
        paper="-",
        summary="A mistake: the generator's step uses the fake batch that was cut off for the discriminator.",
        log_odds=True,
    ),
}

# all that `loss` may be, LOSSES first; a row added later is in it
GAMES: Mapping[str, GanLoss] = ChainMap(MISTAKES, LOSSES)


def game_of(name: str, real_label: float = 1.0, label_flip_prob: float = 0.0) -> GanLoss:
    """The row of `GAMES` with smoothed and flipped labels where they are asked for.

    Raises:
        KeyError: there is no such row.
    """
    game = GAMES[name]
    if real_label < 1:
        game = smoothed(game, real_label)
    return flipped(game, label_flip_prob) if label_flip_prob else game
