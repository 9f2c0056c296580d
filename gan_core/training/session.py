"""A run under way: what is opened before the first step and saved after the last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gan_core.checkpoints import export_generator
from gan_core.config import BUDGET, ModelConfig, TrainConfig
from gan_core.data import DATASETS
from gan_core.doctor import Doctor
from gan_core.errors import ConfigError, RunError
from gan_core.messages import Message
from gan_core.rules import refusals
from gan_core.runs import RunPaths, RunWriter
from gan_core.runs.reader import checkpoint_steps, passed_over
from gan_core.sampling import Sampler
from gan_core.seeds import VERSION, stream_seed
from gan_core.training.batch_sampler import BatchSampler
from gan_core.training.compute import ComputeConfig, choose_compute, keep_memory, restore_compute
from gan_core.training.controllers import Controllers, batch_at
from gan_core.training.distributed import SINGLE_PROCESS, DistributedContext
from gan_core.training.evaluator import PeriodicEvaluator
from gan_core.training.grid_evaluator import GridEvaluator
from gan_core.training.iteration import train_iteration
from gan_core.training.objective import objective_of
from gan_core.training.record import SampleGrid
from gan_core.training.schedule import Schedule, Stopwatch, progress, schedule_of
from gan_core.training.setup import batch_sampler_of, chosen, doctor_of, model_config
from gan_core.training.snapshot import load_state, read_counters, save_state
from gan_core.training.state import State, build_state
from gan_core.training.step import Objective
from gan_core.training.warm_start import warm_start


@dataclass(slots=True)
class Session:
    """A run under way: everything chosen, built and opened."""

    config: TrainConfig
    model: ModelConfig
    writer: RunWriter
    batch_sampler: BatchSampler
    state: State
    objective: Objective
    controllers: Controllers
    sampler: Sampler  # of the EMA of the generator
    sample_grid: SampleGrid
    times: Schedule
    watch: Stopwatch
    evaluator: PeriodicEvaluator
    grid_evaluator: GridEvaluator
    doctor: Doctor
    marked: tuple[int, float] = (0, 0.0)  # images and seconds when `speed` was last asked
    saved: int | None = None  # the step that was saved, or loaded, last
    first_nonfinite: str | None = None  # what was not finite when the state was to be saved
    parked: bool = False  # it ends, and the run stays paused

    @property
    def progress(self) -> float:
        """Share of the budget used, 0 to 1 and beyond."""
        state = self.state
        return progress(self.config, state.step, state.images_seen, state.seconds)

    @property
    def batch(self) -> int:
        """Pictures in the next step."""
        return batch_at(self.config, self.progress)

    def speed(self) -> float:
        """Images a second since this was last asked."""
        (images, seconds), state = self.marked, self.state
        self.marked = state.images_seen, state.seconds
        return (state.images_seen - images) / max(state.seconds - seconds, 1e-9)

    def report(self, **changes: object) -> None:
        """Write how far the run is, and `changes`, into its status."""
        state = self.state
        self.writer.update(
            step=state.step, images=state.images_seen, seconds=round(state.seconds, 3),
            images_per_second=round(state.images_seen / max(state.seconds, 1e-9), 1), **changes,
        )  # fmt: skip

    def render_samples(self, last: bool = False) -> None:
        """Write the sample grid of this step, and now and then what it shows as numbers."""
        state, grid = self.state, self.sample_grid
        if not state.distributed.is_main:
            return
        samples = grid.draw(self.sampler)
        self.writer.sample(state.step, grid.encode(samples))
        if last or self.grid_evaluator.due(state.seconds):
            labels = None if grid.labels is None else grid.labels.numpy()
            if row := self.grid_evaluator.measure(samples, labels, state):
                self.writer.score(row)
                self.attend(row)

    def attend(self, record: Mapping[str, Any]) -> None:
        """Let the doctor see a record; what is now to be said of the run goes to its verdicts."""
        if self.state.distributed.is_main and (verdict := self.doctor.add(record)):
            self.writer.verdict(verdict)

    def export(self, best: bool = False, last: bool = False) -> None:
        """Write the EMA of the generator, for whoever explores it, unless it diverged; or as the `best`."""
        if not self._worth_keeping():
            return
        state, config, source = self.state, self.config, DATASETS[self.config.dataset]
        info = {
            "dataset": config.dataset, "class_names": list(source.classes) if config.conditional else [],
            "step": state.step, "images": state.images_seen, "seconds": round(state.seconds, 1),
            "seed": config.seed, "run": self.writer.run.id, "licence": source.licence,
        }  # fmt: skip
        self.writer.generator(lambda path: export_generator(path, state.ema, self.model, info), best, last)

    def score(self) -> None:
        """Measure how good the generator is; the best so far is kept, and the whole state it came from."""
        row = self.evaluator.measure(self.state, self.sampler) if self._worth_keeping() else None
        if row is None:
            return
        if row["best"]:  # the row comes last: what it calls the best is there
            self.save()
            self.export(best=True)
        self.writer.score(row)
        self.attend(row)

    def save(self) -> None:
        """Write a checkpoint of the whole state, once a step; one that diverged leaves the last good one."""
        if self.saved == self.state.step or not self.state.distributed.is_main:
            return
        self.first_nonfinite = self.state.first_nonfinite()
        if self.first_nonfinite is not None:
            return
        state, numbers = self.state, self.controllers.state_dict()
        self.writer.checkpoint(
            state.step, lambda folder: save_state(state, folder, numbers), self.config.disk_mb
        )
        self.saved = state.step

    def _worth_keeping(self) -> bool:
        return self.state.distributed.is_main and self.state.is_finite()

    def close(self) -> None:
        """The last grid, generator, checkpoint and figures; of a finished run that has scores, one more."""
        self.render_samples(last=True)
        self.export(last=True)
        self.save()
        if self.evaluator.begun and self.progress >= 1:
            self.score()
        self.report()


def open_session(
    config: TrainConfig, writer: RunWriter, resume: bool, distributed: DistributedContext = SINGLE_PROCESS
) -> Session:
    """Read the pictures, build or restore the state, show the first grid, choose how to compute."""
    _check_shares(config, distributed)
    writer.update(state="running", budget={name: getattr(config, name) for name in sorted(BUDGET)})
    keep_memory()
    model = model_config(config)
    pictures = chosen(config)
    sample_grid = SampleGrid(model, config.seed)
    folder = distributed.broadcast_object(lambda: newest_checkpoint(writer.run)) if resume else None
    lost = _tell(writer, resume, lambda: sample_grid.real(pictures.images, pictures.labels))
    if folder is None:
        state = build_state(config, model, ComputeConfig())
        if config.start_from:
            writer.log(warm_start(state, config.start_from))
        if distributed.is_main:  # the first grid is on the page while the machine is still being measured
            writer.sample(0, sample_grid.render(Sampler(state.ema, model)))
        state.to(distributed.broadcast_object(lambda: _fastest(config, writer, distributed)))
    else:
        saved = read_counters(folder)
        compute = restore_compute(saved["compute"], config)
        told = [*lost, *_elsewhere(saved["compute"], compute), *_reseeded(saved)]
        writer.log(Message("log-resumed", file=folder.name), *told)
        state = build_state(config, model, compute)
    state.compute.use_threads()
    torch.manual_seed(stream_seed(config.seed, "training"))  # of dropout, augmentation and penalties
    objective, controllers = objective_of(config)
    if folder is not None:
        controllers.load_state_dict(load_state(state, folder))
        writer.drop_damaged()  # not before: a run that cannot go on loses nothing
    writer.back_to(state.step)
    state.distributed = distributed
    distributed.broadcast_parameters(state.G, state.D, state.ema)
    if distributed.world_size > 1:
        objective = replace(objective, average_gradients=distributed.average_gradients)
    times = schedule_of(config)
    times.begin(state.seconds)
    seen, doctor = pictures if distributed.is_main else None, doctor_of(config, writer, distributed.is_main)
    session = Session(
        config=config, model=model, writer=writer, state=state, objective=objective, controllers=controllers,
        batch_sampler=batch_sampler_of(config, pictures, state.compute), sampler=Sampler(state.ema, model),
        sample_grid=sample_grid, times=times, evaluator=PeriodicEvaluator(config, writer, state.seconds),
        grid_evaluator=GridEvaluator(config, seen, writer, state.seconds), doctor=doctor,
        watch=Stopwatch(state.seconds),  # last: what was opened is no training
        marked=(state.images_seen, state.seconds), saved=None if folder is None else state.step,
    )  # fmt: skip
    if distributed.world_size > 1 and folder is None:
        session.save()  # the more processes, the likelier that one is lost: there is a way back at once
    return session


def _tell(writer: RunWriter, resume: bool, real: Callable[[], bytes]) -> list[Message]:
    """Write what a page shows from the first moment on: real pictures, checkpoints passed over (given)."""
    if lost := passed_over(writer.run) if resume else []:
        writer.update(messages=lost)
    path = writer.run.real
    if not (path.is_file() and path.stat().st_size):
        writer.real(real())
    return lost


def _elsewhere(saved: ComputeConfig, compute: ComputeConfig) -> list[Message]:
    """What it means for a run that it continues on another kind of device; nothing where it does not."""
    if saved.device == compute.device:
        return []
    return [Message("log-other-device", before=saved.device, now=compute.device)]


def _reseeded(saved: Mapping[str, Any]) -> list[Message]:
    """What it means for a run that it was begun when its seeds were chosen otherwise; nothing else."""
    return [] if saved["streams"] == VERSION else [Message("log-reseeded")]


def _check_shares(config: TrainConfig, distributed: DistributedContext) -> None:
    """Whether each process can train on its share of a batch: packs and groups must divide it too.

    Raises:
        ConfigError: it cannot.
    """
    distributed.check(config.batch)
    if refused := refusals(replace(config, batch=config.batch // distributed.world_size)):
        raise ConfigError.of(refused)


def _fastest(config: TrainConfig, writer: RunWriter, distributed: DistributedContext) -> ComputeConfig:
    """The fastest way to compute this process's share of a batch, its reason in the log."""
    shared = replace(config, batch=config.batch // distributed.world_size)
    compute, reason = choose_compute(
        shared, lambda candidate: trial(shared, candidate), distributed.local_world_size
    )
    writer.log(reason)
    return compute


def trial(config: TrainConfig, compute: ComputeConfig) -> Callable[..., object]:
    """A function that takes one training iteration, by its number, on scratch networks and random pictures.

    Iteration -1, which it takes unasked, has the fewest lazy penalties, as most have; iteration 0 the most.
    """
    model = model_config(config)
    state, (objective, controllers) = build_state(config, model, compute), objective_of(config)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (config.batch, model.channels, model.size, model.size), dtype=np.uint8)
    labels = np.arange(config.batch) % model.classes if model.classes else None
    batch_sampler = BatchSampler(pixels, labels, seed=0, device=compute.device, layout=compute.layout)

    def step(number: int = -1) -> None:
        state.step = number
        train_iteration(state, batch_sampler, config, objective, controllers, config.batch)

    return step


def warm_up() -> None:
    """One step on scratch networks: the first one loads parts of torch for a second or two."""
    keep_memory()
    trial(TrainConfig(seconds=1.0), ComputeConfig())()


def newest_checkpoint(run: RunPaths) -> Path:
    """The newest checkpoint that is whole.

    Raises:
        RunError: there is none.
    """
    steps = checkpoint_steps(run)
    if not steps:
        raise RunError("run-no-checkpoint", *passed_over(run), run=run.id)
    return run.checkpoint(steps[-1])
