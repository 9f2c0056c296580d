"""What data sets, recipes, models and runs are called, in the reader's language."""

from __future__ import annotations

from gan_core.data import DATASETS
from gan_core.presets import PRESETS
from studio.models import Model
from studio.words import TABLE, pick, pick_or


def dataset_title(name: str, tongue: str, otherwise: str) -> str:
    """Of a data set; `otherwise` where there is none of this name any more."""
    return pick_or(f"dataset.{name}", DATASETS[name].title, tongue) if name in DATASETS else otherwise


def preset_title(name: str, tongue: str) -> str:
    """Of a recipe; only those that fail are marked."""
    if (key := f"preset.{name}") in TABLE:
        return pick(key, tongue).removeprefix("● ")  # healthy goes without saying here
    return name if name in PRESETS else pick("watch.label.own", tongue)  # a new one may have no words yet


def run_title(dataset: str, preset: str, tongue: str, otherwise: str) -> str:
    """Of a run: its data set and its recipe; of a recipe that is called after its data set, itself alone."""
    data, recipe = dataset_title(dataset, tongue, otherwise), preset_title(preset, tongue)
    return recipe if recipe.startswith(data) else f"{data} · {recipe}"


def model_title(model: Model, tongue: str) -> str:
    """Of a model: its data set, and of a run's also its recipe, its last letters and whether it is over."""
    dataset, preset = (str(model.info.get(key) or "") for key in ("dataset", "preset"))
    otherwise = dataset or model.name
    words = [dataset_title(dataset, tongue, otherwise)]
    if model.state:
        words = [run_title(dataset, preset, tongue, otherwise)] if preset else words
        words.append(model.name.rsplit("-", 1)[-1])
    if mark := {"running": "explore.training", "paused": "explore.paused"}.get(model.state):
        words.append(pick(mark, tongue))
    return " · ".join(words)
