"""What every open page asks while a run trains: one reader a run, one cached answer for all who watch.

    GET /studio/live?run=ID&rev=N[&charts=1]   JSON with a revision; 204 when N is still the newest
    GET /studio/sample?run=ID&step=N&v=M       one sample grid (WebP); M: how often the run has gone back
    GET /studio/real?run=ID                    real pictures in the same layout (WebP, never changes)

The metrics file is read once, onwards from the byte where the last look ended, whoever asks and however many.
Charts are in an answer only when they changed since the revision that the page has.
"""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gan_core.errors import GanError, RunError
from gan_core.messages import Message
from gan_core.runs.layout import RunPaths, find_run
from gan_core.runs.reader import ACTIVE, Status, glance, sample_steps
from gan_core.safe_read import read_bytes
from studio.curves import Curves
from studio.measured import measured
from studio.models import explorable
from studio.verdicts import Verdicts, shown
from studio.words import language, sentences

FRESH = 0.1  # seconds during which an answer is not checked against the disk again
RECHECK = 2.0  # a live run's status is read again after this even if its file is the same: it may have died
SHOW = 15.0  # the first seconds of training, when pages ask four times a second
FOREVER = "public, max-age=31536000, immutable"
PICTURE_MOST = 32 << 20  # bytes of a sample grid
KEPT = 64  # readers kept in memory; the one not asked for longest goes first


