"""How good the pictures of the sample grid are, now and then while a run trains: rows for scores.jsonl.

Nothing here draws from the run's random numbers: measured or not, it makes the same pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gan_core.config import TrainConfig
from gan_core.data import DATASETS, Pictures
from gan_core.errors import GanError
from gan_core.metrics.grid_metrics import GridReference, measure_points
from gan_core.runs import RunWriter
from gan_core.training.schedule import Every, grid_score_gap
from gan_core.training.state import State

Measure = Callable[[np.ndarray, np.ndarray | None], dict[str, float]]


class GridEvaluator:
    """Measures sample grids when it is time. `seconds` are those spent training so far."""

    def __init__(self, config: TrainConfig, pictures: Pictures, writer: RunWriter, seconds: float) -> None:
        """Look at the real pictures; where the data set's classifier is damaged, nothing is ever measured."""
        self._times = Every(grid_score_gap, last=seconds)
        self._measure: Measure | None = None
        mixture = DATASETS[config.dataset].mixture
        if mixture is not None:
            self._measure = lambda points, _: measure_points(points, mixture)
        elif len(pictures.images) > 1:
            try:
                self._measure = GridReference.over(config.dataset, pictures.images).measure
            except GanError as error:
                writer.log(*error.messages)

    def due(self, seconds: float) -> bool:
        """Whether it is time."""
        return self._times.due(seconds)

    def measure(self, samples: np.ndarray, labels: np.ndarray | None, state: State) -> dict[str, Any]:
        """A row for scores.jsonl on the grid of `samples`, for which `labels` (N,) were asked; empty where
        nothing can be measured."""
        self._times.mark(state.seconds)
        if self._measure is None:
            return {}
        when = {"step": state.step, "images": state.images_seen, "seconds": round(state.seconds, 3)}
        return when | self._measure(samples, labels)
