"""What the newest measurement of a run's sample grid says, as the key of a sentence and its figures.

The sentence above the pictures is about these numbers (`gan_core.metrics.grid_metrics`) and nothing else: it
never follows from the number of steps.
"""

from __future__ import annotations

from typing import Any

from studio.charts import Columns

# Real digits have plausible .99, variety 1. Untrained generators have plausible 0 to .05; a collapse has a
# variety of .2 to .4, a run that learns .7 and more from its first readable pictures on.
UNLIKE = 0.2  # share of plausible pictures below which they are nothing like real ones
ALIKE = 0.5  # variety below which they repeat each other


def measured(columns: Columns, points: bool = False) -> dict[str, Any] | None:
    """{"key": of the words `live.sees.KEY`, figures}; None before the first measurement."""
    plausible, variety = columns.last("share/plausible"), columns.last("variety/pictures")
    readable, shares = columns.last("share/readable"), columns.group("classes")
    if plausible is None:
        return None
    figures = {
        "plausible": round(100 * plausible), "variety": round(100 * (variety or 0)),
        "readable": round(100 * (readable or 0)), "found": sum(share > 0 for share in shares),
        "classes": len(shares), "shares": [round(share, 3) for share in shares],
    }  # fmt: skip
    return {"key": _key(plausible, variety, readable, points), **figures}


def _key(plausible: float, variety: float | None, readable: float | None, points: bool) -> str:
    if points:
        return "points"
    if variety is not None and variety < ALIKE:
        return "alike"
    if plausible < UNLIKE:
        return "unlike"
    return "like" if readable is None else "readable"
