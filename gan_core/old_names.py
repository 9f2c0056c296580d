"""Names in files that were written until 24 November 2026, and what each is called today. Needs no torch.

Whatever reads a run, a checkpoint or a weights file asks here, so that old ones open as new ones do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

SETTINGS = {
    "real_target": "real_label",
    "flips": "label_flip_prob",
    "pictures": "dataset_limit",
    "ema": "ema_rampup",
    "ema_images": "ema_half_life",
}
RECORDS = {"balance/D's share": "learning_rate_share/D", "augment/chance": "augment/probability",
           "rate/G": "learning_rate/G", "rate/D": "learning_rate/D", "eyes": "extractor",
           "places/points": "modes/points", "share/real": "share/readable_real"}  # fmt: skip
COUNTERS = {"machine": "compute", "moving": "controllers"}
CONTROLLERS = {"adaptive": "adaptive_augment", "balance": "d_lr_controller"}
FORMATS = {"gan_core.judge": "gan_core.classifier"}
LAYERS = {"seed": "projection", "reader": "q_head"}

T = TypeVar("T")


def renamed(values: Mapping[str, T], names: Mapping[str, str]) -> dict[str, T]:
    """`values` with each old key of `names` under its new one."""
    return {names.get(key, key): value for key, value in values.items()}


def tensor_name(name: str) -> str:
    """The name of a tensor today: each layer along its path, "G.seed.linear.weight", under its own."""
    return ".".join(LAYERS.get(part, part) for part in name.split("."))
