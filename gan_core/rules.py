"""Settings that do not go together: refused where a run cannot work, warned about where it should not.

A row of `RULES` looks at one configuration; the sentence says what is wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gan_core.config import TrainConfig, knobs
from gan_core.data import DATASETS
from gan_core.losses import CROSS_ENTROPY, GAMES
from gan_core.networks import NETWORKS
from gan_core.networks.base import GROUP
from gan_core.penalties import PENALTIES, in_force


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of `RULES`: whether it is broken, the setting to look at, a sentence, refused or warned about.

    `figures` are put into the sentence's {places}.
    """

    broken: Callable[[TrainConfig], bool]
    setting: str
    sentence: str
    refused: bool = False
    figures: Callable[[TrainConfig], Mapping[str, int]] = lambda config: {}

    def words(self, config: TrainConfig) -> str:
        """The sentence, about this configuration."""
        return self.sentence.format(**self.figures(config))


def built(config: TrainConfig, name: str) -> Any:
    """A setting as the networks are built: some belong to a network's definition, whatever is asked for."""
    return NETWORKS[config.network].fixed.get(name, getattr(config, name))


def applies(name: str, config: TrainConfig) -> bool:
    """Whether a setting means anything beside the others of `config`."""
    about = knobs()[name]
    unless, only = about.unless, about.only
    if unless and getattr(config, unless[0]) == unless[1]:
        return False
    if only and getattr(config, only[0]) not in only[1]:
        return False
    return name not in NETWORKS[config.network].fixed


def depends(name: str) -> bool:
    """Whether a setting means something with certain others only."""
    about = knobs()[name]
    return bool(about.unless or about.only or any(name in row.fixed for row in NETWORKS.values()))


def _unheard(config: TrainConfig) -> bool:
    plain = TrainConfig()
    fixed = NETWORKS[config.network].fixed
    return any(getattr(config, name) not in (getattr(plain, name), value) for name, value in fixed.items())


def _no_norm_to_hear_with(config: TrainConfig) -> bool:
    asked = config.conditional and config.g_conditioning == "batch-norm"
    return asked and built(config, "g_norm") == "none"


