"""Reading runs, live or finished, whatever state their files are in. Needs no torch."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from gan_core.config import TrainConfig, from_mapping
from gan_core.errors import ConfigError, RunError
from gan_core.messages import Message, is_message, render
from gan_core.old_names import RECORDS, SETTINGS, renamed
from gan_core.runs import process
from gan_core.runs.layout import SCHEMA, RunPaths, run_paths
from gan_core.runs.rewind import surviving

STATES = ("queued", "running", "paused", "finished", "stopped", "failed")
ACTIVE = frozenset({"queued", "running", "paused"})
STALE_SECONDS = 20.0  # a heartbeat comes twice a second; a long score or a slow disk may hold it up
FAR_STALE_SECONDS = 60.0  # where the process itself cannot be looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a run is; times are unix seconds, `seconds` is time spent training."""

    id: str
    state: str
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0
    budget: dict[str, float | None] = field(default_factory=dict)  # seconds, steps, images
    pid: int = 0
    born: str = ""
    host: str = ""
    heartbeat: float = 0.0
    created: float = 0.0
    messages: tuple[Message, ...] = ()  # why it failed or was stopped
    preset: str = ""
    dataset: str = ""
    grid_step: int | None = None
    rewinds: int = 0  # how often it went back to a checkpoint and lost what came after

    @property
    def message(self) -> str:
        """`messages` in English."""
        return render(self.messages)

    @property
    def progress(self) -> float | None:
        """Share of the budget used, 0 to 1; None without a budget."""
        if self.state == "finished":
            return 1.0
        shares = [done / limit for done, limit in self._used() if limit]
        return min(1.0, max(shares)) if shares else None

    @property
    def remaining(self) -> float | None:
        """Seconds of training left at the present pace; None when over or not yet known."""
        if self.state not in ACTIVE:
            return None
        shares = [(limit - done) * self.seconds / done for done, limit in self._used() if limit and done]
        return max(0.0, min(shares)) if shares else self.budget.get("seconds")

    def _used(self) -> list[tuple[float, float | None]]:
        done = {"seconds": self.seconds, "steps": self.step, "images": self.images}
        return [(done[name], self.budget.get(name)) for name in done]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a run at a step: its kind, which is the code of its words, and the figures in them."""

    kind: str
    step: int
    figures: Mapping[str, Any]

    @property
    def message(self) -> Message:
        """It, to be put into words."""
        if "text" in self.figures:  # an old run's, a finished sentence
            return Message("prose", text=self.figures["text"])
        return Message(self.kind, **{**self.figures, "step": self.step})


_KINDS = {f.name: str(f.type) for f in fields(Status)}
FIELDS = frozenset(_KINDS) - {"id"}


def read_status(run: RunPaths) -> Status:
    """The run's status; one whose process was killed reads as failed, with the last good checkpoint.

    Raises:
        RunError: when status.json is missing, damaged or from a newer version.
    """
    status = status_as_written(run)
    if not is_lost(status):
        return status
    return replace(status, state="failed", messages=(Message("process-gone"), last_checkpoint(run)))


def status_as_written(run: RunPaths) -> Status:
    """What status.json says, believed as it stands. Raises `RunError` as `read_status` does.

    An old run's `message` is a finished sentence, which stays as it is.
    """
    data = _load(run, run.status)
    if prose := data.get("message"):
        data.setdefault("messages", [{"code": "prose", "values": {"text": prose}}])
    values: dict[str, Any] = {name: _checked(run, name, data[name]) for name in FIELDS & data.keys()}
    if values.get("state") not in STATES:
        raise RunError("run-state", run=run.id, state=values.get("state"))
    return Status(id=run.id, **values)


def is_lost(status: Status, patience: float = STALE_SECONDS) -> bool:
    """Whether a run that should be training has no process any more.

    `patience`: seconds without a heartbeat before a process that is not there counts as gone. A heartbeat
    from the future (a clock was set back) is as old as one equally far in the past.
    """
    if status.state not in ("running", "paused"):
        return False
    alive = process.alive(status.pid, status.born, status.host)
    limit = FAR_STALE_SECONDS if alive is None else patience
    return not alive and abs(time.time() - status.heartbeat) > limit


def glance(run: RunPaths, read: Callable[[RunPaths], Status] = read_status) -> Status:
    """What `read` says, with a damaged run shown as failed and the reason in its messages."""
    try:
        return read(run)
    except RunError as error:
        return Status(id=run.id, state="failed", created=_made(run), messages=error.messages)


def list_runs(root: Path) -> list[Status]:
    """Every run under `root`, newest first."""
    statuses = [glance(run) for run in run_paths(root)]
    return sorted(statuses, key=lambda status: (status.created, status.id), reverse=True)


def read_settings(run: RunPaths) -> tuple[str, TrainConfig]:
    """(preset, settings) of a run.

    Raises:
        RunError: when config.json is missing, damaged or from a newer version.
    """
    data = read_config(run)
    preset, settings = data.get("preset", ""), data.get("settings")
    if not isinstance(preset, str) or not isinstance(settings, dict):
        raise RunError("run-no-settings", run=run.id)
    try:
        return preset, from_mapping(renamed(settings, SETTINGS))
    except ConfigError as error:
        raise RunError("run-settings", *error.messages, run=run.id) from error


def read_config(run: RunPaths) -> dict[str, Any]:
    """All that config.json says: schema, preset, settings, of a branch also its parent.

    Raises:
        RunError: when it is missing, damaged or from a newer version.
    """
    return _load(run, run.config)


def read_lines(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Records of a JSONL file from byte `offset` on, and the offset to go on from.

    Only whole lines are read: one that is still being written is left for the next call, one that a kill
    has torn is skipped. A file that became shorter than `offset` is read anew from its beginning.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(offset if 0 <= offset <= stream.tell() else 0)
            start, data = stream.tell(), stream.read()
    except OSError:
        return [], 0
    whole = data[: data.rfind(b"\n") + 1]
    records = (_record(line) for line in whole.splitlines())
    return [renamed(record, RECORDS) for record in records if record is not None], start + len(whole)


def sample_steps(run: RunPaths) -> list[int]:
    """Steps that have a sample grid, in order."""
    return _steps(run.samples, ".webp")


def checkpoint_steps(run: RunPaths) -> list[int]:
    """Steps that have a whole checkpoint, in order."""
    return _steps(run.checkpoints, "")


def best_steps(run: RunPaths) -> list[int]:
    """Steps whose score was the best so far, in order: the last of them is the best of all."""
    scores = surviving(read_lines(run.scores)[0])
    return [score["step"] for score in scores if score.get("best") and isinstance(score.get("step"), int)]


def last_checkpoint(run: RunPaths) -> Message:
    """Which checkpoint is the last good one."""
    steps = checkpoint_steps(run)
    if not steps:
        return Message("checkpoint-none")
    file = f"checkpoints/{run.checkpoint(steps[-1]).name}"
    return Message("checkpoint-last", step=steps[-1], file=file)


def read_verdicts(run: RunPaths) -> list[Verdict]:
    """All verdicts on the run, in order. An old run's name no figures: all else that they say is one."""
    rows, _ = read_lines(run.verdicts)
    heads = [(str(row.pop("kind", "")), row.pop("step", 0)) for row in rows]
    figures = [row["figures"] if isinstance(row.get("figures"), dict) else row for row in rows]
    return [Verdict(*head, figures=one) for head, one in zip(heads, figures)]


