"""One training run and its scores, by the command lines that README gives."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Scores = dict[str, float]


@dataclass(frozen=True)
class Case:
    """A run to measure and what is aimed at: metric -> (comparison in words, limit). `pictures` are scored;
    `anchor` is what others have published under the same protocol."""

    what: str
    preset: str
    changes: Mapping[str, Any]
    aims: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    pictures: int = 10_000
    anchor: str = ""


def run_once(case: Case, seed: int, data_root: str) -> tuple[Scores, dict[str, Any]]:
    """Train one seed of a case and score it; the scores and the run's status.

    Processes of their own: what one run leaves in memory must not slow the next.
    """
    root = root_flags(data_root)
    changes = flags(case.changes)
    with tempfile.TemporaryDirectory() as folder:
        about = ["--preset", case.preset, *changes, f"--seed={seed}", "--runs", folder, "--quiet", *root]
        gan_core("train", *about)
        (run,) = Path(folder).iterdir()
        scores = scores_of(run, case.pictures, root)
        return scores, dict(json.loads((run / "status.json").read_text()))


def root_flags(data_root: str) -> list[str]:
    """The folder to look in first; Fashion-MNIST is looked for in the system's own as well."""
    return ["--data-root", data_root] if data_root else []


def flags(changes: Mapping[str, Any]) -> list[str]:
    """Settings as flags of the command line."""
    switches = {True: "--{}", False: "--no-{}"}
    return [
        switches[value].format(name.replace("_", "-")) if isinstance(value, bool)
        else f"--{name.replace('_', '-')}={value}"
        for name, value in changes.items()
    ]  # fmt: skip


def scores_of(source: Path, pictures: int, root: list[str]) -> Scores:
    """What `score` prints of a run or a weights file."""
    lines = gan_core("score", str(source), f"--n={pictures}", *root).splitlines()
    return {name: float(value) for name, value in map(str.split, lines)}


def gan_core(*arguments: str) -> str:
    """What the command line prints."""
    command = [sys.executable, "-m", "gan_core", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
