"""The heart: one update of the discriminator, one of the generator. Read this first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_core.augment import unchanged
from gan_core.codes import code_loss
from gan_core.losses import GanLoss
from gan_core.mode_seeking import mode_seeking
from gan_core.networks import DiscriminatorOutput
from gan_core.penalties import Logits
from gan_core.penalties import none as no_penalty
from gan_core.training.batch_sampler import Batch
from gan_core.training.state import State

PenaltyTerm = Callable[..., Tensor]  # a function of `PENALTIES`, weighted
Terms = Mapping[str, Tensor | float]  # a step minimises their sum: weighted, by name, 0.0 what is off
NONE: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised, chosen before training: the steps below read no settings.

    `augment` changes real and fake pictures alike before D sees them; `penalty`, which takes the step's
    logits where it `reuses` them, is added to D's loss, or `lazy_penalty` now and then in a step of its own;
    `class_weight` weighs the cross-entropy of the labels that D names, on its own side of real pictures, and
    of fakes too where it `names_fakes`; `code_weight` weighs how far D misreads the codes in z, of which the
    one-hot one has `code_classes` values, `mode_seeking_weight` what keeps G's pictures apart.
    `average_gradients` shares a network's gradients among processes, `clip_gradients` changes them before a
    step, `clip_weights` changes D's weights after its own.
    """

    loss: GanLoss
    class_weight: float = 0.0
    names_fakes: bool = False
    code_weight: float = 0.0
    code_classes: int = 0
    mode_seeking_weight: float = 0.0
    augment: Callable[[Tensor], Tensor] = unchanged
    penalty: PenaltyTerm = no_penalty
    lazy_penalty: PenaltyTerm | None = None
    reuses: bool = False
    average_gradients: Callable[[nn.Module], None] | None = None
    clip_gradients: Callable[[nn.Module], None] | None = None
    clip_weights: Callable[[nn.Module], None] | None = None

    def class_loss(self, output: DiscriminatorOutput, labels: Tensor | None) -> Tensor | float:
        """How far D's guess of the label is off, weighted. Source: AC-GAN, Odena 2017, arXiv 1610.09585."""
        if output.classes is None or labels is None or self.class_weight == 0:
            return 0.0
        return self.class_weight * F.cross_entropy(output.classes.float(), labels)

    def code_loss(self, output: DiscriminatorOutput, z: Tensor) -> Tensor | float:
        """How far D misreads the codes in z, weighted. Source: InfoGAN, Chen 2016, arXiv 1606.03657."""
        if output.codes is None or self.code_weight == 0:
            return 0.0
        return self.code_weight * code_loss(output.codes.float(), z, self.code_classes)

    def slope_penalty(
        self, D: nn.Module, real: Tensor, fake: Tensor, labels: Tensor | None, logits: Logits
    ) -> Tensor | float:
        """How far D's slope is from what it shall be, weighted; `logits` are those of the step."""
        if self.penalty is no_penalty:
            return 0.0
        known = [logits] if self.reuses else []
        return self.penalty(D, real, fake, labels, *known)

    def mode_seeking_loss(self, state: State, labels: Tensor | None, count: int) -> Tensor | float:
        """How alike G draws two fresh halves of `count` pictures that share their labels, weighted."""
        if self.mode_seeking_weight == 0:
            return 0.0
        half = count // 2
        shared = None if labels is None else labels[:half].repeat(2)
        (z, other_z) = both = state.draw_z(count * state.distributed.world_size)[: 2 * half].view(2, half, -1)
        (pictures, other_pictures) = state.G(both.flatten(0, 1), shared).float().chunk(2)
        return self.mode_seeking_weight * mode_seeking(z, other_z, pictures, other_pictures)


class StepOutput(NamedTuple):
    """What a step leaves for the record, detached: the game's loss, D's logits, (N,) float32, where
    the gradient was changed its norm before that, which else lies in the network as it was, and what was
    minimised beside the loss, by name."""

    loss: Tensor
    real: Tensor
    fake: Tensor
    gradient: Tensor | None = None
    others: Mapping[str, Tensor] = NONE


class Fake(NamedTuple):
    """Generated pictures (N, C, H, W) in [-1, 1], joined to G's graph, and the z (N, latent) behind them."""

    pictures: Tensor
    z: Tensor


def draw_fake(state: State, labels: Tensor | None, count: int) -> Fake:
    """This process's share of `count` pictures, one for each of the labels (N,)."""
    with state.compute.autocast():
        z = state.draw_z(count)
        return Fake(state.G(z, labels), z)


