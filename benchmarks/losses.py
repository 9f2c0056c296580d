"""Every loss with the settings that suit it, on MNIST with labels for 30 s: does it read as digits?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.cases import Case, run_once
from benchmarks.table import Row, spread
from gan_core.losses import LOSSES

SECONDS = 30.0
CONFIDENCE, CLASSES = 0.85, 10.0
# What differs from the preset `digits`; a loss that is not listed takes it as it stands.
SUGGESTED: Mapping[str, Mapping[str, Any]] = {
    "minimax": {"lr_g": 4e-3, "lr_d": 4e-3},
    "wasserstein": {"penalty": "gradient-penalty", "penalty_weight": 10.0, "penalty_every": 1,
                    "d_norm": "none", "lr_g": 2e-3, "lr_d": 2e-3},
    "hinge": {"lr_g": 6e-3, "lr_d": 6e-3},
    "least-squares": {"lr_g": 2e-3, "lr_d": 2e-3},
}  # fmt: skip


def case_of(loss: str) -> Case:
    """The run of this loss: the preset digits with the settings suggested for it."""
    return Case(f"loss {loss}", "digits", {"seconds": SECONDS, "loss": loss, **SUGGESTED.get(loss, {})})


def losses(seeds: int, data_root: str, say: Callable[[str], None], only: str = "") -> list[Row]:
    """One row a loss: how sure the classifier is of what it reads, and how many classes there are."""
    return [_row(case_of(name), seeds, data_root, say) for name in LOSSES if only in f"loss {name}"]


def _row(case: Case, seeds: int, data_root: str, say: Callable[[str], None]) -> Row:
    confidence, classes, agreement = [], [], []
    for seed in range(seeds):
        scores, status = run_once(case, seed, data_root)
        say(f"{case.what}, seed {seed}: {status['step']} steps, {scores}")
        confidence.append(scores["confidence"])
        classes.append(scores["classes"])
        agreement.append(scores["agreement"])
    reads = min(confidence) >= CONFIDENCE and min(classes) >= CLASSES
    settings = ", ".join(f"{name} {value}" for name, value in case.changes.items() if name != "loss")
    return Row(f"MNIST with labels, {case.what} ({settings})",
               f"confidence >= {CONFIDENCE:g}, {CLASSES:g} classes",
               f"{'reads' if reads else 'does NOT read'} as digits: confidence {spread(confidence)}, "
               f"classes {spread(classes, 0)}, label agreement {spread(agreement)}")  # fmt: skip
