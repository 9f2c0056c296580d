"""The process that trains one run: `python -m gan_core.worker`, told its run by one line on its input.

It imports torch first and waits, so that training begins at once when somebody presses Start. When its
input ends without a line (the server is gone) it ends as well; once it trains, nothing but the run's
control file concerns it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gan_core.errors import GanError
from gan_core.memory_limit import is_out_of_memory, limit_memory
from gan_core.messages import Message
from gan_core.runs.layout import RunPaths
from gan_core.runs.reader import ACTIVE, checkpoint_steps, last_checkpoint, read_settings, status_as_written
from gan_core.runs.writer import amend_status


def main() -> int:
    """Warm up, wait for a run, train it. Returns the exit code."""
    _step_back()
    from gan_core.catalog import check
    from gan_core.training import train, warm_up  # seconds of importing, before there is anything to do

    warm_up()

    line = sys.stdin.readline()
    if not line.strip():
        return 0
    told = json.loads(line)
    run = RunPaths(Path(told["run"]))
    _speak_into(run.log)
    if most := told.get("memory", 0):
        limit_memory(most)
    return work(run, lambda config, run, resume: train(check(config), run, resume=resume))


def work(run: RunPaths, train: Callable[..., Iterable[Any]]) -> int:
    """Train `run`, from its last checkpoint if it has one; whatever goes wrong stands in its status."""
    try:
        _, config = read_settings(run)
        for _ in train(config, run, resume=bool(checkpoint_steps(run))):
            pass
    except GanError as error:
        if error.code != "run-locked":  # else it is another process's
            _fail(run, *error.messages)
        return 1
    except BaseException as error:
        traceback.print_exc()
        crash = Message("training-crashed", reason=type(error).__name__)
        _fail(run, Message("out-of-memory") if is_out_of_memory(error) else crash, last_checkpoint(run))
        return 1
    return 0


def _fail(run: RunPaths, *messages: Message) -> None:
    """Mark the run as failed, unless training itself has already said how it ended."""
    if status_as_written(run).state in ACTIVE:
        amend_status(run, state="failed", messages=messages)


def _step_back() -> None:
    """Take the lowest priority, so that the page stays quick. (On Windows the parent asks for it.)

    Linux may weigh whole sessions against each other, and this process has its own, where its priority means
    nothing: the session steps back as well, a tenth to one, so that a busy machine does not starve it.
    """
    if hasattr(os, "nice"):
        os.nice(19)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("10")


def _speak_into(log: Path) -> None:
    """Send all that this process says, a crash in foreign code included, to the run's log.

    Not to one that is a link or a pipe: the run is refused for it a moment later.
    """
    if log.is_symlink() or (log.exists() and not log.is_file()):
        return
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    faulthandler.enable()


if __name__ == "__main__":
    sys.exit(main())
