"""Train the generators in weights/ and write their table: python -m tools.train_weights [NAME ...].

Budgets are in steps, so that the result does not depend on how busy the machine is. A run can be interrupted:
the next call goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_core.checkpoints import read_generator_header
from gan_core.data import DATASETS
from gan_core.presets import settings
from gan_core.runs import create_run, list_runs
from gan_core.runs.control import send
from gan_core.runs.layout import RunPaths
from gan_core.sampling import Sampler
from gan_core.scoring import score_generator
from gan_core.training import train

WEIGHTS = Path("weights")
RUNS = Path("runs/weights")


@dataclass(frozen=True)
class Recipe:
    """A shipped generator: a preset and what is changed in it."""

    preset: str
    changes: Mapping[str, Any]


# nobody is waiting
SLOW: Mapping[str, Any] = {"ema_rampup": 0.05, "ema_half_life": 1_000_000, "lr_end": 0.02, "threads": 1}
RECIPES = {
    "mnist": Recipe("digits", {"steps": 12_000, "batch": 64, "lr_g": 6e-3, "lr_d": 6e-3, **SLOW}),
    "fashion-mnist": Recipe(
        "fashion",
        {
            "steps": 14_000,
            "g_width": 48,
            "d_width": 48,
            "class_weight": 0.05,
            "lr_g": 4e-3,
            "lr_d": 4e-3,
            **SLOW,
        },
    ),
}
COLUMNS = ("frechet", "floor", "frechet_over_floor", "class_kl", "confidence", "agreement", "recall")


def make(name: str) -> None:
    """Train one generator and put it into weights/, its scores into a .json file beside it."""
    recipe = RECIPES[name]
    config = settings(recipe.preset, recipe.changes)
    known = [s for s in list_runs(RUNS) if s.dataset == name and s.state != "finished"]
    run = RunPaths(RUNS / known[0].id) if known else create_run(RUNS, config, recipe.preset)
    send(run, "run")
    for record in train(config, run, resume=bool(known)):
        if record.step % 500 == 0:
            print(name, record.step, f"{record.seconds:.0f} s", flush=True)
    path = WEIGHTS / f"{name}.safetensors"
    shutil.copyfile(run.generator, path)
    scores = score_generator(Sampler.load(path))
    path.with_suffix(".json").write_text(json.dumps(scores, indent=1) + "\n")
    print(name, scores, flush=True)


def table() -> str:
    """The table of weights/README.md, from the files' own headers and the scores beside them."""
    head = [
        "file",
        "MB",
        "data set",
        "steps",
        "seconds",
        "seed",
        *COLUMNS,
        "recall of real",
        "licence of the data",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in RECIPES:
        path = WEIGHTS / f"{name}.safetensors"
        _, info = read_generator_header(path)
        scores = json.loads(path.with_suffix(".json").read_text())
        cells = [path.name, f"{path.stat().st_size / 1e6:.1f}", DATASETS[name].title, str(info["step"]),
                 f"{info['seconds']:.0f}", str(info["seed"]), *(f"{scores[c]:.3g}" for c in COLUMNS),
                 f"{scores['recall_real']:.3g}", DATASETS[name].licence]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_table() -> None:
    """Put the table between the marks of weights/README.md."""
    page = WEIGHTS / "README.md"
    before, _, rest = page.read_text(encoding="utf-8").partition("<!-- table -->")
    _, _, after = rest.partition("<!-- /table -->")
    page.write_text(f"{before}<!-- table -->\n{table()}\n<!-- /table -->{after}", encoding="utf-8")


if __name__ == "__main__":
    for asked in sys.argv[1:] or RECIPES:
        make(asked)
    write_table()