def gradient_norm(net: nn.Module) -> Tensor:
    """The norm of the gradient over all weights of `net`."""
    grads = [p.grad for p in net.parameters() if p.grad is not None]
    total: Tensor = torch.stack(torch._foreach_norm(grads)).norm()
    return total


def optimizer_step(
    net: nn.Module, optimizer: torch.optim.Optimizer, terms: Terms, objective: Objective
) -> Tensor | None:
    """One step of `net` down the slope of the sum; the gradient's norm before clipping, if that is on."""
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(cast(Tensor, sum(terms.values())), inputs=list(net.parameters()))
    if objective.average_gradients:
        objective.average_gradients(net)
    length = None
    if objective.clip_gradients:
        length = gradient_norm(net)
        objective.clip_gradients(net)
    optimizer.step()
    return length


def step_output(terms: Terms, real: Tensor, fake: Tensor, gradient: Tensor | None) -> StepOutput:
    """What is kept of a step that minimised these terms: those that are off leave nothing."""
    kept = {name: term.detach() for name, term in terms.items() if isinstance(term, Tensor)}
    return StepOutput(kept.pop("loss"), real.detach(), fake.detach(), gradient, kept)


def d_step(state: State, batch: Batch, drawn: Fake, objective: Objective) -> StepOutput:
    """One discriminator update: call the real pictures real and the fake ones fake.

    batch.images: (N, C, H, W) in [-1, 1]; drawn: as many, one for each label of the batch.
    """
    with state.compute.autocast():
        real, fake = objective.augment(batch.images), objective.augment(drawn.pictures.detach())
        if objective.reuses:  # the penalty asks how the logits change with these very pictures
            real, fake = (pictures.detach().float().requires_grad_(True) for pictures in (real, fake))
        on_real, on_fake = state.D(real, batch.labels), state.D(fake, batch.labels)
        logits = real_logits, fake_logits = on_real.logits.float(), on_fake.logits.float()
        class_loss = objective.class_loss(on_real, batch.labels)
        if objective.names_fakes:
            class_loss = class_loss + objective.class_loss(on_fake, batch.labels)
        terms = {
            "loss": objective.loss.d(real_logits, fake_logits),
            "class": class_loss,
            "code": objective.code_loss(on_fake, drawn.z),
        }
    terms["penalty"] = objective.slope_penalty(state.D, real, fake, batch.labels, logits)
    gradient = optimizer_step(state.D, state.d_optimizer, terms, objective)
    if objective.clip_weights:
        objective.clip_weights(state.D)
    return step_output(terms, real_logits, fake_logits, gradient)


def g_step(state: State, batch: Batch, drawn: Fake, objective: Objective) -> StepOutput:
    """One generator update: have the fake pictures called real. D is frozen and only passes gradients on.

    `drawn` may be the batch that D has just learned from: its graph belongs to G alone.
    """
    state.D.requires_grad_(False)
    with state.compute.autocast():
        on_fake = state.D(objective.augment(drawn.pictures), batch.labels)
        fake_logits = on_fake.logits.float()
        real_logits = torch.zeros_like(fake_logits)  # most games never look at it: spare D the real pictures
        if objective.loss.g_compares:
            with torch.no_grad():
                real_logits = state.D(objective.augment(batch.images), batch.labels).logits.float()
        terms = {
            "loss": objective.loss.g(real_logits, fake_logits),
            "class": objective.class_loss(on_fake, batch.labels),
            "code": objective.code_loss(on_fake, drawn.z),
            "mode_seeking": objective.mode_seeking_loss(state, batch.labels, len(drawn.z)),
        }
    gradient = optimizer_step(state.G, state.g_optimizer, terms, objective)
    state.D.requires_grad_(True)
    return step_output(terms, real_logits, fake_logits, gradient)


def lazy_step(state: State, batch: Batch, drawn: Fake, objective: Objective) -> None:
    """A discriminator update by its penalty alone, taken every few steps with as many times the weight.

    Source: Karras et al. 2020, arXiv 1912.04958, appendix B; the optimiser is adjusted in `build_state`.
    """
    state.lazy_penalty = None
    if objective.lazy_penalty is None:
        return
    real, fake = objective.augment(batch.images), objective.augment(drawn.pictures.detach())
    penalty = objective.lazy_penalty(state.D, real, fake, batch.labels)
    optimizer_step(state.D, state.d_optimizer, {"penalty": penalty}, objective)
    state.lazy_penalty = penalty.detach()
    if objective.clip_weights:
        objective.clip_weights(state.D)
