"""What a folder of runs may fill, and what goes first.

Only visitors' runs are counted and removed: one that was started on the command line, and so has no owner,
stays until somebody deletes it, and an active one stays whatever it fills. Of the others go first those that
left no generator (stopped or failed), then the stopped and failed ones, then the finished ones; of each kind
the oldest.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from pathlib import Path

from gan_core.errors import RunError
from gan_core.runs.layout import RunPaths, run_paths
from gan_core.runs.lock import only_writer
from gan_core.runs.reader import glance, read_owner, status_as_written
from gan_core.runs.retention import MEGABYTE
from gan_core.runs.status import ACTIVE, Status

GRAVE_SECONDS = 3600.0  # after which what a kill left half removed or half made is nobody's work any more


def trim(root: Path, most_runs: int = 0, most_megabytes: float = 0.0) -> list[str]:
    """Remove visitors' runs until what is left is within both limits (0: none). Returns the ids removed."""
    _sweep(root)
    visitors = [glance(run) for run in run_paths(root) if read_owner(run)]
    sizes = {one.id: size(RunPaths(root / one.id)) if most_megabytes else 0 for one in visitors}
    count, filled = len(visitors), sum(sizes.values())
    removed: list[str] = []
    for status in sorted((s for s in visitors if s.state not in ACTIVE), key=lambda s: _rank(root, s)):
        too_many = most_runs and count > most_runs
        too_much = most_megabytes and filled > most_megabytes * MEGABYTE
        if not (too_many or too_much):
            break
        if remove(RunPaths(root / status.id)):
            removed.append(status.id)
            count, filled = count - 1, filled - sizes[status.id]
    return removed


def remove(run: RunPaths) -> bool:
    """Delete a run that is over, so that no kill leaves half of it under its name; whether it was."""
    grave = run.path.with_name(f".{run.id}.{secrets.token_hex(4)}.part")
    with contextlib.suppress(RunError, OSError), only_writer(run):
        if glance(run, status_as_written).state in ACTIVE:
            return False
        run.path.replace(grave)
    shutil.rmtree(grave, ignore_errors=True)
    return not run.path.exists()


def size(run: RunPaths) -> int:
    """Bytes of all files of a run."""
    total = 0
    for path in run.path.rglob("*"):
        with contextlib.suppress(OSError):
            about = path.lstat()
            total += about.st_size
    return total


def _rank(root: Path, status: Status) -> tuple[int, float, str]:
    """What goes first."""
    run = RunPaths(root / status.id)
    kept = run.generator.is_file() or run.best.is_file()
    kind = 2 if status.state == "finished" else int(kept)
    return kind, status.created, status.id


def _sweep(root: Path) -> None:
    for grave in root.glob(".*.part"):
        with contextlib.suppress(OSError):
            if grave.is_dir() and time.time() - grave.stat().st_mtime > GRAVE_SECONDS:
                shutil.rmtree(grave, ignore_errors=True)
