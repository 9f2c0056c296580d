"""What a run is asked to do, by one small file that is replaced whole.

    run    train                       pause  stand still until told otherwise
    stop   finish cleanly              wait   stand still, and go on when it is the run's turn

`wait` is a paused run whose "continue" was pressed while another trains; the scheduler turns it to `run`.
Either is parked after a while: the process saves and ends, which frees its memory, and the run stays paused.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace

from gan_core import files, safe_read
from gan_core.errors import RunError
from gan_core.runs.layout import RunPaths

ORDER_MOST = 1 << 12  # bytes
COMMANDS = ("run", "pause", "wait", "stop")


@dataclass(frozen=True, slots=True)
class Order:
    """The last command, when it was given (unix seconds; 0: none was), and whether a run that stands still
    is to be parked."""

    command: str = "run"
    time: float = 0.0
    park: bool = False


def send(run: RunPaths, command: str) -> None:
    """Ask `run` to do `command`, one of `COMMANDS`.

    Raises:
        RunError: when it cannot be written.
    """
    if command not in COMMANDS:
        raise ValueError(f"{command!r} is none of {', '.join(COMMANDS)}")
    _write(run, Order(command, time.time()))


def park(run: RunPaths, order: Order) -> None:
    """Ask `run`, which stands still by this `order`, to save and to end its process.

    Raises:
        RunError: when it cannot be written.
    """
    _write(run, replace(order, park=True))


def _write(run: RunPaths, order: Order) -> None:
    try:
        files.write_json(run.control, asdict(order), durable=True)
    except OSError as error:
        reason = error.strerror or error
        raise RunError("run-order", run=run.id, command=order.command, reason=reason) from error


def read(run: RunPaths) -> Order | None:
    """The order given to `run`, the default one where there is none, None where it cannot be read."""
    try:
        order = safe_read.parse_json(safe_read.read_bytes(run.control, ORDER_MOST, run.path.parent))
        command, when = order["command"], float(order["time"])
    except FileNotFoundError:
        return Order()
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        return None
    fits = command in COMMANDS and math.isfinite(when)
    return Order(command, when, order.get("park") is True) if fits else None


def in_force(run: RunPaths) -> Order:
    """The order given to `run`; one that cannot be read is taken as "pause": it begins nothing by itself."""
    return read(run) or Order("pause")
