"""One writer a run: whoever writes its files holds its lock. The system lets go for one that dies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from filelock import FileLock, Timeout

from gan_core.errors import RunError
from gan_core.runs.layout import RunPaths, exists
from gan_core.runs.listing import check_places
from gan_core.runs.reader import Status, status_as_written

HAND_OVER = 2.0  # seconds that a trainer waits for who began it to let go


@contextlib.contextmanager
def only_writer(run: RunPaths, patience: float = 0.0) -> Iterator[None]:
    """Be the only one that writes `run`; another one may take `patience` seconds to let go of it.

    Raises:
        RunError: another process has it, there is no such run, its folder cannot be written, or holds links.
    """
    if not exists(run):  # the lock would make the folder anew
        raise RunError("run-unknown", name=run.id)
    check_places(run)  # the lock would empty a file elsewhere that it is a link to
    lock = FileLock(run.lock, timeout=patience, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError("run-locked", run=run.id) from error
    except OSError as error:
        raise RunError("run-write", run=run.id, reason=error.strerror or error) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def between_writers(run: RunPaths, patience: float = 0.0) -> Iterator[Status | None]:
    """Be its only writer for a moment: gives the status as it is now, None while another one writes it.

    Raises:
        RunError: it cannot be read, or its folder not be written.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(only_writer(run, patience))
        except RunError as error:
            if error.code != "run-locked":
                raise
            yield None
            return
        yield status_as_written(run)
