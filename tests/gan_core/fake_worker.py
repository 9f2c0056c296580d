"""The real `gan_core.worker` with a training that needs no torch and does as the seed says.

`python fake_worker.py` trains what it is told to; `python fake_worker.py jobs ROOT STEPS ...` is a server
that submits a run for each STEPS, says each one's id and then its warm worker's number, until it is killed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gan_core import worker
from gan_core.config import TrainConfig
from gan_core.errors import GanError
from gan_core.runs import RunWriter, process
from gan_core.runs.layout import RunPaths
from gan_core.runs.lock import HAND_OVER, only_writer
from gan_core.runs.reader import checkpoint_steps

COMMAND = (sys.executable, str(Path(__file__).resolve()))
STEP_SECONDS = 0.01
REFUSE, CRASH, DIE, FORGET, NAP, GREEDY, GREEDY_OUTSIDE, FILL = range(901, 909)  # seeds


def train(config: TrainConfig, run: RunPaths, *, resume: bool = False) -> Iterator[int]:
    """Count steps; keep the contract of the real one about the lock, status, records, checkpoints, orders."""
    with only_writer(run, HAND_OVER):
        yield from count(config, run, resume)


def count(config: TrainConfig, run: RunPaths, resume: bool) -> Iterator[int]:
    """`train`, by the run's only writer."""
    if config.seed == REFUSE:
        raise GanError("budget-missing")
    writer = RunWriter(run)
    first = checkpoint_steps(run)[-1] if resume else 0
    step = first
    while (command := writer.command()) not in ("stop", "park") and step < (config.steps or 0):
        state = "running" if command == "run" else "paused"
        if state == "running":
            step += 1
            writer.record(
                {"step": step, "time": time.time(), "nice": os.nice(0) if hasattr(os, "nice") else 0}
            )
        writer.update(state=state, step=step, seconds=step * STEP_SECONDS)
        if step % 5 == 0:
            writer.checkpoint(step, lambda path, step=step: path.joinpath("step").write_text(str(step)))
        misbehave(config.seed, step - first)
        time.sleep(STEP_SECONDS)
        yield step
    if command == "park":
        writer.checkpoint(step, lambda path: path.joinpath("step").write_text(str(step)))
        writer.update(state="paused", step=step, **process.NOBODY)
    else:
        writer.update(state="stopped" if command == "stop" else "finished")


def misbehave(seed: int, steps: int) -> None:
    """Come to a bad end at the seventh step where `seed` says so."""
    if steps != 7:
        return
    if seed == CRASH:
        raise ValueError("a bug in training")
    if seed == DIE:
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == FORGET:
        os._exit(3)
    if seed == NAP:
        time.sleep(3)
    if seed == GREEDY:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
    if seed == GREEDY_OUTSIDE:  # of Python: there is nobody to catch it
        os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
        os.abort()
    if seed == FILL:
        block = bytearray(400_000_000)
        assert block


def serve(root: str, *steps: str) -> None:
    """A server with a queue, until it is killed."""
    from gan_core.jobs import Jobs

    jobs = Jobs(Path(root), worker=COMMAND)
    for count in steps:
        print(jobs.submit(TrainConfig(dataset="glyphs", steps=int(count))), flush=True)
    while steps == () and jobs._workers.warm is None:
        time.sleep(0.01)
    print(jobs._workers.warm and jobs._workers.warm.pid, flush=True)
    time.sleep(60)


if __name__ == "__main__":
    if "nice" not in sys.argv:  # a busy machine would starve the tests
        worker._step_back = lambda: None
    if sys.argv[1:2] == ["jobs"]:
        serve(*sys.argv[2:])
    pretended: Any = types.ModuleType("gan_core.training")
    pretended.train, pretended.warm_up = train, lambda: None
    sys.modules["gan_core.training"] = pretended
    known: Any = types.ModuleType("gan_core.catalog")  # the real one imports torch, for the networks
    known.check = lambda config: config
    sys.modules["gan_core.catalog"] = known
    sys.exit(worker.main())
