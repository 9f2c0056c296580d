"""How fast a step is: against a plain loop of the same mathematics, part by part, and what the rest costs.

Contestants take turns in one process, so that a machine whose speed wanders slows all of them alike, and the
medians are compared.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.parts import Timer, profile
from benchmarks.plain import PlainLoop
from benchmarks.table import Row
from gan_core.config import TrainConfig, from_mapping
from gan_core.losses import LOSSES
from gan_core.networks import NETWORKS
from gan_core.runs import RunWriter, create_run
from gan_core.training import loop, train
from gan_core.training.evaluator import PeriodicEvaluator
from gan_core.training.schedule import Every
from gan_core.training.session import Session, open_session
from gan_core.training.setup import chosen, model_config

CORES = torch.get_num_threads()
BEGUN = 1000  # steps that a run is taken to have made: the many grids of the first ones are no step's cost
Say = Callable[[str], None]


@dataclass(frozen=True)
class Pace:
    """How long to measure: rounds of turns, least seconds and steps of a turn, seconds of the whole run."""

    rounds: int = 7
    seconds: float = 0.4
    steps: int = 2
    run: float = 135.0  # two scores, one a minute


def speeds(say: Say, only: str = "", pace: Pace = Pace()) -> list[Row]:
    """All rows whose name contains `only`."""
    rows: list[Row] = []
    cases = {
        f"network {name}": {"network": name, "size": side(name)}
        for name, row in NETWORKS.items()
        if row.sizes != (1,)
    }  # points are no pictures that a tutorial would open one by one
    cases |= {f"loss {name}": {"loss": name} for name in LOSSES if name != TrainConfig().loss}
    for name, changes in cases.items():
        if only in f"Speed, {name}":
            rows.append(against_plain(name, changes, say, pace))
    others = {"Where a step goes": profiled, "Lazy R1": lazy, "Beside the steps": beside}
    for name, measure in others.items():
        if only in name:
            rows += measure(say, pace)
    return rows


def side(network: str) -> int:
    """32 pixels, or the size that the network has."""
    sizes = NETWORKS[network].sizes
    return 32 if 32 in sizes else sizes[0]


def settings(changes: Mapping[str, Any]) -> TrainConfig:
    """Drawn digits, and a budget so far away that nothing changes on the way."""
    return from_mapping({"dataset": "glyphs", "steps": 100_000_000, "schedule": "constant",
                         "ema_half_life": 15_000, "log_every": 10_000, **changes})  # fmt: skip


@contextmanager
def opened(changes: Mapping[str, Any]) -> Iterator[Session]:
    """A session under way that neither draws, logs nor saves."""
    config = settings(changes)
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(config, RunWriter(create_run(Path(folder), config)), resume=False)
        never = Every(lambda _: float("inf"), last=0.0)
        session.times.samples = session.times.exports = never
        session.times.checkpoints = session.times.heartbeats = never
        session.state.step, session.state.images_seen = BEGUN, BEGUN * config.batch
        yield session


def stepper(session: Session) -> Callable[[], object]:
    """Makes one step of the real loop, threads set as this session wants them."""
    steps = loop._steps(session)

    def step() -> None:
        session.state.compute.use_threads()
        next(steps)
        if session.state.compute.device == "cuda":
            torch.cuda.synchronize()

    return step


def formed(session: Session) -> str:
    """How a session computes: number format, layout, threads."""
    compute = session.state.compute
    return f"{compute.precision} {compute.memory_format} x{compute.threads}"


def rates(contestants: Mapping[str, Callable[[], object]], pace: Pace) -> dict[str, float]:
    """Steps a second of each, the median over rounds in which they take turns."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for step in contestants.values():
        step()  # the first one is slower
    for _ in range(pace.rounds):
        for name, step in contestants.items():
            begin, done = time.perf_counter(), 0
            while done < pace.steps or time.perf_counter() - begin < pace.seconds:
                step()
                done += 1
            found[name].append(done / (time.perf_counter() - begin))
    return {name: statistics.median(values) for name, values in found.items()}


