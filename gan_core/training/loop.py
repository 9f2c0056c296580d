"""The training loop: a recipe in paragraphs. `train` yields a record a step and writes the run directory."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from gan_core.config import TrainConfig
from gan_core.errors import GanError, ProcessLost, TrainingDiverged
from gan_core.memory_limit import is_out_of_memory
from gan_core.messages import Message
from gan_core.runs import NullRunWriter, RunPaths, RunWriter, process
from gan_core.runs.branch import rewrite_settings
from gan_core.runs.lock import HAND_OVER, only_writer
from gan_core.runs.reader import Verdict, checkpoint_steps, last_checkpoint, read_verdicts
from gan_core.training.distributed import SINGLE_PROCESS, DistributedContext
from gan_core.training.iteration import train_iteration
from gan_core.training.record import first_nonfinite_metric, measure
from gan_core.training.session import Session, open_session
from gan_core.training.state import set_learning_rates
from gan_core.training.step import StepOutput

POLL = 0.1  # seconds between two looks at the orders while paused


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A training iteration: its number, real pictures seen, seconds trained, a point of the curves if due."""

    step: int
    images: int
    seconds: float
    metrics: dict[str, float] | None


def train(
    config: TrainConfig,
    run: RunPaths,
    *,
    resume: bool = False,
    distributed: DistributedContext = SINGLE_PROCESS,
) -> Iterator[StepRecord]:
    """Train as `config` says and write everything into `run`; yields after every training iteration.

    Orders in control.json (pause, stop) are followed between two steps. With `resume` it goes on from the
    newest checkpoint. Whatever happens, the run is left readable and its status says how it ended; closing
    the iterator early stops the run. Of several `distributed` processes all call this.

    Raises:
        DataError: the pictures cannot be had. RunError: the run cannot be written, is another process's, or
        has no checkpoint. TrainingDiverged: a number is no longer finite. ProcessLost: another process of
        the run is gone.
    """
    with contextlib.ExitStack() as held:
        distributed.broadcast_object(lambda: held.enter_context(only_writer(run, HAND_OVER)))
        yield from _train(config, run, resume, distributed)


def _train(
    config: TrainConfig, run: RunPaths, resume: bool, distributed: DistributedContext
) -> Iterator[StepRecord]:
    """`train`, by the only writer of `run`: how it ends stands in its status."""
    writer = RunWriter(run) if distributed.is_main else NullRunWriter(run)
    end: dict[str, Any] = {"state": "stopped"}
    try:
        session = open_session(config, writer, resume, distributed)
        while True:
            try:
                yield from _steps(session)
                break
            except (GeneratorExit, KeyboardInterrupt):  # whoever drives the run has had enough
                session.close()
                raise
            except TrainingDiverged as error:
                session = _again(session, error)
        end = {"state": "finished" if session.progress >= 1 else "stopped"}
        session.close()
        if session.parked:
            end = {"state": "paused", **process.NOBODY}
    except ProcessLost as error:
        end = {"state": "failed", "messages": [*error.messages, last_checkpoint(run)]}
        raise
    except GanError as error:
        end = {"state": "failed", "messages": error.messages}
        raise
    except Exception as error:
        kind = type(error).__name__  # its words may name anything of this machine: the log has them
        with contextlib.suppress(GanError):
            writer.log(Message("unexpected-error", error=kind, reason=error))
        reason = (
            Message("out-of-memory") if is_out_of_memory(error) else Message("training-crashed", reason=kind)
        )
        end = {"state": "failed", "messages": [reason]}
        raise
    finally:
        writer.update(**end)


def _again(diverged: Session, error: TrainingDiverged) -> Session:
    """Back to the last good checkpoint with half the learning rates, as often as the setting allows.

    Raises:
        TrainingDiverged: it has gone back often enough.
    """
    config, writer, distributed = diverged.config, diverged.writer, diverged.state.distributed
    if config.retries == 0:
        raise error
    config = replace(config, lr_g=config.lr_g / 2, lr_d=config.lr_d / 2, retries=config.retries - 1)
    if distributed.is_main:
        rewrite_settings(writer.run, config)  # stopped and resumed, it goes on with what is left
    writer.log(Message("log-retry", lr_g=config.lr_g, lr_d=config.lr_d))
    resume = distributed.broadcast_object(lambda: bool(checkpoint_steps(writer.run)))
    return open_session(config, writer, resume, distributed)


