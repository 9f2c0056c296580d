"""How good the pictures of the sample grid are, now and then while a run trains: rows for scores.jsonl.

Nothing here draws from the run's random numbers: measured or not, it makes the same pictures.
"""

from __future__ import annotations

import time
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

SHARE = 0.03  # of the time since it began that measuring may take
Measure = Callable[[np.ndarray, np.ndarray | None], dict[str, float]]


class GridEvaluator:
    """Measures sample grids when it is time. `seconds` are those spent training so far."""

    def __init__(
        self, config: TrainConfig, pictures: Pictures | None, writer: RunWriter, seconds: float
    ) -> None:
        """Look at the real `pictures`, .2 s; nothing is ever measured without any (None: another process of
        the run does it) or where the data set's classifier is damaged."""
        self._times = Every(grid_score_gap, last=seconds)
        self._begun, self._spent = seconds, 0.0
        self._measure: Measure | None = None
        if pictures is None:
            return
        mixture = DATASETS[config.dataset].mixture
        if mixture is not None:
            self._measure = lambda points, _: measure_points(points, mixture)
        elif len(pictures.images) > 1:
            try:
                self._measure = GridReference.over(config.dataset, pictures.images).measure
            except GanError as error:
                writer.log(*error.messages)

    def due(self, seconds: float) -> bool:
        """Whether it is time, and those before took no more than their share."""
        within = self._spent <= SHARE * max(1.0, seconds - self._begun)
        return within and self._times.due(seconds)

    def measure(self, samples: np.ndarray, labels: np.ndarray | None, state: State) -> dict[str, Any]:
        """A row for scores.jsonl on the grid of `samples`, for which `labels` (N,) were asked; empty where
        nothing can be measured."""
        begin = time.perf_counter()
        self._times.mark(state.seconds)
        if self._measure is None:
            return {}
        when = {"step": state.step, "images": state.images_seen, "seconds": round(state.seconds, 3)}
        row = when | self._measure(samples, labels)
        self._spent += time.perf_counter() - begin
        return row
