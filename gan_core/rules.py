"""Settings that do not go together: refused where a run cannot work, warned about where it should not.

A row of `RULES` looks at one configuration; the words of its code say what is wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gan_core.config import TrainConfig, knobs
from gan_core.data import DATASETS
from gan_core.losses import CROSS_ENTROPY, GAMES
from gan_core.messages import Message
from gan_core.networks import NETWORKS
from gan_core.networks.base import GROUP
from gan_core.penalties import PENALTIES, in_force


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of `RULES`: its code, the setting to look at, whether it is broken, refused or warned about.

    `figures` are what the code's words have places for.
    """

    code: str
    setting: str
    broken: Callable[[TrainConfig], bool]
    refused: bool = False
    figures: Callable[[TrainConfig], Mapping[str, int]] = lambda config: {}

    def message(self, config: TrainConfig) -> Message:
        """What is wrong with this configuration."""
        return Message(self.code, field=self.setting, **self.figures(config))


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
    return DATASETS[config.dataset].mixture is not None


RULES: tuple[Rule, ...] = (
    Rule("rule-points-network", "network", lambda c: _points(c) and c.size != 1, refused=True),
    Rule("rule-points-dataset", "size", lambda c: not _points(c) and c.size == 1, refused=True),
    Rule("rule-points-augment", "dataset",
         lambda c: _points(c) and (c.augment != "none" or c.real_augment != "none"), refused=True),
    Rule("rule-points-precision", "precision", lambda c: _points(c) and c.precision != "fp32"),
    Rule("rule-label-smoothing", "real_label",
         lambda c: c.real_label < 1 and c.loss not in CROSS_ENTROPY, refused=True),
    Rule("rule-no-lipschitz", "loss", _unconstrained),
    Rule("rule-penalty-batch-norm", "penalty", _coupled_penalty),
    Rule("rule-lazy-without-penalty", "penalty_every", lambda c: c.penalty_every > 1 and c.penalty == "none"),
    Rule("rule-color-on-grey", "augment",
         lambda c: c.augment.startswith("color") and DATASETS[c.dataset].channels == 1),
    Rule("rule-ada-without-augment", "ada_target", lambda c: c.ada_target > 0 and c.augment == "none"),
    Rule("rule-ada-loss", "ada_target",
         lambda c: c.ada_target > 0 and GAMES[c.loss].decides_at != 0, refused=True),
    Rule("rule-augment-leaks", "real_augment", lambda c: c.real_augment != "none"),
    Rule("rule-batch-shrinks", "batch_end",
         lambda c: c.batch_end is not None and c.batch_end < c.batch, refused=True),
    Rule("rule-batch-end-unreached", "batch_end", _cut_short, figures=_growth),
    Rule("rule-zero-weights", "initialisation", lambda c: c.initialisation == "zero"),
    Rule("rule-zero-spectral", "d_norm",
         lambda c: c.initialisation == "zero" and built(c, "d_norm") == "spectral", refused=True),
    Rule("rule-clip-spectral", "clip_weights",
         lambda c: c.clip_weights > 0 and built(c, "d_norm") == "spectral"),
    Rule("rule-conditional-batch-norm", "g_conditioning", _no_norm_to_hear_with, refused=True),
    Rule("rule-labels-unused", "conditioning", _labels_unused),
    Rule("rule-batch-groups", "batch", _torn_groups, refused=True, figures=_groups),
    Rule("rule-pack-batch-norm", "batch", _lone_pack, refused=True, figures=_packs),
    Rule("rule-pack-labels", "pack", _packed_labels, refused=True),
    Rule("rule-pack-codes", "code_classes", lambda c: c.codes > 0 and c.pack > 1, refused=True),
    Rule("rule-penalty-minibatch-std", "d_minibatch_std",
         lambda c: c.d_minibatch_std and PENALTIES[c.penalty].alone),
    Rule("rule-fixed-layers", "g_norm", _unheard),
    Rule("rule-sgd-rate", "optimiser", lambda c: c.optimiser == "sgd" and min(c.lr_g, c.lr_d) < 0.02),
)  # fmt: skip


def refusals(config: TrainConfig) -> list[Message]:
    """Each rule for which a run with these settings cannot work."""
    return [rule.message(config) for rule in RULES if rule.refused and rule.broken(config)]


def warnings(config: TrainConfig) -> list[Message]:
    """Each rule for which a run with these settings can work, but should not."""
    return [rule.message(config) for rule in RULES if not rule.refused and rule.broken(config)]