class Body:
    """One answer as bytes, compressed once for all who take it compressed."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.plain = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()

    @cached_property
    def zipped(self) -> bytes:
        return gzip.compress(self.plain, 3)


class Reader:
    """Reads one run for everybody."""

    def __init__(self, run: RunPaths, queue: Callable[[], list[str]]) -> None:
        self.run = run
        self.curves = Curves(run)
        self._queue = queue
        self._verdicts = Verdicts(run)
        self._lock = threading.Lock()
        self._status_seen: tuple[int, int] | None = None
        self._checked = self._status_read = -1e9
        self._status: Status | None = None
        self._info: dict[str, Any] = {}
        self._samples: list[int] = []
        # from the clock, so that a restarted server repeats none
        self._revision = self._chart_revision = int(time.time() * 1000)
        self._bodies: dict[tuple[bool, str], Body] = {}

    def answer(self, seen: int, charts: bool, tongue: str = "en") -> Body | None:
        """The newest answer, its message in `tongue`; None when it is the one that the page has already.

        A damaged run is a failed one, with the reason as its message.

        Raises:
            RunError: when the run is no longer there.
        """
        with self._lock:
            if time.monotonic() - self._checked >= FRESH:
                self._refresh()
                self._checked = time.monotonic()
            if seen == self._revision:
                return None
            full = charts and seen < self._chart_revision
            if (full, tongue) not in self._bodies:
                extra = {"charts": self.curves.charts} if full else {}
                told = {
                    "message": sentences(self._info["message"], tongue),
                    "verdict": shown(self._info["verdict"], self.curves.config, tongue),
                }
                self._bodies[full, tongue] = Body({"rev": self._revision, **self._info, **told, **extra})
            return self._bodies[full, tongue]

    def _refresh(self) -> None:
        status = self._read_status()
        redrawn = self.curves.refresh(final=status.state not in ACTIVE)
        info = self._describe(status)
        if info == self._info and not redrawn:
            return
        self._info = info
        self._revision = max(self._revision + 1, int(time.time() * 1000))
        if redrawn:
            self._chart_revision = self._revision
        self._bodies.clear()

    def _read_status(self) -> Status:
        stale = time.monotonic() - self._status_read > RECHECK
        if self._status is None or self._status_changed() or stale:
            self._status = glance(find_run(self.run.path.parent, self.run.id))
            self._status_read = time.monotonic()
            self._samples = sample_steps(self.run)
        return self._status

    def _status_changed(self) -> bool:
        try:
            about = self.run.status.stat()
        except OSError:
            return False
        seen, self._status_seen = self._status_seen, (about.st_mtime_ns, about.st_size)
        return seen != self._status_seen

    def _describe(self, status: Status) -> dict[str, Any]:
        queue = self._queue() if status.state in ("queued", "paused") else []
        ahead = queue.index(status.id) if status.id in queue else 0
        return {
            "run": status.id,
            "state": status.state,
            "say": say(status, ahead),
            "sees": self._measured(status) if status.step else None,
            "ahead": ahead,
            "message": status.messages,  # each answer has them, and the verdict, in its own words
            "verdict": self._verdicts.newest(),
            "dataset": status.dataset,
            "preset": status.preset,
            "step": status.step,
            "images": status.images,
            "seconds": round(status.seconds, 1),
            "speed": round(status.images_per_second or 0.0, 1),
            "progress": None if status.progress is None else round(status.progress, 4),
            "remaining": None if status.remaining is None else round(status.remaining, 1),
            "samples": self._samples,
            "rewinds": status.rewinds,
            "real": self.run.real.is_file(),
            "explorable": explorable(self.run),
            "pace": pace(status),
        }

    def _measured(self, status: Status) -> dict[str, Any] | None:
        config = self.curves.config
        return measured(self.curves.columns, status.dataset, asked=bool(config and config.conditional))


class Live:
    """All readers of one runs folder."""

    def __init__(self, root: Path, queue: Callable[[], list[str]]) -> None:
        self._root = root
        self._queue = queue
        self._lock = threading.Lock()
        self._readers: OrderedDict[str, Reader] = OrderedDict()

    def reader(self, run_id: str) -> Reader:
        """The one reader of this run. Raises `RunError` for a run that is not there."""
        with self._lock:
            if run_id not in self._readers:
                self._readers[run_id] = Reader(find_run(self._root, run_id), self._queue)
                if len(self._readers) > KEPT:
                    self._readers.popitem(last=False)
            self._readers.move_to_end(run_id)
            return self._readers[run_id]

    def routes(self) -> list[Route]:
        """The three plain addresses at the head of this file."""
        return [
            Route("/studio/live", self._live),
            Route("/studio/sample", self._sample),
            Route("/studio/real", self._real),
        ]

    def _live(self, request: Request) -> Response:
        ask, tongue = request.query_params, language(request)
        try:
            reader = self.reader(ask.get("run", ""))
            body = reader.answer(_whole(ask.get("rev")), ask.get("charts") == "1", tongue)
        except (GanError, OSError) as error:
            messages = error.messages if isinstance(error, GanError) else [
                Message("unexpected-error", error=type(error).__name__, reason=error.strerror or "")
            ]  # fmt: skip
            return JSONResponse({"error": sentences(messages, tongue)}, 404, {"Cache-Control": "no-store"})
        if body is None:
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
        headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(body.zipped, 200, headers | {"Content-Encoding": "gzip"}, "application/json")
        return Response(body.plain, 200, headers, "application/json")

    def _sample(self, request: Request) -> Response:
        ask = request.query_params
        step, rewinds = _whole(ask.get("step"), -1), _whole(ask.get("v"))
        return self._picture(
            ask.get("run", ""), lambda run: run.sample(step), lambda run: settled(run, step, rewinds)
        )

    def _real(self, request: Request) -> Response:
        return self._picture(request.query_params.get("run", ""), lambda run: run.real, lambda _: True)

    def _picture(
        self, run_id: str, where: Callable[[RunPaths], Path], final: Callable[[RunPaths], bool]
    ) -> Response:
        try:
            run = find_run(self._root, run_id)
            data = read_bytes(where(run), PICTURE_MOST, self._root)
            kept = FOREVER if final(run) else "no-store"
        except (RunError, OSError):
            return Response(status_code=404, headers={"Cache-Control": "no-store"})
        return Response(data, 200, {"Cache-Control": kept}, "image/webp")


def settled(run: RunPaths, step: int, rewinds: int) -> bool:
    """Whether the sample grid of `step` stays as it is at an address that names so many `rewinds`.

    After a run has gone back, a grid of before may for a moment still stand where the new one will.
    """
    status = glance(run)
    return rewinds == status.rewinds and step <= max(status.step, status.grid_step or 0)


def say(status: Status, ahead: int) -> str:
    """The last part of the word key of the sentence that says what is happening now."""
    if any(message.code == "process-suspended" for message in status.messages):
        return "suspended"
    if status.state == "queued":
        return "queued" if ahead else "starting"
    if status.state == "paused" and ahead:
        return "waiting"  # told to continue while another trains
    if status.state == "stopped" and not status.step:
        return "unbegun"
    if status.state != "running":
        return status.state
    if not status.step:
        return "timing"
    return "running"


def pace(status: Status) -> int:
    """Milliseconds until a page should ask again: often during the show, rarely for what has ended."""
    crowded = "SPACE_ID" in os.environ  # a Space answers 429 to pages that ask too often
    if status.state == "running" and status.seconds >= SHOW:
        return 3000 if crowded else 1000
    if status.state in ("running", "queued"):
        return 1000 if crowded else 250
    return 3000 if crowded or status.state not in ACTIVE else 1000


def _whole(text: str | None, otherwise: int = 0) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 18 else otherwise