def against_plain(name: str, changes: Mapping[str, Any], say: Say, pace: Pace) -> Row:
    """Images a second of ours, as this machine runs it best and in float32, beside the plain loop."""
    with ExitStack() as stack:
        best = stack.enter_context(opened(changes))
        single = stack.enter_context(opened({**changes, "precision": "fp32"}))
        config, device = best.config, best.state.compute.device
        plain = PlainLoop(config, model_config(config), chosen(config), device)

        def plainly() -> None:
            torch.set_num_threads(CORES)
            plain.step()

        found = rates({"ours": stepper(best), "fp32": stepper(single), "plain": plainly}, pace)
        form = formed(best)
    ours, fp32, theirs = (config.batch * found[key] for key in ("ours", "fp32", "plain"))
    result = (f"{ours:.0f} images/s ({form}) against {theirs:.0f}: {ours / theirs:.2f} x; "
              f"in fp32 {fp32 / theirs:.2f} x")  # fmt: skip
    say(f"{name}, {config.size} px: {result}")
    return Row(f"Speed, {name}, {config.size} px", ">= 1.3 x the plain loop", result)


def profiled(say: Say, pace: Pace) -> list[Row]:
    """Where the milliseconds of a step go, in the form this machine runs best and in float32."""
    rows = []
    for changes in ({}, {"precision": "fp32"}):
        with opened({**changes, "device": "cpu"}) as session:
            parts = profile(session, stepper(session), pace.rounds * 5)
            form = formed(session)
        listed = ", ".join(f"{name} {1000 * seconds:.2f}" for name, seconds in parts.items())
        say(f"a step in {form}, ms: {listed}")
        rows.append(Row(f"Where a step goes, {form}, ms", "-", listed))
    return rows


def lazy(say: Say, pace: Pace) -> list[Row]:
    """What R1 on every sixteenth step costs, beside no penalty."""
    every, none = 16, {"d_norm": "none"}
    with ExitStack() as stack:
        free = stack.enter_context(opened(none))
        compute = free.state.compute
        form = {"precision": compute.precision, "memory_format": compute.memory_format}
        penalty = {"penalty": "r1", "penalty_every": every, "threads": compute.threads}
        bound = stack.enter_context(opened({**none, **form, **penalty}))
        pair = {"free": _several(stepper(free), every), "bound": _several(stepper(bound), every)}
        found = rates(pair, pace)
    cost = found["free"] / found["bound"] - 1
    say(f"lazy R1 costs {cost:.1%}")
    return [Row(f"Lazy R1, every {every} steps: time added", "<= 5 %", f"{cost:.1%}")]


def _several(step: Callable[[], object], count: int) -> Callable[[], object]:
    return lambda: [step() for _ in range(count)]


def beside(say: Say, pace: Pace) -> list[Row]:
    """The share of a run's time that goes into pictures, curves, exports and scores, and into checkpoints."""
    shown, saved = Timer(), Timer()
    config = from_mapping({"dataset": "glyphs", "seconds": pace.run})
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for timer, place, names in ((shown, loop, ("_record",)), (saved, Session, ("save",)),
                                    (shown, Session, ("render_samples", "export", "report")),
                                    (shown, PeriodicEvaluator, ("measure",))):  # fmt: skip
            for name in names:
                stack.enter_context(patch.object(place, name, timer.around(getattr(place, name))))
        for record in train(config, create_run(Path(folder), config)):
            until = shown.seconds, saved.seconds, record.seconds  # what closes the run is not its training
    show, save, total = until
    say(f"of {total:.0f} s: pictures, curves, exports and scores {show:.2f} s, checkpoints {save:.2f} s")
    return [
        Row(f"Pictures, curves, exports, scores of a run of {total:.0f} s", "<= 5 %", f"{show / total:.1%}"),
        Row(f"Checkpoints of a run of {total:.0f} s", "<= 1 %", f"{save / total:.2%}"),
    ]
