"""What to change against a trouble that `doctor` names: settings alone, one remedy at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gan_core.config import TrainConfig, from_mapping, to_mapping
from gan_core.errors import ConfigError
from gan_core.rules import applies, refusals, warnings

MISTAKES = ("minimax", "mistake-wrong-label", "mistake-double-sigmoid", "mistake-stale-batch",
            "mistake-wrong-sign")  # fmt: skip
RATES = {"lr_g": 2e-3, "lr_d": 2e-3}  # what most of the small networks here learn well with, by Adam
SMOOTH = {"penalty": "r1-difference", "penalty_weight": 0.05, "penalty_every": 8}


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of settings for runs of the games `losses` (none: of all), where it changes anything.

    `changes`: new values. `restore`: settings that go back to their defaults. `times`: settings to multiply.
    `most`, `least`: values for settings that are above them, or below.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    restore: tuple[str, ...] = ()
    times: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    least: Mapping[str, float] = field(default_factory=dict)
    losses: tuple[str, ...] = ()

    def of(self, config: TrainConfig) -> dict[str, Any]:
        """The settings of `config` that it changes, with their new values."""
        if self.losses and config.loss not in self.losses:
            return {}
        usual = TrainConfig(seconds=1.0)
        wanted = {**self.changes, **{name: getattr(usual, name) for name in self.restore}}
        wanted |= {
            name: float(f"{getattr(config, name) * factor:.3g}") for name, factor in self.times.items()
        }
        wanted |= {name: value for name, value in self.most.items() if getattr(config, name) > value}
        wanted |= {name: value for name, value in self.least.items() if getattr(config, name) < value}
        return {name: value for name, value in wanted.items()
                if getattr(config, name) != value and applies(name, config)}  # fmt: skip


GENTLER = Remedy(times={"lr_g": 0.25, "lr_d": 0.25})
REMEDIES: Mapping[str, tuple[Remedy, ...]] = {
    "diverged": (Remedy({"optimiser": "adam"}, restore=("beta1",), most=RATES), GENTLER),
    "divergence": (Remedy({"penalty": "gradient-penalty"}), GENTLER),
    "g-vanished": (Remedy(restore=("loss",), losses=MISTAKES), Remedy(restore=("initialisation",)),
                   Remedy(restore=("g_norm", "d_norm")), Remedy(least=RATES), GENTLER),
    "saturated": (Remedy(most=RATES), GENTLER),
    "d-wins": (Remedy(RATES, restore=("loss",), losses=MISTAKES), Remedy(SMOOTH),
               Remedy(times={"lr_d": 0.25})),
    "weak-gradient": (Remedy(restore=("loss",), losses=MISTAKES), Remedy(SMOOTH), Remedy(least=RATES)),
    "stuck": (Remedy(restore=("g_norm", "d_norm")), Remedy(least=RATES),
              Remedy(times={"lr_g": 2.0, "lr_d": 2.0})),
    "memorising": (Remedy(restore=("dataset_limit",)), Remedy({"augment": "translation-cutout"})),
    "collapse": (Remedy(restore=("g_steps", "g_norm", "d_norm")), Remedy(SMOOTH),
                 Remedy({"loss": "relativistic"}), GENTLER),
    "classes-missing": (Remedy({"loss": "relativistic", **SMOOTH}), GENTLER),
    "modes-missing": (Remedy({"loss": "relativistic"}), Remedy({"penalty": "r1-r2", "penalty_weight": 0.003}),
                      GENTLER),
    "oscillation": (Remedy(restore=("beta1", "beta2", "lr_end", "ema_rampup"),
                           times={"lr_g": 0.4, "lr_d": 0.4}),),
    "degrading": (GENTLER,),
}  # fmt: skip


def remedy_for(kind: str, config: TrainConfig) -> dict[str, Any]:
    """The settings of `config` to change against a trouble: those of the first remedy that changes something
    and leaves settings that can be used, without a new warning; nothing where there is none, or no trouble.
    """
    for remedy in REMEDIES.get(kind, ()):
        try:
            if changed := remedy.of(config):
                new = from_mapping({**to_mapping(config), **changed})
                if not refusals(new) and _warned(new) <= _warned(config):
                    return changed
        except (ConfigError, KeyError):  # out of range, or a network of a later version
            continue
    return {}


def _warned(config: TrainConfig) -> set[str]:
    return {warning.code for warning in warnings(config)}
