"""How far a budget gets on this machine: steps a second, from earlier runs or from a short trial.

A trial runs in a process of its own at low priority and is ended when a real run begins, so that it never
takes time from the show. Visitors do not wait for it: see `SpeedTrials`.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gan_core.config import TrainConfig, to_mapping
from gan_core.errors import GanError
from gan_core.memory import estimate_memory
from gan_core.runs.layout import RunPaths
from gan_core.runs.reader import list_runs, read_settings
from studio.live import STAGES, special
from studio.words import pick

PATIENCE = 5.0  # seconds a trial may take
START_PATIENCE = 30.0  # seconds until its process has imported torch
IDLE_SECONDS = 20.0  # without a trial, after which its process, some 350 MB, is ended
WAITING = 4  # visitors whose settings wait to be timed; whoever comes later is told nothing
REMEMBERED = 1000  # settings
ENOUGH = 2.0  # seconds of training from which an earlier run says how fast the machine is
LOOKED_AT = 20  # newest runs asked
SLOWS = (
    "size", "network", "latent", "g_width", "d_width", "conditional", "conditioning",
    "g_conditioning", "code_classes", "code_numbers", "loss", "d_steps", "g_steps", "batch", "device",
    "precision", "memory_format", "threads", "d_minibatch_std", "pack", "mode_seeking", "penalty",
    "penalty_every", "augment", "real_augment", "d_norm", "optimiser",
)  # fmt: skip
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


def outcome(steps: float, pictures: int) -> str:
    """The name of what a person sees after `steps` steps of `pictures` each, `train.estimate.<name>`."""
    seen = [name for least, name in STAGES[1:] if steps * pictures / 64 >= least]
    return seen[-1] if seen else STAGES[1][1]


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
    key = f"train.estimate.{special(config.dataset, preset) or outcome(steps, seen)}"
    return pick(key, tongue, steps=f"{rounded:,.0f}")


def memory_of(config: TrainConfig, tongue: str) -> str:
    """A sentence on the memory that a run with these settings needs."""
    return pick("train.estimate.memory", tongue, gigabytes=f"{estimate_memory(config) / 1e9:.1f}")


def key(config: TrainConfig) -> Key:
    """The settings on which the speed depends."""
    return tuple(getattr(config, name) for name in SLOWS)


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
            tried, speed = self._try(config)
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