def _steps(session: Session) -> Iterator[StepRecord]:
    """The loop itself: one iteration after the other, and what is due after each."""
    config, state = session.config, session.state
    metrics: dict[str, float] | None = {}
    while _goes_on(session):
        state.distributed.seed_rank(config.seed, state.step)
        set_learning_rates(state, config, session.progress, session.controllers.d_share)
        session.controllers.begin(session.progress)
        d, g = train_iteration(
            state, session.batch_sampler, config, session.objective, session.controllers, session.batch
        )

        state.step += 1
        state.seconds = session.watch.seconds
        metrics = _record(session, d, g) if session.times.record_due(state.step) else None
        _show(session)
        if session.times.checkpoint_due(state.step, state.seconds):
            session.save()
            session.times.checkpoints.mark(state.seconds)
        if session.progress < 1 and session.evaluator.due(state.seconds):
            session.score()
        yield StepRecord(state.step, state.images_seen, state.seconds, metrics)
    if metrics is None:  # a run that diverged in its last steps has not ended well
        _record(session, d, g)
    if first_nonfinite := state.first_nonfinite():
        _diverged(session, first_nonfinite)


def _goes_on(session: Session) -> bool:
    """Wait while the run is paused; False once its budget is used, or it is to stop or to be parked."""
    order = _order(session)
    if session.progress >= 1:
        return False
    if order in ("pause", "park"):
        session.export()
        session.save()
        session.report(state="paused")
        session.watch.skip(lambda: _wait(session))
        order = _order(session)
        if order == "run":
            session.report(state="running")
        elif order == "pause":  # once more, before it went on
            return _goes_on(session)
    session.parked = order == "park"
    return order == "run"


def _order(session: Session) -> str:
    """What the run is asked to do: the first process's orders and its clock hold for all.

    Raises:
        TrainingDiverged: the first process, which saves, found the state not worth saving.
    """
    state = session.state
    asked = session.writer.command() if session.first_nonfinite is None else "diverged"
    order, state.seconds = state.distributed.broadcast_control(asked, state.seconds)
    if order == "diverged":
        _diverged(session, session.first_nonfinite or state.first_nonfinite() or "what was to be saved")
    return order


def _wait(session: Session) -> None:
    beat = time.monotonic()
    while _order(session) == "pause":
        time.sleep(POLL)
        if time.monotonic() - beat > 1:
            beat = time.monotonic()
            session.writer.update()


def _record(session: Session, d: StepOutput, g: StepOutput) -> dict[str, float]:
    """Write a point of the curves; end the run at the first number that is not finite."""
    state, writer = session.state, session.writer
    values = measure(state, session.objective.loss, d, g)
    first_nonfinite = first_nonfinite_metric(values)
    if first_nonfinite is not None:
        return _diverged(session, first_nonfinite)
    values |= {
        "speed/images per second": session.speed(),
        "learning_rate/G": state.g_optimizer.param_groups[0]["lr"],
        "learning_rate/D": state.d_optimizer.param_groups[0]["lr"],
        **session.controllers.curves(),
    }
    when = {"step": state.step, "images": state.images_seen, "seconds": round(state.seconds, 3)}
    writer.record(when | values)
    session.attend(when | values)
    return values


def _diverged(session: Session, name: str) -> dict[str, float]:
    session.render_samples(last=True)
    figures = {"value": name, "retries": session.config.retries}
    verdict = Verdict("diverged", session.state.step, figures)
    session.writer.verdict(verdict)
    raise TrainingDiverged.of([verdict.message, *_way_back(session)])


def _way_back(session: Session) -> list[Message]:
    """What to type for a new run from the last good checkpoint with half the learning rates, if there is one.

    That it could have gone back by itself is said only where it never has.
    """
    config, run = session.config, session.writer.run
    steps = checkpoint_steps(run)
    if not steps:
        return []
    rates = f"--lr-g {config.lr_g / 2:g} --lr-d {config.lr_d / 2:g}"
    command = f"python -m gan_core branch {shlex.quote(str(run.path))} --at {steps[-1]} {rates}"
    if any(verdict.figures.get("retries") for verdict in read_verdicts(run)):
        return [Message("way-back", command=command)]
    return [Message("way-back-or-retries", command=command)]


def _show(session: Session) -> None:
    """Write the sample grid, the generator and the status when they are due."""
    state, times = session.state, session.times
    if times.sample_due(state.step, state.seconds):
        session.render_samples()
        times.samples.mark(state.seconds)
    if times.exports.due(state.seconds):
        session.export()
        times.exports.mark(state.seconds)
    if times.heartbeats.due(state.seconds):
        session.report()
        times.heartbeats.mark(state.seconds)
