"""What this machine does fastest: number format, memory layout and threads, measured in under a second."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from gan_core.config import TrainConfig
from gan_core.devices import choose_device, devices
from gan_core.messages import Message

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names and numbers of glibc's malloc.h
PATIENCE = 0.8  # seconds that the measurement may take in all
SLOWER = 1.5  # a candidate this much slower than the best drops out
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class ComputeConfig:
    """How to compute: device, number format, memory layout, processor threads."""

    device: str = "cpu"
    precision: str = "fp32"
    memory_format: str = "contiguous"
    threads: int = 1

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The context in which forward passes and losses run."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device, dtype=torch.bfloat16)

    def place(self, net: nn.Module) -> nn.Module:
        """`net` on this device in this memory layout."""
        return net.to(self.device, memory_format=self.layout)  # type: ignore[call-overload, no-any-return]

    @property
    def layout(self) -> torch.memory_format:
        """torch's own name of the memory layout."""
        return torch.channels_last if self.memory_format == "channels_last" else torch.contiguous_format

    def fixed(self, config: TrainConfig) -> ComputeConfig:
        """This one with what `config` fixes in place of its own; what it leaves open stays.

        For a checkpoint that goes on under other settings.
        """
        asked = {
            "device": config.device, "precision": config.precision,
            "memory_format": config.memory_format, "threads": config.threads,
        }  # fmt: skip
        return replace(self, **{name: value for name, value in asked.items() if value not in ("auto", 0)})  # type: ignore[arg-type]

    def use_threads(self) -> None:
        """Let torch use this many processor threads from now on."""
        torch.set_num_threads(self.threads)


def keep_memory() -> bool:
    """Have the C library keep blocks of up to 32 MB that a step lets go, for the next step. True if it will.

    glibc hands blocks over 128 kB back to the system at once, and the same pages are then faulted in again
    several times a step.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, 32 << 20) and mallopt(M_TRIM_THRESHOLD, 1 << 30))


def restore_compute(saved: ComputeConfig, config: TrainConfig) -> ComputeConfig:
    """How to compute as `saved` in a checkpoint, with what `config` fixes in place of its own.

    A device that is not here gives way to one that is, where `config` leaves it open.

    Raises:
        ConfigError: this machine has not the device that `config` fixes.
    """
    compute = saved.fixed(config)
    if config.device == "auto" and not devices()[compute.device]:
        return replace(compute, device=choose_device("auto"))
    choose_device(compute.device)
    return compute


def choose_compute(
    config: TrainConfig, trial: Callable[[ComputeConfig], Callable[[], object]], local_world_size: int = 1
) -> tuple[ComputeConfig, Message]:
    """The fastest way to run a step here, and how that was found.

    What `config` fixes is kept; what it leaves to `auto` is timed. `trial(compute)` gives a function that
    runs one training step on scratch networks. With nothing left to choose no time is spent. The processor's
    cores are shared out evenly among the `local_world_size` processes of a run on this machine.
    """
    device = choose_device(config.device)
    cores = max(1, _cores() // local_world_size)
    start = ComputeConfig(device, "fp32", "contiguous", config.threads or min(cores, 8))
    candidates = [replace(start, precision=p, memory_format=m) for p, m in _forms(config, device)]
    counts = [config.threads] if config.threads or device != "cpu" else sorted({cores, (cores + 1) // 2})
    if len(candidates) == 1 and len(counts) == 1:
        return candidates[0], Message("log-compute-asked", compute=_name(candidates[0]))
    timings: dict[ComputeConfig, float] = {}
    best = _race(candidates, trial, timings)
    if len(counts) > 1:
        best = _race([replace(best, threads=count or start.threads) for count in counts], trial, timings)
    listed = [f"{_name(m)} {1000 * s:.1f} ms" for m, s in timings.items()]
    return best, Message("log-compute-timed", timings=listed, compute=_name(best))


def _race(
    candidates: Sequence[ComputeConfig],
    trial: Callable[[ComputeConfig], Callable[[], object]],
    timings: dict[ComputeConfig, float],
) -> ComputeConfig:
    """The candidate with the fastest step; the seconds of each go into `timings`.

    They take turns, so that a moment in which the machine is busy elsewhere slows all of them alike. The
    hopeless ones drop out; where time runs short the first, slower step stands and the last are not tried.
    """
    deadline = time.perf_counter() + PATIENCE / 2
    steps: dict[ComputeConfig, Callable[[], object]] = {}
    for compute in candidates:
        known_slow = timings.get(compute, 0.0) > PATIENCE / 4
        if not known_slow and (len(steps) < 2 or time.perf_counter() < deadline):
            steps[compute] = trial(compute)
            timings.setdefault(compute, _time(steps[compute], compute))
    for _ in range(ROUNDS):
        if time.perf_counter() > deadline:
            break
        for compute, step in steps.items():
            timings[compute] = min(_time(step, compute), timings[compute])
        best = min(timings[compute] for compute in steps)
        steps = {compute: step for compute, step in steps.items() if timings[compute] < SLOWER * best}
    return min((m for m in candidates if m in timings), key=lambda compute: timings[compute])


def _forms(config: TrainConfig, device: str) -> list[tuple[str, str]]:
    """(precision, memory format) pairs left open by `config`, the likeliest winner first.

    The two number formats come first: one that this processor only imitates must not win for want of time.
    """
    precisions = ["bf16", "fp32"] if config.precision == "auto" else [config.precision]
    if device == "mps" and config.precision == "auto":
        precisions = ["fp32"]
    layouts = (
        ["channels_last", "contiguous"] if config.memory_format == "auto" else [config.memory_format]
    )  # fmt: skip
    return [(precision, layout) for layout, precision in itertools.product(layouts, precisions)]


def _cores() -> int:
    """Processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _time(step: Callable[[], object], compute: ComputeConfig) -> float:
    """Seconds of one step."""
    compute.use_threads()
    begin = time.perf_counter()
    step()
    if compute.device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def _name(compute: ComputeConfig) -> str:
    return f"{compute.precision} {compute.memory_format} x{compute.threads}"
