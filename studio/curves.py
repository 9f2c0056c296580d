"""The curves of one run as its files grow: each byte is read once, onwards from where the last look ended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

from gan_core.config import TrainConfig
from gan_core.errors import GanError
from gan_core.losses import LOSSES, game_of
from gan_core.runs.layout import RunPaths
from gan_core.runs.lineage import inherited
from gan_core.runs.reader import read_settings
from gan_core.runs.records import READ_MOST, read_lines
from studio.charts import Columns, Lines
from studio.measured import BARS

BUSY = 0.25  # seconds of reading at one look: of a very long file the rest comes at the next ones


class Mark(NamedTuple):
    """What tells that a file has changed: the system's number for it, its bytes, when it was written last."""

    number: int
    size: int
    time: int


class Curves:
    """The charts of a run and what they are made of. `reads`: how often the metrics file was opened."""

    def __init__(self, run: RunPaths) -> None:
        self.charts: list[dict[str, Any]] = []
        self.reads = 0
        self._run = run
        self.columns = Columns()
        self._offsets = {run.metrics: 0, run.scores: 0}
        self._seen: dict[Path, Mark] = {}
        self.config: TrainConfig | None = None  # the run's settings, once they are read

    def refresh(self, final: bool) -> bool:
        """Take in what was appended; whether the charts were drawn anew. `final`: nothing more will come."""
        self._read()
        left = self.columns.records != self.columns.drawn
        if not left or not (final or self.columns.worth_drawing()):
            return False
        self.config = self.config or _settings(self._run)
        self.charts = self.columns.charts(resting_lines(self.config), without=BARS)
        return True

    def _read(self) -> None:
        now = {path: mark for path in self._offsets if (mark := _mark(path))}
        if any(self._is_another(*one) for one in now.items()):  # one was put back: both are read anew
            self._offsets, self._seen, self.columns = dict.fromkeys(self._offsets, 0), {}, Columns()
        for path in [path for path, mark in now.items() if self._seen.get(path) != mark]:
            self._seen[path] = now[path]
            if path == self._run.metrics:
                self.reads += 1
                if not self._offsets[path]:  # a branch's curves begin where its parents' do
                    self.columns.add(inherited(self._run), path.name)
            self._take_in(path)

    def _take_in(self, path: Path) -> None:
        """Read on to the end of the file, or as far as there is time."""
        end, before = time.monotonic() + BUSY, -1
        while before != (offset := self._offsets[path]):
            if before >= 0 and before + READ_MOST >= self._seen[path].size:
                return  # what is left is a line that is still being written
            if before >= 0 and time.monotonic() > end:
                del self._seen[path]  # the rest at the next look
                return
            before = offset
            records, self._offsets[path] = read_lines(path, offset)
            self.columns.add(records, path.name)

    def _is_another(self, path: Path, mark: Mark) -> bool:
        """Whether it is not the file that was read so far, grown: a run's writer only appends."""
        seen = self._seen.get(path)
        return seen is not None and (mark.number != seen.number or mark.size < self._offsets[path])


def _mark(path: Path) -> Mark | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return Mark(about.st_ino, about.st_size, about.st_mtime_ns)


def _settings(run: RunPaths) -> TrainConfig | None:
    try:
        return read_settings(run)[1]
    except (GanError, OSError):
        return None


def resting_lines(config: TrainConfig | None) -> Lines:
    """Where the losses settle when nobody can tell real from fake, in the run's own game, those that do; and
    the variety of real pictures."""
    variety = {"variety": {"pictures": 1.0}}
    if config is None or config.loss not in LOSSES:
        return variety
    game = game_of(config.loss, config.real_label, config.label_flip_prob)
    values = zip(("D", "G"), game.at_rest or (None, None), strict=True)
    return variety | {"loss": {name: value for name, value in values if value is not None}}
