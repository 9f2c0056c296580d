"""All tables of names in one view, and whether a configuration asks for things that exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gan_core.augment import AUGMENTS, REAL_AUGMENTS
from gan_core.config import TrainConfig, knobs
from gan_core.data import DATASETS
from gan_core.errors import ConfigError
from gan_core.knobs import unknown_names
from gan_core.latent import NOISES
from gan_core.losses import GAMES
from gan_core.messages import Message
from gan_core.networks import INITIALISATIONS, NETWORKS
from gan_core.optimisers import OPTIMISERS
from gan_core.penalties import PENALTIES
from gan_core.presets import PRESETS
from gan_core.rules import refusals


def tables() -> dict[str, Mapping[str, Any]]:
    """Every table by the name that a `Knob.table` uses."""
    return {"datasets": DATASETS, "networks": NETWORKS, "losses": GAMES, "presets": PRESETS,
            "penalties": PENALTIES, "augments": AUGMENTS, "real_augments": REAL_AUGMENTS,
            "optimisers": OPTIMISERS, "noises": NOISES, "initialisations": INITIALISATIONS}  # fmt: skip


def choices(setting: str) -> tuple[Any, ...]:
    """What a setting may be chosen from: its own choices, or the names of its table; empty for numbers."""
    knob = knobs()[setting]
    return tuple(tables()[knob.table]) if knob.table else knob.choices


def check_name(table: str, name: str) -> str:
    """`name` itself, once `table` has it; else a `ConfigError` with the nearest known one."""
    if problems := unknown_names([name], tables()[table], table):
        raise ConfigError.of(problems)
    return name


def check(config: TrainConfig) -> TrainConfig:
    """`config` itself, once all its names exist and go together.

    Raises:
        ConfigError: an unknown name, with the nearest known one, a size its network does not have, or
            settings that cannot work together.
    """
    problems: list[Message] = []
    for name, knob in knobs().items():
        if knob.table:
            problems += unknown_names([getattr(config, name)], tables()[knob.table], knob.table, name)
    if not problems and config.size not in (sizes := NETWORKS[config.network].sizes):
        about = {"network": config.network, "sizes": sizes, "size": config.size}
        points = sizes == (1,)
        problems.append(Message("size-points" if points else "size-unavailable", field="size", **about))
    if not problems:
        problems += refusals(config)
    if problems:
        raise ConfigError.of(problems)
    return config
