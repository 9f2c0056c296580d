"""What a kill left half made or half removed in a run's folder, and how to remove so that none is left."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from pathlib import Path

from gan_core.runs.layout import RunPaths


def put_back(run: RunPaths) -> None:
    """Give a checkpoint that was set aside its name again where a kill left no new one in its place.

    Only for whoever trains the run, or while nobody does.
    """
    if run.checkpoints.is_symlink():  # to folders that are not this run's
        return
    for former in run.checkpoints.glob(aside(Path("*")).name):
        path = former.with_name(former.stem.removeprefix("."))
        with contextlib.suppress(OSError):
            discard(former) if path.exists() else former.replace(path)


def aside(path: Path) -> Path:
    """Where a checkpoint stands, whole, until the new one of its step has its name."""
    return path.with_name(f".{path.name}.aside")


def discard(path: Path) -> None:
    """Remove a directory so that no kill leaves half of it under its own name."""
    if path.exists():
        trash = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        path.replace(trash)
        shutil.rmtree(trash, ignore_errors=True)


def sweep(run: RunPaths) -> None:
    """Remove what a killed writer left half made; orders under way to the run are not this writer's."""
    put_back(run)
    for folder in (run.path, run.samples, run.checkpoints):
        for scratch in folder.glob(".*.part"):
            if scratch.is_dir():
                shutil.rmtree(scratch, ignore_errors=True)
            elif not scratch.name.startswith(f".{run.control.name}"):
                scratch.unlink(missing_ok=True)
