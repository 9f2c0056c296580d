"""How fast training will be on this machine, found out in about two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from gan_core.config import TrainConfig
from gan_core.training.compute import choose_compute
from gan_core.training.session import trial


def measure_speed(config: TrainConfig, seconds: float = 0.6) -> float:
    """Training iterations a second with these settings, on random pictures, timed for about `seconds`.

    Where a lazy penalty falls into some iterations only, both kinds are timed and weighed by their shares:
    with slow networks as many as sixteen iterations would take too long.
    """
    compute, _ = choose_compute(config, lambda candidate: trial(config, candidate))
    compute.use_threads()
    step = trial(config, compute)
    dear = config.d_steps / config.penalty_every % 1  # share of iterations with one lazy penalty more
    if not dear:
        return 1 / _seconds(step, compute.device, seconds)
    plain = _seconds(step, compute.device, seconds / 2)
    penalised = _seconds(lambda: step(0), compute.device, seconds / 2)
    return 1 / ((1 - dear) * plain + dear * penalised)


def _seconds(step: Callable[[], object], device: str, seconds: float) -> float:
    """Mean time of a step."""
    step()  # the first one is slower
    done, begin = 0, time.perf_counter()
    while (spent := time.perf_counter() - begin) < seconds or not done:
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        done += 1
    return spent / done
