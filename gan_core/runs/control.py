"""What a run is asked to do, by one small file that is replaced whole.

    run    train                       pause  stand still until told otherwise
    stop   finish cleanly              wait   stand still, and go on when it is the run's turn

`wait` is a paused run whose "continue" was pressed while another trains; the scheduler turns it to `run`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from gan_core import files, safe_read
from gan_core.errors import RunError
from gan_core.runs.layout import RunPaths

ORDER_MOST = 1 << 12  # bytes
COMMANDS = ("run", "pause", "wait", "stop")


@dataclass(frozen=True, slots=True)
class Order:
    """The last command and when it was given (unix seconds; 0: none was)."""

    command: str = "run"
    time: float = 0.0


def send(run: RunPaths, command: str) -> None:
    """Ask `run` to do `command`, one of `COMMANDS`.

    Raises:
        RunError: when it cannot be written.
    """
    if command not in COMMANDS:
        raise ValueError(f"{command!r} is none of {', '.join(COMMANDS)}")
    try:
        files.write_json(run.control, {"command": command, "time": time.time()})
    except OSError as error:
        reason = error.strerror or error
        raise RunError("run-order", run=run.id, command=command, reason=reason) from error


def read(run: RunPaths) -> Order | None:
    """The order given to `run`, the default one where there is none, None where it cannot be read."""
    try:
        order = safe_read.parse_json(safe_read.read_bytes(run.control, ORDER_MOST, run.path.parent))
        command, when = order["command"], float(order["time"])
    except FileNotFoundError:
        return Order()
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        return None
    return Order(command, when) if command in COMMANDS and math.isfinite(when) else None
