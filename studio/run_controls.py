"""What a visitor does to the own run: start it, hold it, end it; and what of that is possible now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gan_core.catalog import check_name
from gan_core.config import TrainConfig
from gan_core.data import DATASETS, available, load
from gan_core.devices import choose_device
from gan_core.errors import ConfigError, DataError, RunError
from gan_core.memory import estimate_memory
from gan_core.runs import control
from gan_core.runs.layout import find_run
from gan_core.runs.reader import checkpoint_steps, read_status
from studio import forms
from studio.models import explorable
from studio.owners import check_owner, owns
from studio.services import Services


@dataclass(frozen=True)
class Controls:
    """What the visitor can do with the own run now. `pause` is "pause", "continue" or "" for neither."""

    stop: bool = False
    pause: str = ""
    explore: bool = False
    watch: bool = False


def controls(services: Services, run_id: str, owner: str) -> Controls:
    """What `owner` can do with the run `run_id`: nothing with none or one that is gone; look at another's."""
    try:
        run = find_run(services.runs, run_id)
        state = read_status(run).state
        if not owns(services.runs, run_id, owner):
            return Controls(explore=explorable(run), watch=True)
    except RunError:
        return Controls()
    asked = control.in_force(run).command
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
    choose_device(config.device)
    check_memory(services.limits.memory, config)
    return within(services.longest, config)


def start(services: Services, preset: str, values: Mapping[str, Any], owner: str, address: str = "") -> str:
    """Queue a run with a visitor's settings as the run of `owner`, and return its id; `address` as in
    `Jobs.submit`.

    Raises:
        ConfigError, JobError: for settings that cannot be used, a full queue.
        DataError: for a data set that must be downloaded first.
    """
    services.jobs.check(owner, address)  # first: what is refused anyway is not worth an estimate
    config = plan(services, preset, values)
    if not available(config.dataset, services.data_root):
        title = DATASETS[config.dataset].title
        raise DataError("data-not-downloaded" if services.downloads else "data-not-here", title=title)
    return services.jobs.submit(config, preset, owner=owner, address=address)


def download(services: Services, dataset: str) -> None:
    """Fetch a data set for the visitors, where whoever runs this studio lets them.

    Raises:
        ConfigError: for a data set that is not known.
        DataError: downloads are off here, or it could not be fetched.
    """
    name = check_name("datasets", dataset)
    if not services.downloads:
        raise DataError("data-not-here", title=DATASETS[name].title)
    load(name, root=services.data_root, download=True)


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


def pause_or_continue(services: Services, run_id: str, owner: str) -> None:
    """Pause the visitor's run when it trains, else let it go on.

    Raises:
        RunError, JobError: there is no such run, it is somebody else's, it is in no state for that.
    """
    check_owner(services.runs, run_id, owner)
    if controls(services, run_id, owner).pause == "continue":
        services.jobs.resume(run_id)
    else:
        services.jobs.pause(run_id)


def stop(services: Services, run_id: str, owner: str) -> None:
    """End the visitor's run.

    Raises:
        RunError, JobError: there is no such run, it is somebody else's, it is over already.
    """
    check_owner(services.runs, run_id, owner)
    services.jobs.stop(run_id)
