"""What a visitor does to the own run: start it, hold it, end it; and what of that is possible now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gan_core.data import DATASETS, available
from gan_core.errors import DataError, RunError
from gan_core.runs.layout import find_run
from gan_core.runs.reader import checkpoint_steps, read_status
from studio import forms
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
    pause = {"running": "pause", "paused": "continue"}.get(state, "")
    if state in ("stopped", "failed") and checkpoint_steps(run):
        pause = "continue"
    stop = state in ("queued", "running", "paused")
    return Controls(stop, pause, explore=run.generator.exists(), watch=True)


def start(services: Services, preset: str, values: Mapping[str, Any]) -> str:
    """Queue a run with a visitor's settings and return its id.

    Raises:
        ConfigError, JobError: for settings that cannot be used, a full queue.
        DataError: for a data set that must be downloaded first.
    """
    config = replace(forms.configure(preset, values), data_root=services.data_root)
    if not available(config.dataset, services.data_root):
        raise DataError(f"{DATASETS[config.dataset].title} is not on this machine yet; press Download first.")
    return str(services.jobs.submit(config, preset))


def pause_or_continue(services: Services, run_id: str) -> None:
    """Pause the visitor's run when it trains, else let it go on."""
    if controls(services, run_id).pause == "continue":
        services.jobs.resume(run_id)
    else:
        services.jobs.pause(run_id)
