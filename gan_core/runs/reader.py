"""Reading runs, live or finished, whatever state their files are in. Needs no torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from gan_core import safe_read
from gan_core.config import TrainConfig, from_mapping
from gan_core.errors import ConfigError, RunError
from gan_core.messages import Message, is_message
from gan_core.old_names import SETTINGS, renamed
from gan_core.runs import process
from gan_core.runs.layout import SCHEMA, RunPaths, run_paths
from gan_core.runs.listing import is_whole, numbered
from gan_core.runs.records import SCORES_MOST, read_all
from gan_core.runs.rewind import surviving
from gan_core.runs.status import ACTIVE as ACTIVE
from gan_core.runs.status import STATES as STATES
from gan_core.runs.status import Status as Status

STALE_SECONDS = 20.0  # a heartbeat comes twice a second; a long score or a slow disk may hold it up
FAR_STALE_SECONDS = 60.0  # where the process itself cannot be looked at
FILE_MOST = 1 << 20  # bytes of a status or of settings
TEXT_MOST = 1000  # letters of a text in a status


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

    @property
    def messages(self) -> list[Message]:
        """It, with the classes that are missing where it names any."""
        missing = self.figures.get("missing")
        return [self.message, *([Message("classes-without", missing=missing)] if missing else [])]

    @property
    def why(self) -> Message:
        """What lies behind it and what helps."""
        return Message(f"{self.kind}-why")


_KINDS = {f.name: str(f.type) for f in fields(Status)}
FIELDS = frozenset(_KINDS) - {"id"}


def read_status(run: RunPaths) -> Status:
    """The run's status; one whose process was killed reads as failed, with the last good checkpoint, and one
    whose process was suspended says so.

    Raises:
        RunError: when status.json is missing, damaged or from a newer version.
    """
    status = status_as_written(run)
    if is_lost(status):
        return replace(status, state="failed", messages=(Message("process-gone"), last_checkpoint(run)))
    if status.state in ("running", "paused") and process.suspended(status.pid, status.born, status.host):
        return replace(status, messages=(*status.messages, Message("process-suspended")))
    return status


def status_as_written(run: RunPaths) -> Status:
    """What status.json says, believed as it stands. Raises `RunError` as `read_status` does.

    Where a power cut has left nothing in it, its backup is read. An old run's `message` is a finished
    sentence, which stays as it is.
    """
    try:
        data = _load(run, run.status)
    except RunError:
        if not run.status_backup.is_file():
            raise
        data = _load(run, run.status_backup)
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
    if status.state not in ("running", "paused") or status.parked:
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
    """All that config.json says: schema, preset, settings; a branch's parent, a visitor's mark as owner.

    Raises:
        RunError: when it is missing, damaged or from a newer version.
    """
    return _load(run, run.config)


def read_owner(run: RunPaths) -> str:
    """The mark of the visitor whose run it is; "" for a run that nobody but the files' owner has."""
    try:
        owner = read_config(run).get("owner")
    except RunError:
        return ""
    return owner if isinstance(owner, str) else ""


def sample_steps(run: RunPaths) -> list[int]:
    """Steps that have a sample grid, in order."""
    return numbered(run, run.samples, ".webp")


def checkpoint_steps(run: RunPaths) -> list[int]:
    """Steps that have a whole checkpoint, in order: none that a power cut has emptied or cut short."""
    return [step for step in numbered(run, run.checkpoints) if is_whole(run, step)]


def damaged_steps(run: RunPaths) -> list[int]:
    """Steps whose checkpoint is not whole, in order."""
    whole = set(checkpoint_steps(run))
    return [step for step in numbered(run, run.checkpoints) if step not in whole]


def passed_over(run: RunPaths) -> list[Message]:
    """What there is to say of checkpoints that are newer than the newest whole one; mostly nothing."""
    whole = checkpoint_steps(run)
    lost = [step for step in damaged_steps(run) if step > max(whole, default=-1)]
    if not lost:
        return []
    return [Message("checkpoints-damaged", steps=lost), *([last_checkpoint(run)] if whole else [])]


def best_steps(run: RunPaths) -> list[int]:
    """Steps whose score was the best so far, in order: the last of them is the best of all."""
    scores = surviving(read_all(run.scores, SCORES_MOST))
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
    rows = list(read_all(run.verdicts, SCORES_MOST))
    heads = [(str(row.pop("kind", "")), row.pop("step", 0)) for row in rows]
    figures = [row["figures"] if isinstance(row.get("figures"), dict) else row for row in rows]
    return [Verdict(*head, figures=one) for head, one in zip(heads, figures)]


def _load(run: RunPaths, path: Path) -> dict[str, Any]:
    try:
        data = safe_read.parse_json(_read(run, path))
    except OSError as error:
        reason = error.strerror or error
        raise RunError("run-unreadable", run=run.id, file=path.name, reason=reason) from error
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise RunError("run-torn", run=run.id, file=path.name)
    schema = data.get("schema")
    if not isinstance(schema, int) or schema < 1:
        raise RunError("run-schema", run=run.id, file=path.name)
    if schema > SCHEMA:
        raise RunError("run-newer", run=run.id, schema=str(schema)[:20], known=SCHEMA)
    return data


def _read(run: RunPaths, path: Path) -> bytes:
    for _ in range(4):
        try:
            return safe_read.read_bytes(path, FILE_MOST, run.path.parent)
        except PermissionError:  # Windows, for the instant in which the file is replaced
            time.sleep(0.005)
    return safe_read.read_bytes(path, FILE_MOST, run.path.parent)


def _checked(run: RunPaths, name: str, value: Any) -> Any:
    """`value` of the status as the type that `Status` declares for `name`."""
    kind = _KINDS[name]
    fits = {
        "str": isinstance(value, str) and len(value) <= TEXT_MOST,
        "int": _is_number(value) and value == int(value),
        "float": _is_number(value),
        "int | None": value is None or (_is_number(value) and value == int(value)),
        "tuple[Message, ...]": isinstance(value, list) and all(map(_is_told, value)),
    }.get(kind, isinstance(value, dict) and all(v is None or _is_number(v) for v in value.values()))
    if not fits:
        raise RunError("run-value", run=run.id, field=name, value=str(value)[:40])
    if kind.startswith("tuple"):
        return tuple(Message(one["code"], **one["values"]) for one in value)
    return int(value) if value is not None and kind.startswith("int") else value


def _is_told(value: object) -> bool:
    return is_message(value) and safe_read.is_plain(value)


def _is_number(value: object) -> bool:
    return safe_read.is_finite(value) and value >= 0


def _made(run: RunPaths) -> float:
    try:
        return run.path.stat().st_mtime
    except OSError:
        return 0.0
