"""When what is due: often while everything is new, ever more rarely later."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from gan_core.config import TrainConfig

FIRST_STEPS = frozenset((0, 1, 2, 5, 10, 20, 35, 50, 75, 100, 150, 200))


LONG = 5.0  # seconds between two looks at the watch in which the process may have been suspended
IDLE = 0.05  # share of them that it has computed, at most, if it was


class Stopwatch:
    """Seconds spent training: pauses do not count, nor does time in which the process was suspended.

    While the machine sleeps, the clock stands still on Linux and macOS. It runs on while a signal holds the
    process still, and on Windows always: but whoever trains computes, so of a long time in which hardly
    anything was computed only what was computed counts.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._total, self._seen = seconds, _now()

    @property
    def seconds(self) -> float:
        """Total so far; to be asked for at every step."""
        before, self._seen = self._seen, _now()
        passed, computed = (now - then for now, then in zip(self._seen, before))
        self._total += computed if passed > LONG and computed < IDLE * passed else passed
        return self._total

    def skip(self, pause: Callable[[], None]) -> None:
        """Run `pause` with the watch stopped."""
        self._total = self.seconds
        pause()
        self._seen = _now()


def _now() -> tuple[float, float]:
    """Seconds by the clock, and those that processors spent on this process."""
    return time.perf_counter(), time.process_time()


@dataclass(slots=True)
class Every:
    """Due when `gap(seconds)` seconds have gone since it was last done."""

    gap: Callable[[float], float]
    last: float = float("-inf")

    def due(self, seconds: float) -> bool:
        """Whether it is time."""
        return seconds - self.last >= self.gap(seconds)

    def mark(self, seconds: float) -> None:
        """It was done: the count begins anew."""
        self.last = seconds


def sample_gap(seconds: float) -> float:
    """Seconds between two sample grids: four a second at first, two until second 15, then ever rarer."""
    if seconds < 3:
        return 0.25
    return 0.5 if seconds < 15 else seconds / 30


def grid_score_gap(seconds: float) -> float:
    """Seconds between two measurements of the sample grid, each of which takes some .03 s."""
    return max(1.0, seconds / 30)


def export_gap(seconds: float) -> float:
    """Seconds between two exports of the generator, for those who explore it while it learns."""
    return max(1.0, seconds / 20)


@dataclass(slots=True)
class Schedule:
    """What a run does beside its steps, and when."""

    config: TrainConfig
    samples: Every
    exports: Every
    checkpoints: Every
    heartbeats: Every

    def begin(self, seconds: float) -> None:
        """The run begins, or goes on, here: with a grid, and with a checkpoint where it goes on."""
        self.samples.mark(seconds)
        self.checkpoints.mark(seconds)

    def sample_due(self, step: int, seconds: float) -> bool:
        """A sample grid: at the first steps by their number, then by time."""
        return step in FIRST_STEPS or self.samples.due(seconds)

    def checkpoint_due(self, step: int, seconds: float) -> bool:
        """A checkpoint of the state: every `checkpoint_steps` where they are given, else by time."""
        every = self.config.checkpoint_steps
        return self.checkpoints.due(seconds) if every is None else step % every == 0

    def record_due(self, step: int) -> bool:
        """A point of the curves: each of the first ten steps, then every `log_every`."""
        return step <= 10 or step % self.config.log_every == 0


def schedule_of(config: TrainConfig) -> Schedule:
    """The schedule of a run that begins now."""
    return Schedule(
        config,
        samples=Every(sample_gap),
        exports=Every(export_gap),
        checkpoints=Every(lambda _: config.checkpoint_seconds, last=0.0),
        heartbeats=Every(lambda _: 0.5),
    )


def progress(config: TrainConfig, step: int, images: int, seconds: float) -> float:
    """Share of the budget used, 0 to 1 and beyond: the largest over steps, images and seconds."""
    used = ((step, config.steps), (images, config.images), (seconds, config.seconds))
    return max(done / limit for done, limit in used if limit is not None)


def expected_images(config: TrainConfig, step: int, images: int, seconds: float) -> float:
    """Real pictures that the whole budget will have shown, at the pace so far; infinite before the first."""
    used = progress(config, step, images, seconds)
    return images / used if used > 0 else float("inf")