def _steps(folder: Path, ending: str) -> list[int]:
    try:
        found = [re.fullmatch(rf"step-(\d{{1,18}}){re.escape(ending)}", p.name) for p in folder.iterdir()]
    except OSError:
        return []
    return sorted(int(match[1]) for match in found if match)


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _load(run: RunPaths, path: Path) -> dict[str, Any]:
    try:
        data = _record(_read(path))
    except OSError as error:
        reason = error.strerror or error
        raise RunError("run-unreadable", run=run.id, file=path.name, reason=reason) from error
    if data is None:
        raise RunError("run-torn", run=run.id, file=path.name)
    schema = data.get("schema")
    if not isinstance(schema, int) or schema < 1:
        raise RunError("run-schema", run=run.id, file=path.name)
    if schema > SCHEMA:
        raise RunError("run-newer", run=run.id, schema=schema, known=SCHEMA)
    return data


def _read(path: Path) -> bytes:
    for _ in range(4):
        try:
            return path.read_bytes()
        except PermissionError:  # Windows, for the instant in which the file is replaced
            time.sleep(0.005)
    return path.read_bytes()


def _checked(run: RunPaths, name: str, value: Any) -> Any:
    """`value` of the status as the type that `Status` declares for `name`."""
    kind = _KINDS[name]
    fits = {
        "str": isinstance(value, str),
        "int": _is_number(value) and value == int(value),
        "float": _is_number(value),
        "int | None": value is None or (_is_number(value) and value == int(value)),
        "tuple[Message, ...]": isinstance(value, list) and all(map(is_message, value)),
    }.get(kind, isinstance(value, dict) and all(v is None or _is_number(v) for v in value.values()))
    if not fits:
        raise RunError("run-value", run=run.id, field=name, value=str(value)[:40])
    if kind.startswith("tuple"):
        return tuple(Message(one["code"], **one["values"]) for one in value)
    return int(value) if value is not None and kind.startswith("int") else value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e18


def _made(run: RunPaths) -> float:
    try:
        return run.path.stat().st_mtime
    except OSError:
        return 0.0
