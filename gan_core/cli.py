"""The command line: train, resume, branch, stop, doctor, sample, score, runs, datasets, presets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_core.config import BUDGET, TrainConfig
from gan_core.errors import ConfigError, GanError, JobError, RunError
from gan_core.flags import command_line, given, parsed
from gan_core.messages import render

if TYPE_CHECKING:  # torch takes seconds
    from gan_core.runs import RunPaths
    from gan_core.terminal import Begin
    from gan_core.training.distributed import DistributedContext


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 2 bad input (one sentence on standard error)."""
    try:
        arguments = parsed(list(sys.argv[1:] if argv is None else argv), COMMANDS)
        command: Callable[[argparse.Namespace], None] = arguments.command
        command(arguments)
    except GanError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before training began, or a second time: what it has to save is saved
        print("Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output left, as in `... | head`
        sys.stderr.close()
    return 0


def train(arguments: argparse.Namespace) -> None:
    """Train a new run."""
    from gan_core import catalog, presets
    from gan_core.runs import create_run
    from gan_core.training.warm_start import weights_at

    def begin(distributed: DistributedContext) -> tuple[TrainConfig, Path]:
        config = catalog.check(presets.settings(arguments.preset, given(arguments)))
        distributed.check(config.batch)
        _check_here(config)
        if config.start_from:
            weights_at(Path(config.start_from))
        _warn(config)
        return config, create_run(arguments.runs, config, arguments.preset).path

    _run_in_terminal(begin, resume=False, quiet=arguments.quiet)


def _check_here(config: TrainConfig) -> None:
    """Whether the pictures and the device are here: asked before there is a run that could only fail.

    Raises:
        DataError, ConfigError: they are not.
    """
    from gan_core.data import require
    from gan_core.devices import choose_device

    require(config.dataset, config.data_root)
    choose_device(config.device)


def _warn(config: TrainConfig) -> None:
    """Say what does not go together, though it can run."""
    from gan_core import rules

    for warning in rules.warnings(config):
        print(f"Note: {warning}", file=sys.stderr)


def resume(arguments: argparse.Namespace) -> None:
    """Go on with a run from its newest checkpoint, to a new budget or device where one is named."""
    from gan_core import catalog
    from gan_core.runs import ACTIVE, read_settings
    from gan_core.runs.branch import rewrite_settings, run_at, settings_between
    from gan_core.runs.lock import only_writer
    from gan_core.runs.reader import checkpoint_steps, is_lost, passed_over, status_as_written

    def begin(distributed: DistributedContext) -> tuple[TrainConfig, Path]:
        run = run_at(arguments.run)
        status = status_as_written(run)
        if status.state in ACTIVE and not is_lost(status, patience=0.0):  # a killed one may go on at once
            raise RunError("run-busy", run=run.id, state=status.state)
        for told in passed_over(run):
            print(f"Note: {told}", file=sys.stderr)
        changes, (_, old) = given(arguments), read_settings(run)
        config = catalog.check(settings_between(changes, old) if changes else old)
        distributed.check(config.batch)
        renewed = any(getattr(config, name) != getattr(old, name) for name in BUDGET)
        if status.state == "finished" or renewed:  # else its end is not yet written
            _check_budget(run, checkpoint_steps(run)[-1:], config)
        _check_here(config)
        if changes:
            with only_writer(run):
                rewrite_settings(run, config)
        return config, run.path

    _run_in_terminal(begin, resume=True, quiet=arguments.quiet)


def branch(arguments: argparse.Namespace) -> None:
    """Train a new run that begins at a checkpoint of another."""
    from gan_core import catalog
    from gan_core.runs import branch as branch_off
    from gan_core.runs import read_settings
    from gan_core.runs.branch import run_at, settings_between
    from gan_core.runs.reader import checkpoint_steps

    def begin(distributed: DistributedContext) -> tuple[TrainConfig, Path]:
        parent = run_at(arguments.run)
        preset, old = read_settings(parent)
        new = catalog.check(settings_between(given(arguments), old))
        distributed.check(new.batch)
        _check_budget(parent, {arguments.at} & set(checkpoint_steps(parent)), new)
        _check_here(new)
        _warn(new)
        return new, branch_off(parent, arguments.at, old, new, preset).path

    _run_in_terminal(begin, resume=True, quiet=arguments.quiet)


def _check_budget(run: RunPaths, steps: Iterable[int], config: TrainConfig) -> None:
    """Whether `config` leaves something to train after the checkpoints of `steps`.

    Raises:
        RunError: it does not.
    """
    from gan_core.training.schedule import progress
    from gan_core.training.snapshot import read_counters

    for step in steps:
        done = read_counters(run.checkpoint(step))
        if progress(config, step, done["images"], done["seconds"]) >= 1:
            raise RunError("run-spent", run=run.id, step=step)


def _run_in_terminal(begin: Begin, *, resume: bool, quiet: bool) -> None:
    from gan_core.terminal import run_in_terminal

    if path := run_in_terminal(begin, resume=resume, quiet=quiet):
        print(path)


def sample(arguments: argparse.Namespace) -> None:
    """Draw pictures into a .png grid or an .npz with `images` uint8 (N, H, W, C) and `labels`."""
    from gan_core.files import replacing
    from gan_core.images import png, preview
    from gan_core.sampling import Sampler

    import numpy as np  # isort: skip

    out: Path = arguments.out
    if out.suffix not in (".png", ".npz"):
        raise ConfigError("out-ending", field="out", path=out)
    sampler = Sampler.load(arguments.source, arguments.best)
    sampler.check_label(arguments.label)
    images, labels = sampler.sample(arguments.n, arguments.seed, arguments.label)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as scratch, scratch.open("wb") as stream:
            if out.suffix == ".png":
                stream.write(png(preview(images, sampler.model.kind, min(10, arguments.n))))
            else:
                arrays: dict[str, Any] = {} if labels is None else {"labels": labels}
                np.savez_compressed(stream, images=images.transpose(0, 2, 3, 1), **arrays)
    except OSError as error:
        raise GanError("file-write", path=out, reason=error.strerror or error) from error
    print(f"{len(images)} pictures in {out}")


def score(arguments: argparse.Namespace) -> None:
    """Print the quality figures of a generator."""
    from gan_core.runs import RunPaths
    from gan_core.sampling import Sampler
    from gan_core.scoring import classes_found, score_generator

    values = score_generator(
        Sampler.load(arguments.source, arguments.best), count=arguments.n, seed=arguments.seed,
        dataset=arguments.dataset or "", root=arguments.data_root,
    )  # fmt: skip
    if not arguments.dataset:
        values |= classes_found(RunPaths(arguments.source), arguments.data_root, arguments.best)
    for name, value in values.items():
        print(f"{name:<20} {value:.5g}")


def runs(arguments: argparse.Namespace) -> None:
    """List the runs in a folder, newest first."""
    from gan_core.runs import list_runs

    folder: Path = arguments.runs
    if not folder.is_dir():
        raise RunError("runs-missing", folder=folder)
    statuses = list_runs(folder)
    if not statuses:
        print(f"There is no run in {folder} yet.", file=sys.stderr)
    for status in statuses:
        speed = f"{status.images_per_second:>6.0f} images/s"
        figures = f"step {status.step:>7}  {status.seconds:>7.1f} s  {speed}"
        print(f"{status.id:<48} {status.state:<9} {figures}  {status.message}".rstrip())


def stop(arguments: argparse.Namespace) -> None:
    """Ask a run to end; whoever has its files may."""
    from gan_core.runs import ACTIVE, control, read_status
    from gan_core.runs.branch import run_at

    run = run_at(arguments.run)
    status = read_status(run)
    if status.state not in ACTIVE:
        raise JobError("job-stop", run=run.id, state=status.state)
    control.send(run, "stop")


def doctor(arguments: argparse.Namespace) -> None:
    """Say what ails a run, from when on, and what to change; or print all verdicts as JSON lines."""
    from gan_core.data import DATASETS
    from gan_core.doctor import diagnose
    from gan_core.remedies import remedy_for
    from gan_core.runs import read_settings
    from gan_core.runs.branch import run_at
    from gan_core.runs.history import history
    from gan_core.runs.reader import read_verdicts

    run = run_at(arguments.run)
    preset, config = read_settings(run)
    ended = [verdict for verdict in read_verdicts(run)[-1:] if verdict.kind == "diverged"]
    classes = DATASETS[config.dataset].classes if config.dataset in DATASETS else ()
    verdicts = [*diagnose(history(run), config, classes), *ended]
    for verdict in verdicts:
        if arguments.json:
            print(json.dumps(asdict(verdict)))
        else:
            print(f"step {verdict.step:>7}  {render(verdict.messages)}")
    if arguments.json:
        return
    if not verdicts:
        raise RunError("run-no-looks", run=run.id)
    print(f"\n{verdicts[-1].why}")
    if changes := remedy_for(verdicts[-1].kind, config):
        print(f"\nTry: {command_line(preset, replace(config, **changes))}")


def datasets(arguments: argparse.Namespace) -> None:
    """List the data sets and whether they are here, or download one."""
    from gan_core.catalog import check_name
    from gan_core.data import DATASETS, available, load

    if arguments.download:
        name = check_name("datasets", arguments.download)
        pictures = load(name, root=arguments.data_root, download=True)
        print(f"{name}: {len(pictures.images)} pictures are ready.")
        return
    for name, source in DATASETS.items():
        here = "ready" if available(name, arguments.data_root) else f"--download {name}"
        print(f"{name:<14} {here:<26} {source.summary}")


def presets(arguments: argparse.Namespace) -> None:
    """List the presets, those that fail on purpose with a healthy one beside them."""
    from gan_core.presets import PRESETS

    widest = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        beside = f" Hold beside it: {preset.cure}." if preset.cure else ""
        print(f"{name:<{widest}} {preset.summary}{beside}")


_ALL = (train, resume, branch, stop, doctor, sample, score, runs, datasets, presets)
COMMANDS = {run.__name__: run for run in _ALL}
