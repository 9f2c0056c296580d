"""How far a budget gets on this machine: steps a second, from earlier runs or from a short trial.

A trial runs in a process of its own at low priority and is ended when a real run begins, so that it never
takes time from the show.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from gan_core.config import TrainConfig, to_mapping
from gan_core.errors import GanError
from gan_core.runs.layout import RunPaths
from gan_core.runs.reader import list_runs, read_settings
from studio.live import STAGES, special
from studio.words import pick

PATIENCE = 30.0  # seconds a trial may take, import of torch included
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
from gan_core.training.speed import measure_speed
print(measure_speed(from_mapping(json.load(sys.stdin))))
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


def key(config: TrainConfig) -> Key:
    """The settings on which the speed depends."""
    return tuple(getattr(config, name) for name in SLOWS)


class SpeedTrials:
    """Steps a second by settings, as far as known."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._known: dict[Key, float | None] = {}
        self._lock = threading.Lock()
        self._trial: subprocess.Popen[str] | None = None
        self._cancelled = False  # the trial was ended to make room: it says nothing of these settings

    def known(self, config: TrainConfig) -> float | None:
        """Steps a second as seen in an earlier run, the best evidence, or in a trial; else None."""
        return self._remembered(config) or self._known.get(key(config))

    def measure(self, config: TrainConfig) -> float | None:
        """`known`, or after a trial of a few steps; None when that failed or was ended. Takes seconds."""
        with self._lock:  # one trial at a time; who waited finds the answer
            if (speed := self.known(config)) is None and key(config) not in self._known:
                self._cancelled = False
                speed = self._try(config)
                if not self._cancelled:
                    self._known[key(config)] = speed
            return speed

    def cancel_trial(self) -> None:
        """End a trial under way: a real run needs the machine."""
        self._cancelled = True
        self._end(self._trial)

    @staticmethod
    def _end(trial: subprocess.Popen[str] | None) -> None:
        if trial is not None:
            with contextlib.suppress(OSError):
                trial.kill()

    def _remembered(self, config: TrainConfig) -> float | None:
        for status in list_runs(self._runs)[:LOOKED_AT]:
            if status.seconds < ENOUGH or not status.step:
                continue
            with contextlib.suppress(GanError):
                if key(read_settings(RunPaths(self._runs / status.id))[1]) == key(config):
                    return status.step / status.seconds
        return None

    def _try(self, config: TrainConfig) -> float | None:
        home = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
        self._trial = subprocess.Popen(
            [sys.executable, "-c", TRIAL],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        try:
            said, _ = self._trial.communicate(json.dumps(to_mapping(config)), timeout=PATIENCE)
            return float(said.split()[-1])
        except (subprocess.TimeoutExpired, ValueError, IndexError, OSError):
            return None
        finally:
            self._end(self._trial)
            self._trial = None
