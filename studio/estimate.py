"""How far a budget gets on this machine: steps a second, from earlier runs or from a short trial.

A trial runs in a process of its own at low priority and is ended when a real run begins, so that it never
takes time from the show. Visitors do not wait for it: see `SpeedTrials`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gan_core.config import BUDGET, TrainConfig, difference, from_mapping, knobs, to_mapping
from gan_core.errors import GanError
from gan_core.memory import estimate_memory
from gan_core.presets import PRESETS
from gan_core.runs.layout import RunPaths
from gan_core.runs.reader import list_runs, read_settings
from studio.words import pick

LOG = logging.getLogger("studio")
PATIENCE = 5.0  # seconds a trial may take
START_PATIENCE = 30.0  # seconds until its process has imported torch
IDLE_SECONDS = 20.0  # without a trial, after which its process, some 350 MB, is ended
WAITING = 4  # visitors whose settings wait to be timed; whoever comes later is told nothing
REMEMBERED = 1000  # settings
ENOUGH = 2.0  # seconds of training from which an earlier run says how fast the machine is
LOOKED_AT = 20  # newest runs asked
# settings on which the time of a step does not depend; a new one is taken to matter
SAME_SPEED = frozenset({
    "data_root", "dataset_limit", "start_from", "initialisation", "noise", "class_weight", "code_weight",
    "penalty_weight", "real_label", "label_flip_prob", "lr_g", "lr_d", "beta1", "beta2", "schedule", "lr_end",
    "ema_rampup", "ema_half_life", "seconds", "steps", "images", "seed", "checkpoint_seconds",
    "checkpoint_steps", "disk_mb", "score_seconds", "retries", "ada_images",
})  # fmt: skip
# What a recipe was seen to reach on its own data with its own settings: from so many pictures on (real ones
# shown, in thousands), `train.estimate.<name>`. From `python -m benchmarks quality`, rows of README.
SEEN = {
    "digits": ((23, "readable"), (35, "good"), (265, "fine")),
    "fashion": ((290, "clothes"),),
}
WEIGHTS = ("penalty_weight", "class_weight", "code_weight")  # but whether they are 0
FAR = 4  # times the pictures of the last row of `SEEN`, beyond which nothing was seen either
NEAR = 1.5  # a learning rate at most so many times the recipe's, or its part, is near
FREE = frozenset({
    "seconds", "steps", "images", "seed", "threads", "precision", "memory_format", "data_root", "log_every",
    "checkpoint_seconds", "checkpoint_steps", "disk_mb", "score_seconds", "retries",
})  # fmt: skip
TRIAL = """
import json, os, sys
if hasattr(os, "nice"): os.nice(19)
from gan_core.config import from_mapping
from gan_core.memory_limit import limit_memory
from gan_core.training.speed import measure_speed
if most := int(sys.argv[1]): limit_memory(most)
print("ready", flush=True)
for line in sys.stdin:
    try: speed = measure_speed(from_mapping(json.loads(line)))
    except Exception: speed = ""
    print(speed, flush=True)
