"""What the tabs share: handed to each of them, never global."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_core.errors import RunError
from gan_core.jobs import Jobs
from gan_core.limits import Limits
from studio.estimate import SpeedTrials
from studio.guard import Hosts
from studio.models import ModelRegistry
from studio.scratch import sweep_parts

WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class Services:
    """Where things lie, the queue of training runs, the models to explore, and what visitors may have."""

    runs: Path
    data_root: str
    weights: Path
    jobs: Jobs
    registry: ModelRegistry
    speeds: SpeedTrials  # how fast settings are here
    longest: float = 0.0  # seconds that a visitor's run may take; 0: as long as asked for
    limits: Limits = field(default_factory=Limits)  # what visitors' runs may take
    downloads: bool = True  # whether a visitor may have a data set fetched
    hosts: Hosts = field(default_factory=Hosts)  # the names under which the page is reached

    def close(self) -> None:
        """End the scheduler, the idle worker and a trial under way; a run that trains goes on."""
        self.speeds.close()
        self.jobs.close()


def make_services(
    runs: Path, data_root: str = "", weights: Path = WEIGHTS, limits: Limits | None = None, **allowed: Any
) -> Services:
    """Services on these folders, with what is `allowed` as in `Services`; starts the queue's scheduler.

    Raises:
        RunError: `runs` is no folder and cannot be made one.
    """
    runs = runs.resolve()
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError("runs-folder", path=runs, reason=error.strerror or error) from error
    sweep_parts(runs)
    limits = limits or Limits()
    jobs = Jobs(runs, limits=limits)
    speeds = SpeedTrials(runs, limits.memory, busy=lambda: bool(jobs.queue()))
    registry = ModelRegistry(weights, runs)
    return Services(runs, data_root, weights, jobs, registry, speeds, limits=limits, **allowed)
