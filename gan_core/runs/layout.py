"""Where everything of a run lies on disk.

    20261121-015900-mnist-digits-3f9a/
    ├── config.json           preset and settings; also a branch's parent, a visitor's mark
    ├── status.json           how far it is; replaced whole, about twice a second
    ├── status.json.bak       as it last was when it was sure to be on the disk; while the run is under way
    ├── control.json          what it was asked to do: run, pause, wait, stop
    ├── metrics.jsonl         one line a record      scores.jsonl, verdicts.jsonl likewise
    ├── log.txt               what happened, for people
    ├── samples/              step-000500.webp ..., real.webp
    ├── checkpoints/          step-000500/ ..., the first, the last, and between them what the disk allows
    ├── generator.safetensors the EMA of the generator as it is now
    └── best.safetensors      as it was when its score was best

The directory is the only interface between training, the command line and the studio.
"""

from __future__ import annotations

import difflib
import os
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_core import files
from gan_core.config import TrainConfig, to_mapping
from gan_core.errors import RunError
from gan_core.messages import Message
from gan_core.runs import process

SCHEMA = 1

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


@dataclass(frozen=True, slots=True)
class RunPaths:
    """The files of the run at `path`; none of them has to exist."""

    path: Path

    @property
    def id(self) -> str:
        """The directory's name, by which a run is asked for."""
        return self.path.name

    @property
    def config(self) -> Path:
        """Preset and settings."""
        return self.path / "config.json"

    @property
    def status(self) -> Path:
        """How far the run is."""
        return self.path / "status.json"

    @property
    def status_backup(self) -> Path:
        """How far the run was when that last reached the disk for certain."""
        return self.path / "status.json.bak"

    @property
    def control(self) -> Path:
        """What the run was asked to do."""
        return self.path / "control.json"

    @property
    def lock(self) -> Path:
        """Held by whoever writes the run, see `runs.lock`."""
        return self.path / ".lock"

    @property
    def metrics(self) -> Path:
        """Curves: one JSON object a line."""
        return self.path / "metrics.jsonl"

    @property
    def scores(self) -> Path:
        """Quality figures: one JSON object a line."""
        return self.path / "scores.jsonl"

    @property
    def verdicts(self) -> Path:
        """What was said of the run, step by step: one JSON object a line."""
        return self.path / "verdicts.jsonl"

    @property
    def log(self) -> Path:
        """What happened, for people."""
        return self.path / "log.txt"

    @property
    def samples(self) -> Path:
        """Directory of the sample grids."""
        return self.path / "samples"

    @property
    def reserve(self) -> Path:
        """Room on the disk for the last status, given up when there is no other."""
        return self.path / ".reserve"

    @property
    def real(self) -> Path:
        """Real pictures, laid out as the sample grids are."""
        return self.samples / "real.webp"

    @property
    def checkpoints(self) -> Path:
        """Directory of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def generator(self) -> Path:
        """The EMA of the generator, ready to draw."""
        return self.path / "generator.safetensors"

    @property
    def best(self) -> Path:
        """The EMA of the generator as it was when its score was best; only where scores were taken."""
        return self.path / "best.safetensors"

    def sample(self, step: int) -> Path:
        """The sample grid of `step`."""
        return self.samples / f"step-{step:06d}.webp"

    def checkpoint(self, step: int) -> Path:
        """The checkpoint directory of `step`."""
        return self.checkpoints / f"step-{step:06d}"


def create_run(
    root: Path, config: TrainConfig, preset: str = "", *, state: str = "running",
    parent: Mapping[str, Any] | None = None, owner: str = "",
) -> RunPaths:  # fmt: skip
    """Make a run directory under `root`, complete at the moment it appears.

    `state` is "running" when this process goes on to train, "queued" when another will. `parent` says of a
    branch where it begins: "run", "step" and what is "changed". `owner` is the mark of the visitor whose run
    it is, a secret; "" for a run of whoever has the files.

    Raises:
        RunError: when it cannot be written.
    """
    now = time.time()
    try:
        root.mkdir(parents=True, exist_ok=True)
        run = RunPaths(_free_path(root, config.dataset, preset, now))
        with files.replacing(run.path, durable=True) as scratch:
            made = RunPaths(scratch)
            for folder in (scratch, made.samples, made.checkpoints):
                folder.mkdir()
            about: dict[str, Any] = {"schema": SCHEMA, "preset": preset, "settings": to_mapping(config)}
            about |= ({"parent": dict(parent)} if parent else {}) | ({"owner": owner} if owner else {})
            files.write_json(made.config, about)
            files.write_json(made.status, _first_status(config, preset, state, now))
    except OSError as error:
        raise RunError("run-make", folder=root, reason=error.strerror or error) from error
    return run


def find_run(root: Path, id: str) -> RunPaths:
    """The run named `id` under `root`; names that could lead out of `root` are refused.

    Raises:
        RunError: when there is none, with the nearest name that there is.
    """
    run = RunPaths(root / id) if is_id(id) else None
    if run is not None and exists(run):
        return run
    near = difflib.get_close_matches(str(id)[:120], [run.id for run in run_paths(root)], n=1, cutoff=0.5)
    hint = [Message("meant", near=near[0])] if near else []
    raise RunError("run-unknown", *hint, name=str(id)[:60])


def run_paths(root: Path) -> list[RunPaths]:
    """Every run directory under `root` by name; one that is still being made is not among them."""
    try:
        names = sorted(path.name for path in root.iterdir() if is_id(path.name))
    except OSError:
        return []
    runs = [RunPaths(root / name) for name in names]
    return [run for run in runs if exists(run)]


def exists(run: RunPaths) -> bool:
    """Whether there is such a run, be it damaged: something that is called its status."""
    return os.path.lexists(run.status) or os.path.lexists(run.status_backup)


def is_id(text: object) -> bool:
    """Whether `text` can name a run: one plain file name that no system reads as a way elsewhere."""
    return isinstance(text, str) and bool(_ID.fullmatch(text)) and not text.endswith(".")


def _free_path(root: Path, dataset: str, preset: str, now: float) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    words = [re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:40] for word in (dataset, preset)]
    while True:
        path = root / "-".join([stamp, *filter(None, words), secrets.token_hex(2)])
        if not path.exists():
            return path


def _first_status(config: TrainConfig, preset: str, state: str, now: float) -> dict[str, object]:
    budget = {"seconds": config.seconds, "steps": config.steps, "images": config.images}
    status: dict[str, object] = {"schema": SCHEMA, "state": state, "created": now, "budget": budget}
    status |= {"preset": preset, "dataset": config.dataset, "step": 0, "images": 0, "seconds": 0.0}
    return status | process.signature(os.getpid()) if state == "running" else status
