"""What a folder of runs may fill, and what goes first.

Only visitors' runs are counted and removed: one that was started on the command line, and so has no owner,
stays until somebody deletes it, and an active one stays whatever it fills. Of the others go first those that
left no generator (stopped or failed), then the stopped and failed ones, then the finished ones and those that
were paused and have no process any more; of each kind those of whoever has most runs here, the oldest first:
one visitor's crowd makes room for itself.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections import Counter
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
    owners = {run.id: owner for run in run_paths(root) if (owner := read_owner(run))}
    sizes = {id: size(RunPaths(root / id)) if most_megabytes else 0 for id in owners}
    ranks = {
        id: _rank(run, status) for id in owners if _may_go(run := RunPaths(root / id), status := glance(run))
    }
    removed: list[str] = []
    while ranks and (
        0 < most_runs < len(owners) or 0 < most_megabytes * MEGABYTE < sum(sizes[id] for id in owners)
    ):
        count = Counter(owners.values())
        first = min(ranks, key=lambda id: (ranks[id][0], -count[owners[id]], *ranks[id][1:]))
        del ranks[first]
        if remove(RunPaths(root / first)):
            removed.append(first)
            del owners[first]
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


def _rank(run: RunPaths, status: Status) -> tuple[int, float, str]:
    """What goes first: its kind, when it was made, its id."""
    kept = run.generator.is_file() or run.best.is_file()
    kind = 2 if status.state in ("finished", "paused") else int(kept)
    return kind, status.created, status.id
