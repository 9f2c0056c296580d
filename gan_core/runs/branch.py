"""A new run from a checkpoint of another, and a new budget for a run that goes on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_core import files
from gan_core.config import BUDGET, TrainConfig, difference, from_mapping, to_mapping
from gan_core.errors import ConfigError, RunError
from gan_core.messages import Message
from gan_core.runs.layout import RunPaths, create_run, find_run
from gan_core.runs.reader import checkpoint_steps, read_config

FIRST_WEIGHTS = ("initialisation", "start_from")  # settings that do nothing where a checkpoint has them


def rewrite_settings(run: RunPaths, config: TrainConfig) -> None:
    """Replace the settings of a run; all else that its config.json says (preset, parent) stays.

    Only for whoever trains the run, or while nobody does.

    Raises:
        RunError: when it cannot be read or written.
    """
    try:
        files.write_json(run.config, read_config(run) | {"settings": to_mapping(config)}, durable=True)
    except OSError as error:
        raise RunError("run-write", run=run.id, reason=error.strerror or error) from error


def branch(parent: RunPaths, step: int, old: TrainConfig, new: TrainConfig, preset: str) -> RunPaths:
    """A run beside `parent` that begins at its checkpoint of `step`, with the settings `new`.

    Its config.json names the parent, the step and what differs from the parent's settings `old`.

    Raises:
        RunError: the parent has no checkpoint of that step, or the new run cannot be written.
        ConfigError: a setting was changed that only says what the first weights are.
    """
    steps = checkpoint_steps(parent)
    if step not in steps:
        raise RunError("run-no-checkpoint-of-step", run=parent.id, step=step, steps=steps)
    changed = {name: list(pair) for name, pair in difference(old, new).items()}
    if late := [Message("branch-weights", field=name) for name in FIRST_WEIGHTS if name in changed]:
        raise ConfigError.of(late)
    descent = {"run": parent.id, "step": step, "changed": changed}
    # named before the copy begins: from here on the parent keeps that checkpoint
    run = create_run(parent.path.parent, new, preset, state="stopped", parent=descent)
    try:
        with files.replacing(run.checkpoint(step), durable=True) as scratch:
            shutil.copytree(parent.checkpoint(step), scratch, symlinks=True)
    except OSError as error:
        raise RunError("run-write", run=run.id, reason=error.strerror or error) from error
    return run


def settings_between(values: Mapping[str, Any], config: TrainConfig) -> TrainConfig:
    """`config` with `values` put in; a budget among them replaces all of the old one.

    Raises:
        ConfigError: an unknown setting, or a value out of range.
    """
    cleared = dict.fromkeys(BUDGET) if any(values.get(name) is not None for name in BUDGET) else {}
    return from_mapping({**to_mapping(config), **cleared, **values})


def run_at(path: Path) -> RunPaths:
    """The run in this directory.

    Raises:
        RunError: there is none.
    """
    return find_run(path.resolve().parent, path.resolve().name)
