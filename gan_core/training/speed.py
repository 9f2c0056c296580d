"""How fast training will be on this machine, found out in about two seconds."""

from __future__ import annotations

import time

import torch

from gan_core.config import TrainConfig
from gan_core.training.machine import choose_machine
from gan_core.training.session import trial


def measure_speed(config: TrainConfig, seconds: float = 0.6) -> float:
    """Steps a second with these settings: training steps on random pictures, timed for `seconds`."""
    machine, _ = choose_machine(config, lambda candidate: trial(config, candidate))
    machine.use_threads()
    step = trial(config, machine)
    step()  # the first one is slower
    done, begin = 0, time.perf_counter()
    while (spent := time.perf_counter() - begin) < seconds or not done:
        step()
        if machine.device == "cuda":
            torch.cuda.synchronize()
        done += 1
    return done / spent
