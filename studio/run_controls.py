"""What a visitor does to the own run: start it, hold it, end it; and what of that is possible now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gan_core.config import TrainConfig
from gan_core.data import DATASETS, available
from gan_core.errors import ConfigError, DataError, RunError
from gan_core.memory import estimate_memory
from gan_core.runs import control
from gan_core.runs.layout import find_run
from gan_core.runs.reader import checkpoint_steps, read_status
from studio import forms
from studio.models import explorable
from studio.services import Services


@dataclass(frozen=True)
class Controls:
    """What the visitor can do with the own run now. `pause` is "pause", "continue" or "" for neither."""

    stop: bool = False
    pause: str = ""
    explore: bool = False
    watch: bool = False


def controls(services: Services, run_id: str) -> Controls:
    """What can be done with the run `run_id`; nothing with none or one that is gone."""
    try:
        run = find_run(services.runs, run_id)
        state = read_status(run).state
    except RunError:
        return Controls()
    asked = (control.read(run) or control.Order()).command
    pause = {"running": "pause", "paused": "continue"}.get(state, "")
    if state == "running" and asked == "pause":  # it has not come to look yet
        pause = "continue"
    if state in ("stopped", "failed") and checkpoint_steps(run):
        pause = "continue"
    stop = state in ("queued", "running", "paused") and asked != "stop"
    return Controls(stop, pause, explore=explorable(run), watch=True)


def plan(services: Services, preset: str, values: Mapping[str, Any]) -> TrainConfig:
    """The run that a visitor's settings ask for, as this studio would train it.

    Raises:
        ConfigError: for settings that cannot be used here.
    """
    config = replace(forms.configure(preset, values), data_root=services.data_root)
    check_memory(services.limits.memory, config)
    return within(services.longest, config)


def start(services: Services, preset: str, values: Mapping[str, Any]) -> str:
    """Queue a run with a visitor's settings and return its id.

    Raises:
        ConfigError, JobError: for settings that cannot be used, a full queue.
        DataError: for a data set that must be downloaded first.
    """
    config = plan(services, preset, values)
    if not available(config.dataset, services.data_root):
        title = DATASETS[config.dataset].title
        raise DataError("data-not-downloaded", title=title)
    return services.jobs.submit(config, preset)


def within(longest: float, config: TrainConfig) -> TrainConfig:
    """`config` with an end in time where this studio sets visitors one (`longest` seconds; 0: it does not).

    Raises:
        ConfigError: for a longer budget than that.
    """
    if not longest:
        return config
    if config.seconds is not None and config.seconds > longest:
        raise ConfigError("seconds-limit", field="seconds", value=config.seconds, longest=longest)
    return replace(config, seconds=config.seconds or longest)


def check_memory(most: int, config: TrainConfig) -> None:
    """Whether a run with these settings fits into `most` bytes of memory; 0 sets no limit.

    Raises:
        ConfigError: it does not, or so it is estimated.
    """
    if most and (needed := estimate_memory(config)) > most:
        raise ConfigError("memory-limit", field="batch", needed=needed / 1e9, limit=most / 1e9)


def pause_or_continue(services: Services, run_id: str) -> None:
    """Pause the visitor's run when it trains, else let it go on."""
    if controls(services, run_id).pause == "continue":
        services.jobs.resume(run_id)
    else:
        services.jobs.pause(run_id)
