"""Settings that do not go together: refused where a run cannot work, warned about where it should not.

A row of `RULES` looks at one configuration; the sentence says what is wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gan_core.config import TrainConfig
from gan_core.data import DATASETS
from gan_core.losses import CROSS_ENTROPY
from gan_core.penalties import PENALTIES


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of `RULES`: whether it is broken, the setting to look at, a sentence, refused or warned about."""

    broken: Callable[[TrainConfig], bool]
    setting: str
    sentence: str
    refused: bool = False


def _unconstrained(config: TrainConfig) -> bool:
    free = config.penalty == "none" and not config.clip_weights and config.d_norm != "spectral"
    return config.loss == "wasserstein" and free


def _coupled_penalty(config: TrainConfig) -> bool:
    return PENALTIES[config.penalty].alone and config.d_norm == "batch"


def _points(config: TrainConfig) -> bool:
    return DATASETS[config.dataset].mixture is not None


RULES: tuple[Rule, ...] = (
    Rule(
        lambda c: _points(c) and c.size != 1, "network",
        "Points need the network mlp-2d and size 1: begin with the preset ring or grid.",
        refused=True,
    ),
    Rule(
        lambda c: not _points(c) and c.size == 1, "size",
        "This network draws points, not pictures: choose the data set ring or grid.",
        refused=True,
    ),
    Rule(
        lambda c: _points(c) and c.augment != "none", "dataset",
        "There is nothing to shift or cut out of a point: leave augment at none.",
        refused=True,
    ),
    Rule(
        lambda c: _points(c) and c.precision != "fp32", "precision",
        "Short numbers are as coarse as the clouds of points are wide: choose the precision fp32.",
    ),
    Rule(
        lambda c: c.real_target < 1 and c.loss not in CROSS_ENTROPY, "real_target",
        "A target below 1 has a meaning in the non-saturating and the minimax game only; leave it at 1.",
        refused=True,
    ),
    Rule(
        _unconstrained, "loss",
        "The Wasserstein game needs a limit on the discriminator's slope: choose the penalty "
        "gradient-penalty, clip_weights 0.01 or d_norm spectral.",
    ),
    Rule(
        _coupled_penalty, "penalty",
        "This penalty measures the slope at each picture, but batch norm mixes the pictures: choose d_norm "
        "none or spectral, or the penalty r1-difference.",
    ),
    Rule(
        lambda c: c.penalty_every > 1 and c.penalty == "none", "penalty_every",
        "There is no penalty to space out; choose one or leave penalty_every at 1.",
    ),
    Rule(
        lambda c: c.augment.startswith("color") and DATASETS[c.dataset].channels == 1, "augment",
        "Changing colours spoils pictures on a black ground; translation suits them.",
    ),
    Rule(
        lambda c: c.initialisation == "zero", "initialisation",
        "With all weights 0 every unit learns the same: this run is meant to fail.",
    ),
    Rule(
        lambda c: c.optimiser == "sgd" and max(c.lr_g, c.lr_d) < 0.02, "optimiser",
        "Plain gradient steps this small hardly move: try step sizes from 0.02 to 0.1.",
    ),
)  # fmt: skip


def refusals(config: TrainConfig) -> list[Rule]:
    """The rules for which a run with these settings cannot work."""
    return [rule for rule in RULES if rule.refused and rule.broken(config)]


def warnings(config: TrainConfig) -> list[str]:
    """A sentence for each rule for which a run with these settings can work, but should not."""
    return [rule.sentence for rule in RULES if not rule.refused and rule.broken(config)]
