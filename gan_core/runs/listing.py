"""What lies in a run's folders by the names that it gives, and what of that is whole. Needs no torch."""

from __future__ import annotations

import os
import re
from pathlib import Path

from gan_core import safe_read
from gan_core.errors import RunError
from gan_core.runs.layout import RunPaths


def numbered(run: RunPaths, folder: Path, ending: str = "") -> list[int]:
    """Steps that have something called step-NUMBER`ending` in a folder of the run, in order."""
    if not safe_read.is_inside(folder, run.path.parent):
        return []
    try:
        found = [re.fullmatch(rf"step-(\d{{1,18}}){re.escape(ending)}", p.name) for p in folder.iterdir()]
    except OSError:
        return []
    return sorted(int(match[1]) for match in found if match)


def is_whole(run: RunPaths, step: int) -> bool:
    """Whether the checkpoint of `step` has all that was written into it, told without reading it all.

    What a power cut left is a folder without files, files without contents, or tensors cut short.
    """
    try:
        paths = list(run.checkpoint(step).iterdir())
        for path in paths:
            with safe_read.open_regular(path, run.path.parent) as stream:
                if path.suffix == ".safetensors":
                    safe_read.read_layout(stream)
                elif not stream.read(1):
                    return False
    except (OSError, ValueError):
        return False
    return bool(paths)


def check_places(run: RunPaths) -> None:
    """Whether all that a run's process writes lies in its own folder: one from a stranger may hold links.

    Raises:
        RunError: a file or folder is a link or no regular file.
    """
    folders = run.samples, run.checkpoints
    for path in (run.lock, run.log, run.reserve, run.metrics, run.scores, run.verdicts, *folders):
        folder = path in folders
        if path.is_symlink() or (os.path.lexists(path) and not (path.is_dir() if folder else path.is_file())):
            reason = safe_read.OUTSIDE if path.is_symlink() else safe_read.IRREGULAR
            raise RunError("run-unreadable", run=run.id, file=path.name, reason=reason)
