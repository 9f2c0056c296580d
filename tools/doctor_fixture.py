"""python -m tools.doctor_fixture RUN NAME: what the doctor reads of a run, kept for the tests.

Its settings and the curves that rules look at, as tests/gan_core/fixtures/doctor/NAME.json.gz.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from gan_core.config import to_mapping
from gan_core.doctor import LOOKS, RULES
from gan_core.runs.branch import run_at
from gan_core.runs.history import history
from gan_core.runs.reader import read_settings

FOLDER = Path(__file__).parents[1] / "tests" / "gan_core" / "fixtures" / "doctor"
CURVES = {*LOOKS, *(signal.curve for rule in RULES for signal in rule.signals), "share/readable_real"}
WHEN = ("step", "seconds")


def kept(record: dict[str, Any]) -> dict[str, Any]:
    """The part of a record that is looked at, four digits of each number."""
    return {name: float(f"{value:.4g}") if name not in WHEN else value for name, value in record.items()
            if name in WHEN or name in CURVES or name.startswith("classes/")}  # fmt: skip


def main(directory: str, name: str) -> None:
    """Write the fixture of the run in this directory."""
    run = run_at(Path(directory))
    config = to_mapping(read_settings(run)[1]) | {"data_root": ""}
    text = json.dumps({"settings": config, "records": [kept(record) for record in history(run)]})
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
