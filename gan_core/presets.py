"""Named starting points: a row is a few settings that differ from the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gan_core.config import BUDGET, TrainConfig, difference, from_mapping
from gan_core.errors import ConfigError
from gan_core.knobs import unknown_names


@dataclass(frozen=True, slots=True)
class Preset:
    """A row of `PRESETS`: one sentence on what it is for, and the settings that differ from the defaults."""

    summary: str
    settings: Mapping[str, Any]


PRESETS: dict[str, Preset] = {
    "digits": Preset(
        "Handwritten digits within ten seconds, any of them on request.",
        {"dataset": "mnist", "seconds": 10.0},
    ),
    "glyphs": Preset(
        "Drawn digits that need no download: try everything on a plane.",
        {"dataset": "glyphs", "seconds": 10.0},
    ),
    "fashion": Preset(
        "Shirts, shoes and bags in a minute, any of them on request.",
        {"dataset": "fashion-mnist", "seconds": 60.0, "lr_g": 6e-3, "lr_d": 6e-3},
    ),
    "unlabelled": Preset(
        "Digits without being told which is which: the original game, and a harder one.",
        {"dataset": "mnist", "conditional": False, "seconds": 60.0},
    ),
    "textbook": Preset(
        "The DCGAN of the 2016 paper with its own step sizes, at 32 pixels: slow and famous.",
        {"dataset": "mnist", "network": "dcgan", "conditional": False, "latent": 100, "g_width": 64,
         "d_width": 64, "batch": 128, "lr_g": 2e-4, "lr_d": 2e-4, "beta1": 0.5, "beta2": 0.999, "lr_end": 1.0,
         "seconds": 300.0},
    ),
}  # fmt: skip


def settings(preset: str, changes: Mapping[str, Any]) -> TrainConfig:
    """The preset's settings with `changes` put in; a budget among them replaces the preset's.

    Raises:
        ConfigError: an unknown preset or setting, or a value out of range.
    """
    problems = unknown_names([preset], PRESETS, "preset")
    if problems:
        raise ConfigError(problems)
    base = dict(PRESETS[preset].settings)
    if any(changes.get(name) is not None for name in BUDGET):
        for name in BUDGET:
            base.pop(name, None)
    return from_mapping({**base, **changes})


def beyond_preset(preset: str, config: TrainConfig) -> dict[str, Any]:
    """The settings in which `config` differs from its preset, by name."""
    return {name: new for name, (_, new) in difference(settings(preset, {}), config).items()}
