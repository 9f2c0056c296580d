"""What the newest measurement of a run's sample grid says, as the key of a sentence and its figures.

The sentence above the pictures is about these numbers (`gan_core.metrics.grid_metrics`) and nothing else: it
never follows from the number of steps.
"""

from __future__ import annotations

from typing import Any

from gan_core.data import DATASETS
from studio.charts import Columns

# Real digits have plausible .99, variety 1. Untrained generators have plausible 0 to .05; a collapse has a
# variety of .2 to .4, a run that learns .7 and more from its first readable pictures on.
UNLIKE = 0.2  # share of plausible pictures below which they are nothing like real ones
ALIKE = 0.5  # variety below which they repeat each other


FIGURES = {
    "plausible": "share/plausible", "readable": "share/readable", "real": "share/readable_real",
    "variety": "variety/pictures", "points": "modes/points",
}  # fmt: skip
BARS = "classes"  # shares of one whole: bars beside the sentence, no curves


def measured(columns: Columns, dataset: str, asked: bool = False) -> dict[str, Any] | None:
    """{"key": of the words `live.sees.KEY`, "step", figures in per cent, "shares" and "names" of classes};
    None before the first measurement. `asked`: each picture was asked for by its class."""
    last = {word: columns.last(name) for word, name in FIGURES.items()}
    if last["plausible"] is None and last["points"] is None:
        return None
    shares = columns.group(BARS)
    return {
        "key": _key(last, asked),
        "step": columns.last_step(FIGURES["points" if last["plausible"] is None else "plausible"]),
        **{word: round(100 * (value or 0)) for word, value in last.items()},
        "found": sum(share > 0 for share in shares),
        "classes": len(shares),
        "shares": [round(share, 3) for share in shares],
        "names": DATASETS[dataset].classes if dataset in DATASETS and shares else (),
    }


def _key(last: dict[str, float | None], asked: bool) -> str:
    plausible, variety = last["plausible"], last["variety"]
    if plausible is None:
        return "points"
    if variety is not None and variety < ALIKE:
        return "alike"
    if plausible < UNLIKE:
        return "unlike"
    if last["readable"] is None:
        return "like"
    return "asked" if asked else "readable"
