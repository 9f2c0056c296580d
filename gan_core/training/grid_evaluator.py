"""How good the pictures of the sample grid are, now and then while a run trains: rows for scores.jsonl.

Nothing here draws from the run's random numbers: measured or not, it makes the same pictures.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from gan_core.config import TrainConfig
from gan_core.data import DATASETS, Pictures
from gan_core.data.source import Mixture
from gan_core.errors import GanError
from gan_core.metrics.grid_metrics import GridReference, NoveltyReference, measure_points
from gan_core.runs import RunWriter
from gan_core.training.schedule import Every, grid_score_gap
from gan_core.training.setup import held_out
from gan_core.training.state import State

SHARE = 0.03  # of the time since it began that measuring may take


class GridEvaluator:
    """Measures sample grids when it is time. `seconds` are those spent training so far."""

    def __init__(
        self, config: TrainConfig, pictures: Pictures | None, writer: RunWriter, seconds: float
    ) -> None:
        """Look at the real `pictures`, .2 s; nothing is ever measured without any (None: another process of
        the run does it) or where the data set's classifier is damaged."""
        self._times = Every(grid_score_gap, last=seconds)
        self._begun, self._spent = seconds, 0.0
        self._mixture: Mixture | None = None
        self._reference: GridReference | None = None
        self._novelty: NoveltyReference | None = None
        self._before: np.ndarray | None = None  # the samples at the last look
        if pictures is None:
            return
        self._mixture = DATASETS[config.dataset].mixture
        if self._mixture is None and len(pictures.images) > 1:
            try:
                labels = pictures.labels if config.conditional else None
                self._reference = GridReference.over(config.dataset, pictures.images, labels)
                self._novelty = NoveltyReference.over(pictures.images, held_out(config))
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
        found = self._found(samples, labels)
        self._before = samples
        self._spent += time.perf_counter() - begin
        if not found:
            return {}
        when = {"step": state.step, "images": state.images_seen, "seconds": round(state.seconds, 3)}
        return when | found

    def _found(self, samples: np.ndarray, labels: np.ndarray | None) -> dict[str, float]:
        if self._mixture is not None:
            return measure_points(samples, self._mixture)
        if self._reference is None:
            return {}
        found = self._reference.measure(samples, labels)
        if self._before is not None:
            found |= self._reference.motion(samples, self._before)
        return found | ({} if self._novelty is None else self._novelty.measure(samples))