"""


Key = tuple[Any, ...]


def fails_on_purpose(preset: str) -> bool:
    """Whether it is the name of a recipe that is made to fail."""
    return preset in PRESETS and bool(PRESETS[preset].cure)


def outcome(config: TrainConfig, preset: str, images: float) -> str:
    """The name of what `images` real pictures are known to lead to, `train.estimate.<name>`.

    "steps", which promises nothing, for all that was not measured: other data, other settings than the
    recipe's own, a shorter budget.
    """
    if preset not in PRESETS:
        return "steps"
    usual = from_mapping(PRESETS[preset].settings)
    changed = difference(config, usual).keys() - FREE
    if fails_on_purpose(preset):
        as_long = all(getattr(config, name) == getattr(usual, name) for name in BUDGET)
        return "failing" if as_long and not changed else "steps"
    rates = [getattr(config, name) / getattr(usual, name) for name in ("lr_g", "lr_d")]
    if changed - {"lr_g", "lr_d"} or not all(1 / NEAR <= rate <= NEAR for rate in rates):
        return "steps"
    thousands = images / 1000
    seen = [(least, name) for least, name in SEEN.get(preset, ()) if thousands >= least]
    return seen[-1][1] if seen and thousands <= FAR * SEEN[preset][-1][0] else "steps"


def estimate_of(config: TrainConfig, speed: float | None, tongue: str, preset: str = "") -> str:
    """A sentence on what to expect of this budget at `speed` steps a second (None: not known)."""
    if config.seconds is not None and speed is None:
        return pick("train.estimate.unknown", tongue)
    seen = config.batch * config.d_steps  # real pictures in each step
    limits = [config.steps, config.images and config.images / seen]
    if config.seconds is not None and speed is not None:
        limits.append(config.seconds * speed)
    steps = min(limit for limit in limits if limit is not None)
    rounded = round(steps, 1 - len(str(int(steps)))) if steps >= 100 else steps
    return pick(f"train.estimate.{outcome(config, preset, steps * seen)}", tongue, steps=f"{rounded:,.0f}")


def memory_of(config: TrainConfig, tongue: str) -> str:
    """A sentence on the memory that a run with these settings needs."""
    return pick("train.estimate.memory", tongue, gigabytes=f"{estimate_memory(config) / 1e9:.1f}")


def key(config: TrainConfig) -> Key:
    """The settings on which the speed depends."""
    in_force = [getattr(config, name) == 0 for name in WEIGHTS]
    return (*(getattr(config, name) for name in knobs() if name not in SAME_SPEED), *in_force)


class SpeedTrials:
    """Steps a second by settings, as far as known; what is not is timed in the background, one at a time.

    Of each visitor the newest settings alone are timed. Nothing waits for a trial: whoever wants to know asks
    again. `memory`: bytes that one may take, 0 for any number; none begins or goes on while the machine is
    `busy`.
    """

    def __init__(self, runs: Path, memory: int = 0, busy: Callable[[], bool] = lambda: False) -> None:
        self._runs, self._memory, self._busy = runs, memory, busy
        self._known: dict[Key, float | None] = {}
        self._wishes: dict[str, TrainConfig] = {}  # by visitor, in the order of their turns
        self._now: Key | None = None  # what is being timed
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self._trial: TrialProcess | None = None
        self._closed = False

    def known(self, config: TrainConfig) -> float | None:
        """Steps a second as seen in an earlier run, the best evidence, or in a trial; else None."""
        return self._remembered(config) or self._known.get(key(config))

    def ask(self, visitor: str, config: TrainConfig) -> bool:
        """Have these settings timed in place of those that the visitor asked for before.

        Whether an answer is on its way. It is not where a trial was in vain, or too many wait.
        """
        with self._lock:
            asked = key(config)
            before = self._wishes.get(visitor)
            if before is not None and key(before) == asked:
                return True
            shared = asked == self._now or any(key(wish) == asked for wish in self._wishes.values())
            if shared or asked in self._known:
                self._wishes.pop(visitor, None)
                return shared
            if before is None and len(self._wishes) >= WAITING:
                return False
            self._wishes[visitor] = config
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="trials", daemon=True)
                self._thread.start()
            self._lock.notify()
            return True

    def cancel_trial(self) -> None:
        """End a trial under way and forget those that wait: a real run needs the machine."""
        with self._lock:
            self._wishes.clear()
            if self._trial is not None:
                self._trial.end()

    def close(self) -> None:
        """No more trials."""
        self._closed = True
        self.cancel_trial()
        with self._lock:
            self._lock.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while not self._closed:
            with self._lock:
                if not self._wishes and not self._lock.wait(IDLE_SECONDS) and self._trial is not None:
                    self._trial.end()
                    self._trial = None
                if not self._wishes:
                    continue
                config = self._wishes.pop(next(iter(self._wishes)))
                self._now = key(config)
            tried, speed = False, None
            try:
                tried, speed = self._try(config)
            except Exception:  # no memory for its process, say: nobody waits for ever for that
                LOG.exception("A trial could not be made:")
            with self._lock:
                self._now = None
                if tried:
                    self._known[key(config)] = speed
                    if len(self._known) > REMEMBERED:
                        del self._known[next(iter(self._known))]
        if self._trial is not None:
            self._trial.end()

    def _try(self, config: TrainConfig) -> tuple[bool, float | None]:
        """Whether there was a trial, and the steps a second: None where these settings cannot be timed."""
        if self._busy():
            return False, None
        with self._lock:
            if self._trial is None or self._trial.ended():
                self._trial = TrialProcess(self._memory)
            trial = self._trial
        trial.ready = trial.ready or trial.answer(START_PATIENCE, self._busy) is not None
        if trial.ready:
            trial.tell(json.dumps(to_mapping(config)))
            if (said := trial.answer(PATIENCE, self._busy)) is not None:
                return True, _number(said)
        made_room = trial.dismissed or self._busy()  # that says nothing of these settings
        trial.end()
        return not made_room, None

    def _remembered(self, config: TrainConfig) -> float | None:
        for status in list_runs(self._runs)[:LOOKED_AT]:
            if status.seconds < ENOUGH or not status.step:
                continue
            with contextlib.suppress(GanError):
                if key(read_settings(RunPaths(self._runs / status.id))[1]) == key(config):
                    return status.step / status.seconds
        return None


class TrialProcess:
    """A process that has torch ready and times settings, one line each; it ends with whoever has it."""

    def __init__(self, memory: int) -> None:
        home = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
        self.ready = False  # its first line says so
        self.dismissed = False
        self._process = subprocess.Popen(
            [sys.executable, "-c", TRIAL, str(memory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, name="trial", daemon=True).start()

    def tell(self, line: str) -> None:
        """Give it the next settings. One that is dead gives no answer."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def answer(self, patience: float, given_up: Callable[[], bool]) -> str | None:
        """Its next line; None when it has ended, takes longer than `patience` seconds or was given up."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and not given_up():
            with contextlib.suppress(queue.Empty):
                return self._lines.get(timeout=0.2)
        return None

    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    def end(self) -> None:
        """End it at once: it has nothing to lose."""
        self.dismissed = True
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                self._lines.put(line.strip())
        self._lines.put(None)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
