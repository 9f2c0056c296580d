"""What the tabs share: handed to each of them, never global."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gan_core.jobs import Jobs
from gan_core.limits import Limits
from studio.models import ModelRegistry

WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class Services:
    """Where things lie, the queue of training runs, and the models that can be explored."""

    runs: Path
    data_root: str
    weights: Path
    jobs: Jobs
    registry: ModelRegistry
    longest: float = 0.0  # seconds that a visitor's run may take; 0: as long as asked for
    limits: Limits = field(default_factory=Limits)  # what visitors' runs may take


def make_services(runs: Path, data_root: str = "", weights: Path = WEIGHTS, longest: float = 0.0) -> Services:
    """Services on these folders; starts the queue's scheduler."""
    runs = runs.resolve()
    runs.mkdir(parents=True, exist_ok=True)
    return Services(runs, data_root, weights, Jobs(runs), ModelRegistry(weights, runs), longest)
