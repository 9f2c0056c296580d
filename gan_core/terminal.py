"""Training from a terminal: one process or several, a progress bar, and what Ctrl-C means."""

from __future__ import annotations

import contextlib
import itertools
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from gan_core.config import TrainConfig
from gan_core.runs.control import send
from gan_core.runs.layout import RunPaths
from gan_core.training import StepRecord
from gan_core.training import train as training
from gan_core.training.distributed import DistributedContext, distributed_context

BAR = "{l_bar}{bar}| {n:.0f}/{total:.0f} {unit} [{elapsed}<{remaining}{postfix}]"
Begin = Callable[[DistributedContext], tuple[TrainConfig, Path]]


def run_in_terminal(begin: Begin, *, resume: bool, quiet: bool) -> Path | None:
    """Train what `begin` finds or makes; returns the run's directory, in the first process only.

    With torchrun several processes come here; the first one begins, shows and stops, the others follow.
    """
    with distributed_context() as distributed:
        config, path = distributed.broadcast_object(lambda: begin(distributed))
        run = RunPaths(path)
        records = training(config, run, resume=resume, distributed=distributed)
        if not distributed.is_main:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            for _ in records:
                pass
            return None
        send(run, "run")
        with _stoppable(run, distributed):
            _show(config, records, quiet)
        return path


@contextlib.contextmanager
def _stoppable(run: RunPaths, distributed: DistributedContext) -> Iterator[None]:
    """The first Ctrl-C ends the run in good order, the second at once.

    With several processes their starter passes signals on and ends who takes too long: all mean good order.
    """

    def stop(*_: object) -> None:
        if distributed.world_size == 1:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        send(run, "stop")

    numbers = [signal.SIGINT] if distributed.world_size == 1 else [signal.SIGINT, signal.SIGTERM]
    previous = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _show(config: TrainConfig, records: Iterator[StepRecord], quiet: bool) -> None:
    """Train to the end with a progress bar."""
    first = next(records, None)  # what cannot be is said before a bar is drawn
    rest: Iterable[StepRecord] = itertools.chain([first] if first else [], records)
    budgets = {"s": config.seconds, "step": config.steps, "image": config.images}
    unit, total = next((unit, total) for unit, total in budgets.items() if total is not None)
    with tqdm(total=total, unit=unit, disable=quiet, bar_format=BAR) as bar:
        for record in rest:
            done = {"s": record.seconds, "step": record.step, "image": record.images}[unit]
            bar.update(min(done, bar.total) - bar.n)
            if record.metrics:
                shown = {name: record.metrics[name] for name in ("loss/D", "loss/G")}
                bar.set_postfix(step=record.step, **{k: f"{v:.2f}" for k, v in shown.items()})