def _groups(config: TrainConfig) -> dict[str, int]:
    """The pictures that belong together in D, and the batches near the one asked for that they divide."""
    together = config.pack * (GROUP if config.d_minibatch_std else 1)
    least = 2 * config.pack if built(config, "d_norm") == "batch" else 1
    near = max(config.batch // together, -(-least // together)) * together
    return {"batch": config.batch, "together": together, "near": near, "above": near + together}


def _torn_groups(config: TrainConfig) -> bool:
    return config.batch % _groups(config)["together"] > 0


def _packs(config: TrainConfig) -> dict[str, int]:
    """The pictures in a pack and in a batch, and in the smallest batch that batch norm can work with."""
    return {"batch": config.batch, "pack": config.pack, "least": 2 * config.pack}


def _lone_pack(config: TrainConfig) -> bool:
    packs = _packs(config)
    return packs["batch"] < packs["least"] and built(config, "d_norm") == "batch"


def _packed_labels(config: TrainConfig) -> bool:
    return config.pack > 1 and config.conditional and config.conditioning != "concatenation"


def _unconstrained(config: TrainConfig) -> bool:
    penalised = in_force(config.penalty, config.penalty_weight)
    free = not penalised and not config.clip_weights and built(config, "d_norm") != "spectral"
    return config.loss == "wasserstein" and free


def _coupled_penalty(config: TrainConfig) -> bool:
    return PENALTIES[config.penalty].alone and built(config, "d_norm") == "batch"


def _labels_unused(config: TrainConfig) -> bool:
    plain = TrainConfig()
    methods = ("conditioning", "g_conditioning")
    return not config.conditional and any(getattr(config, m) != getattr(plain, m) for m in methods)


def _growth(config: TrainConfig) -> dict[str, int]:
    """The batch, the one asked for at the end, and by doubling the last one up to it and the one beyond."""
    asked = config.batch_end or config.batch
    reached = config.batch << max(0, (asked // config.batch).bit_length() - 1)
    return {"batch": config.batch, "asked": asked, "reached": reached, "beyond": 2 * reached}


def _cut_short(config: TrainConfig) -> bool:
    grown = _growth(config)
    return grown["batch"] <= grown["asked"] != grown["reached"]


def _points(config: TrainConfig) -> bool:
    return DATASETS[config.dataset].kind == "points"


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
        lambda c: _points(c) and (c.augment != "none" or c.real_augment != "none"), "dataset",
        "There is nothing to shift or cut out of a point: leave augment and real_augment at none.",
        refused=True,
    ),
    Rule(
        lambda c: _points(c) and c.precision != "fp32", "precision",
        "Short numbers are as coarse as the clouds of points are wide: choose the precision fp32.",
    ),
    Rule(
        lambda c: c.real_label < 1 and c.loss not in CROSS_ENTROPY, "real_label",
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
        lambda c: c.ada_target > 0 and c.augment == "none", "ada_target",
        "There is nothing to make more or less of; choose an augmentation or leave ada_target at 0.",
    ),
    Rule(
        lambda c: c.ada_target > 0 and GAMES[c.loss].decides_at != 0, "ada_target",
        "Adaptive augmentation asks how often D's logits for real pictures are above 0, which means nothing "
        "in this game: choose non-saturating, minimax or hinge, or leave ada_target at 0.",
        refused=True,
    ),
    Rule(
        lambda c: c.real_augment != "none", "real_augment",
        "Changes to the real pictures alone leak: the generator learns to draw them too. The setting augment "
        "changes real and fake alike and does not leak.",
    ),
    Rule(
        lambda c: c.batch_end is not None and c.batch_end < c.batch, "batch_end",
        "The batch can only grow: choose a batch_end that is at least the batch.",
        refused=True,
    ),
    Rule(
        _cut_short, "batch_end",
        "The batch grows by doubling: from {batch} it never reaches {asked}; choose a batch_end of "
        "{reached}, at which it ends, or {beyond}.", figures=_growth,
    ),
    Rule(
        lambda c: c.initialisation == "zero", "initialisation",
        "With all weights 0 every unit learns the same: this run is meant to fail.",
    ),
    Rule(
        lambda c: c.initialisation == "zero" and built(c, "d_norm") == "spectral", "d_norm",
        "Spectral norm divides each weight by its size, and weights of 0 have none: choose another "
        "initialisation.", refused=True,
    ),
    Rule(
        lambda c: c.clip_weights > 0 and built(c, "d_norm") == "spectral", "clip_weights",
        "Spectral norm takes the size out of the weights that are clipped: one of the two is enough.",
    ),
    Rule(
        _no_norm_to_hear_with, "g_conditioning",
        "A generator without batch norm cannot hear the label there: choose g_conditioning concatenation, or "
        "networks with batch norm.", refused=True,
    ),
    Rule(
        _labels_unused, "conditioning",
        "These ways to use the label do nothing without labels: switch conditional on, or leave conditioning "
        "at class-logits and g_conditioning at concatenation.",
    ),
    Rule(
        _torn_groups, "batch",
        "D looks at {together} pictures together, and {batch} cannot be divided into such groups: choose a "
        "batch of {near} or {above}.", refused=True, figures=_groups,
    ),
    Rule(
        _lone_pack, "batch",
        "Batch norm in D compares packs, so it needs two of {pack} pictures, and there are {batch} in all: "
        "choose a batch of {least} or more, or d_norm none or spectral.", refused=True, figures=_packs,
    ),
    Rule(
        _packed_labels, "pack",
        "One logit for a pack of pictures cannot be that of one label: choose conditioning concatenation, "
        "train without labels, or leave pack at 1.", refused=True,
    ),
    Rule(
        lambda c: c.codes > 0 and c.pack > 1, "code_classes",
        "The codes must be read from each picture by itself: leave pack at 1, or train without codes.",
        refused=True,
    ),
    Rule(
        lambda c: c.d_minibatch_std and PENALTIES[c.penalty].alone, "d_minibatch_std",
        "This penalty measures the slope at each picture, but the minibatch deviation compares pictures: "
        "choose the penalty r1-difference, or pack in its place.",
    ),
    Rule(
        _unheard, "g_norm",
        "These networks have norms and a dropout of their own: what was chosen for g_norm, d_norm or "
        "d_dropout does nothing here.",
    ),
    Rule(
        lambda c: c.optimiser == "sgd" and min(c.lr_g, c.lr_d) < 0.02, "optimiser",
        "Plain gradient steps this small hardly move: try step sizes from 0.02 to 0.1.",
    ),
)  # fmt: skip


def refusals(config: TrainConfig) -> list[Rule]:
    """The rules for which a run with these settings cannot work."""
    return [rule for rule in RULES if rule.refused and rule.broken(config)]


def warnings(config: TrainConfig) -> list[str]:
    """A sentence for each rule for which a run with these settings can work, but should not."""
    return [rule.words(config) for rule in RULES if not rule.refused and rule.broken(config)]
