"""What a folder of runs may fill, and what goes first.

Only visitors' runs are counted and removed: one that was started on the command line, and so has no owner,
stays until somebody deletes it, and an active one stays whatever it fills. Of the others go first those that
left no generator (stopped or failed), then the stopped and failed ones, then the finished ones and those that
were paused and have no process any more; of each kind the oldest.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from pathlib import Path

from gan_core.errors import RunError
from gan_core.runs import control
from gan_core.runs.layout import RunPaths, run_paths
from gan_core.runs.lock import only_writer
from gan_core.runs.reader import glance, read_owner, status_as_written
from gan_core.runs.retention import MEGABYTE
from gan_core.runs.status import ACTIVE, Status


def trim(root: Path, most_runs: int = 0, most_megabytes: float = 0.0) -> list[str]:
    """Remove visitors' runs until what is left is within both limits (0: none). Returns the ids removed."""
    visitors = [glance(run) for run in run_paths(root) if read_owner(run)]
    sizes = {one.id: size(RunPaths(root / one.id)) if most_megabytes else 0 for one in visitors}
    count, filled = len(visitors), sum(sizes.values())
    removed: list[str] = []
    going = [status for status in visitors if _may_go(RunPaths(root / status.id), status)]
    for status in sorted(going, key=lambda s: _rank(root, s)):
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
    trash = run.path.with_name(f".{run.id}.{secrets.token_hex(4)}.part")
    with contextlib.suppress(RunError, OSError), only_writer(run):
        if not _may_go(run, glance(run, status_as_written)):
            return False
        run.path.replace(trash)
    shutil.rmtree(trash, ignore_errors=True)
    return not run.path.exists()


def size(run: RunPaths) -> int:
    """Bytes of all files of a run."""
    total = 0
    for path in run.path.rglob("*"):
        with contextlib.suppress(OSError):
            about = path.lstat()
            total += about.st_size
    return total


def _may_go(run: RunPaths, status: Status) -> bool:
    """Whether nobody trains it nor is about to: it is over, or was paused and not told to go on since."""
    left_alone = status.parked and control.in_force(run).command == "pause"
    return status.state not in ACTIVE or left_alone


def _rank(root: Path, status: Status) -> tuple[int, float, str]:
    """What goes first."""
    run = RunPaths(root / status.id)
    kept = run.generator.is_file() or run.best.is_file()
    kind = 2 if status.state in ("finished", "paused") else int(kept)
    return kind, status.created, status.id
