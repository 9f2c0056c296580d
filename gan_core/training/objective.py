"""From settings to what is minimised: the only place that reads the settings of the game."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gan_core.augment import AUGMENTS, InstanceNoise, unchanged
from gan_core.config import TrainConfig
from gan_core.losses import game_of
from gan_core.penalties import PENALTIES, in_force
from gan_core.penalties import none as no_penalty
from gan_core.training.controllers import AdaptiveAugment, Controllers, DiscriminatorLrController
from gan_core.training.step import Objective, PenaltyTerm

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Chain:
    """Changes to pictures, one after the other."""

    parts: Sequence[Change]

    def __call__(self, pictures: Tensor) -> Tensor:
        """The pictures after all of them."""
        for part in self.parts:
            pictures = part(pictures)
        return pictures


@dataclass(frozen=True, slots=True)
class Pack:
    """Every `size` pictures in a row as one of `size` times the channels, so that D judges them together.

    A batch holds real pictures only or fakes only, so each pack does too. All that follows, logits, losses
    and penalties, is of packs. Source: PacGAN, Lin et al. 2018, arXiv 1712.04086, section 3.
    """

    size: int

    def __call__(self, pictures: Tensor) -> Tensor:
        """(N, C, H, W) to (N / size, size * C, H, W)."""
        count, channels, height, width = pictures.shape
        return pictures.reshape(count // self.size, self.size * channels, height, width)


def objective_of(config: TrainConfig) -> tuple[Objective, Controllers]:
    """What `config` asks both networks to minimise, and what of it moves as the run goes on."""
    noises = [InstanceNoise(config.instance_noise)] if config.instance_noise else []
    augment = AUGMENTS[config.augment]
    adaptive_augment = None
    if config.ada_target > 0 and augment.changes:
        adaptive_augment = AdaptiveAugment(augment.changes, config.ada_target, config.ada_images)
    changes: list[Change] = [*noises, *([adaptive_augment] if adaptive_augment else augment.changes)]
    if config.pack > 1:  # last: each picture is changed by itself, and penalties see packs as D does
        changes.append(Pack(config.pack))
    every = config.penalty_every
    term = penalty_of(config)
    objective = Objective(
        loss=game_of(config.loss, config.real_label, config.label_flip_prob),
        class_weight=config.class_weight,
        mode_seeking_weight=config.mode_seeking,
        names_fakes=config.conditioning == "auxiliary",  # Odena et al. 2017, eq. 3
        code_weight=config.code_weight,
        code_classes=config.code_classes,
        penalty=term if every == 1 else no_penalty,
        reuses=every == 1 and term is not no_penalty and PENALTIES[config.penalty].reuses,
        lazy_penalty=None if every == 1 or term is no_penalty else term,
        clip_gradients=gradient_clipping_of(config),
        clip_weights=weight_clipping_of(config),
        augment=Chain(changes) if changes else unchanged,
    )
    d_lr_controller = DiscriminatorLrController() if config.schedule == "dynamic" else None
    return objective, Controllers(noises, adaptive_augment, d_lr_controller)


def penalty_of(config: TrainConfig) -> PenaltyTerm:
    """The row of `PENALTIES` times its weight, and times the steps between two of them."""
    row = PENALTIES[config.penalty]
    weight = row.weight if config.penalty_weight is None else config.penalty_weight
    if not in_force(config.penalty, weight):
        return no_penalty

    def term(*seen: Any) -> Tensor:
        return weight * config.penalty_every * row.function(*seen)

    return term


def gradient_clipping_of(config: TrainConfig) -> Callable[[nn.Module], None] | None:
    """What is done to a network's gradients before its step: L1, then clipping by value and by norm."""
    l1, value, norm = config.l1, config.clip_value, config.clip_norm
    if not (l1 or value or norm):
        return None

    def clip_gradients(net: nn.Module) -> None:
        learning = [p for p in net.parameters() if p.grad is not None]
        for parameter in learning if l1 else ():
            assert parameter.grad is not None
            parameter.grad.add_(parameter.detach().sign(), alpha=l1)
        if value:
            nn.utils.clip_grad_value_(learning, value)
        if norm:
            nn.utils.clip_grad_norm_(learning, norm)

    return clip_gradients


def weight_clipping_of(config: TrainConfig) -> Callable[[nn.Module], None] | None:
    """Weight clipping: each weight of D back between -c and c. Source: Arjovsky 2017, arXiv 1701.07875."""
    bound = config.clip_weights
    if not bound:
        return None

    def clip_weights(D: nn.Module) -> None:
        with torch.no_grad():
            for parameter in D.parameters():
                parameter.clamp_(-bound, bound)

    return clip_weights
