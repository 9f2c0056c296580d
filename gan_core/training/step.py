"""The heart: one update of the discriminator, one of the generator. Read this first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_core.augment import unchanged
from gan_core.codes import code_loss
from gan_core.losses import GanLoss
from gan_core.networks import Judgement
from gan_core.penalties import none as no_penalty
from gan_core.training.feed import Batch
from gan_core.training.state import State
from gan_core.variety import mode_seeking

PenaltyTerm = Callable[[nn.Module, Tensor, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised, chosen before training: the steps below read no settings.

    `augment` changes real and fake pictures alike before D sees them; `penalty` is added to D's loss, or
    `lazy_penalty` now and then in a step of its own; `class_weight` weighs the cross-entropy of the labels
    that D names, on its own side of real pictures, and of fakes too where it `names_fakes`; `code_weight`
    weighs how far D misreads the codes in z, of which the one-hot one has `code_classes` values, `variety`
    what keeps G's pictures apart. `average` shares a network's gradients among processes, `limit` changes
    them before a step, `constrain` changes D's weights after its own.
    """

    loss: GanLoss
    class_weight: float = 0.0
    names_fakes: bool = False
    code_weight: float = 0.0
    code_classes: int = 0
    variety: float = 0.0
    augment: Callable[[Tensor], Tensor] = unchanged
    penalty: PenaltyTerm = no_penalty
    lazy_penalty: PenaltyTerm | None = None
    average: Callable[[nn.Module], None] | None = None
    limit: Callable[[nn.Module], None] | None = None
    constrain: Callable[[nn.Module], None] | None = None

    def naming(self, judgement: Judgement, labels: Tensor | None) -> Tensor | float:
        """How far D's guess of the label is off, weighted. Source: AC-GAN, Odena 2017, arXiv 1610.09585."""
        if judgement.classes is None or labels is None or self.class_weight == 0:
            return 0.0
        return self.class_weight * F.cross_entropy(judgement.classes.float(), labels)

    def reading(self, judgement: Judgement, z: Tensor) -> Tensor | float:
        """How far D misreads the codes in z, weighted. Source: InfoGAN, Chen 2016, arXiv 1606.03657."""
        if judgement.codes is None or self.code_weight == 0:
            return 0.0
        return self.code_weight * code_loss(judgement.codes.float(), z, self.code_classes)

    def sameness(self, state: State, labels: Tensor | None, count: int) -> Tensor | float:
        """How alike G draws two fresh halves of `count` pictures that share their labels, weighted."""
        if self.variety == 0:
            return 0.0
        half = count // 2
        shared = None if labels is None else labels[:half].repeat(2)
        (z, other_z) = both = state.draw_z(count * state.world.size)[: 2 * half].view(2, half, -1)
        (pictures, other_pictures) = state.G(both.flatten(0, 1), shared).float().chunk(2)
        return self.variety * mode_seeking(z, other_z, pictures, other_pictures)


class Outcome(NamedTuple):
    """What a step leaves for the record, detached: the loss, D's logits, (N,) float32, and where a limit has
    changed the gradient its length before that; elsewhere it lies in the network as it was."""

    loss: Tensor
    real: Tensor
    fake: Tensor
    gradient: Tensor | None = None


class Fake(NamedTuple):
    """Generated pictures (N, C, H, W) in [-1, 1], joined to G's graph, and the z (N, latent) behind them."""

    pictures: Tensor
    z: Tensor


def draw_fake(state: State, labels: Tensor | None, count: int) -> Fake:
    """This process's share of `count` pictures, one for each of the labels (N,)."""
    with state.machine.autocast():
        z = state.draw_z(count)
        return Fake(state.G(z, labels), z)


def gradient_norm(net: nn.Module) -> Tensor:
    """Length of the gradient over all weights of `net`."""
    grads = [p.grad for p in net.parameters() if p.grad is not None]
    total: Tensor = torch.stack(torch._foreach_norm(grads)).norm()
    return total


def descend(
    net: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, objective: Objective
) -> Tensor | None:
    """One step of `net` down the slope of `loss`; how long the gradient was, if a limit then changed it."""
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    if objective.average:
        objective.average(net)
    length = None
    if objective.limit:
        length = gradient_norm(net)
        objective.limit(net)
    optimizer.step()
    return length


def d_step(state: State, batch: Batch, drawn: Fake, objective: Objective) -> Outcome:
    """One discriminator update: call the real pictures real and the fake ones fake.

    batch.images: (N, C, H, W) in [-1, 1]; drawn: as many, one for each label of the batch.
    """
    with state.machine.autocast():
        real, fake = objective.augment(batch.images), objective.augment(drawn.pictures.detach())
        on_real, on_fake = state.D(real, batch.labels), state.D(fake, batch.labels)
        real_logits, fake_logits = on_real.realness.float(), on_fake.realness.float()
        adversarial = objective.loss.d(real_logits, fake_logits)
        naming = objective.naming(on_real, batch.labels)
        if objective.names_fakes:
            naming = naming + objective.naming(on_fake, batch.labels)
        reading = objective.reading(on_fake, drawn.z)
    penalty = objective.penalty(state.D, real, fake, batch.labels)
    gradient = descend(state.D, state.d_optimizer, adversarial + naming + penalty + reading, objective)
    if objective.constrain:
        objective.constrain(state.D)
    return Outcome(adversarial.detach(), real_logits.detach(), fake_logits.detach(), gradient)


def g_step(state: State, batch: Batch, drawn: Fake, objective: Objective) -> Outcome:
    """One generator update: have the fake pictures called real. D is frozen and only passes gradients on.

    `drawn` may be the batch that D has just learned from: its graph belongs to G alone.
    """
    state.D.requires_grad_(False)
    with state.machine.autocast():
        on_fake = state.D(objective.augment(drawn.pictures), batch.labels)
        fake_logits = on_fake.realness.float()
        real_logits = torch.zeros_like(fake_logits)  # most games never look at it: spare D the real pictures
        if objective.loss.g_compares:
            with torch.no_grad():
                real_logits = state.D(objective.augment(batch.images), batch.labels).realness.float()
        adversarial = objective.loss.g(real_logits, fake_logits)
        naming = objective.naming(on_fake, batch.labels)
        reading = objective.reading(on_fake, drawn.z)
        sameness = objective.sameness(state, batch.labels, len(drawn.z))
    gradient = descend(state.G, state.g_optimizer, adversarial + naming + reading + sameness, objective)
    state.D.requires_grad_(True)
    return Outcome(adversarial.detach(), real_logits, fake_logits.detach(), gradient)


def lazy_step(state: State, batch: Batch, drawn: Fake, objective: Objective) -> None:
    """A discriminator update by its penalty alone, taken every few steps with as many times the weight.

    Source: Karras et al. 2020, arXiv 1912.04958, appendix B; the optimiser is adjusted in `build_state`.
    """
    if objective.lazy_penalty is None:
        return
    real, fake = objective.augment(batch.images), objective.augment(drawn.pictures.detach())
    penalty = objective.lazy_penalty(state.D, real, fake, batch.labels)
    descend(state.D, state.d_optimizer, penalty, objective)
    if objective.constrain:
        objective.constrain(state.D)
