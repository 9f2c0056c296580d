"""Scores while a run trains: how good the EMA of the generator is by now, and whether it was ever better.

All that is known stands in scores.jsonl, so a resumed run goes on with it. Nothing here draws from the run's
random numbers: with or without scores it makes the same pictures.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from gan_core.config import TrainConfig
from gan_core.data import DATASETS
from gan_core.errors import GanError
from gan_core.messages import Message
from gan_core.metrics.fast_metrics import PointReferenceStats, ReferenceStats, reference_stats
from gan_core.runs import RunWriter
from gan_core.runs.records import SCORES_MOST, number, read_all
from gan_core.runs.rewind import surviving
from gan_core.sampling import Sampler
from gan_core.seeds import stream_seed
from gan_core.training.state import State

SHARE = 0.03  # of the training time, which includes them, that the scores so far may have taken
SEED = stream_seed(0, "evaluation")  # of the z that all scores of all runs are measured with
DISTANCE = "quality/frechet"  # of pictures
MISSED = "quality/missed"  # of points: what they leave out and how many go astray, see `PointReferenceStats`


class PeriodicEvaluator:
    """Measures the EMA of the generator when it is time; `seconds` are those spent training."""

    def __init__(self, config: TrainConfig, writer: RunWriter, seconds: float) -> None:
        self._config, self._writer = config, writer
        self._plane = DATASETS[config.dataset].mixture
        self._name = MISSED if self._plane else DISTANCE
        rows = surviving(read_all(writer.run.scores, SCORES_MOST))  # what was lost by going back is no score
        rows = [row for row in rows if self._name in row]
        self._best = min((number(row, self._name, float("inf")) for row in rows), default=float("inf"))
        self._spent = sum(number(row, "took", 0.0) for row in rows)
        self._last = max((number(row, "seconds", 0.0) for row in rows), default=seconds)
        self._off = config.score_seconds == 0
        self.begun = bool(rows)

    def due(self, seconds: float) -> bool:
        """Whether it is time: every `score_seconds`, once the scores before took no more than their share."""
        late = seconds - self._last >= self._config.score_seconds
        return late and self._spent <= SHARE * seconds and not self._off

    def measure(self, state: State, sampler: Sampler) -> dict[str, Any] | None:
        """A row for scores.jsonl; None where nothing can be measured, and then never again in this run.

        "best" says whether the distance is the smallest so far, "took" the seconds it cost.
        """
        begin = time.perf_counter()
        try:
            with torch.random.fork_rng(devices=[]):
                real = self._reference()
                draw = sampler.numbers if self._plane else sampler.pictures
                distance = real.distance(draw(sampler.latents(len(real.labels), SEED), real.labels))
        except GanError as error:
            self._off = True
            self._writer.log(Message("log-no-scores"), *error.messages)
            return None
        best, took = distance < self._best, time.perf_counter() - begin
        self._best, self._spent = min(distance, self._best), self._spent + took
        self._last, self.begun = state.seconds, True
        return {
            "step": state.step, "images": state.images_seen, "seconds": round(state.seconds, 3),
            self._name: distance, "quality/floor": real.floor, "best": best, "took": round(took, 3),
            "extractor": real.extractor_name,
        }  # fmt: skip

    def _reference(self) -> ReferenceStats | PointReferenceStats:
        """What generated samples are held against."""
        config = self._config
        if self._plane:
            return PointReferenceStats.over(self._plane)
        return reference_stats(config.dataset, config.size, config.data_root)
