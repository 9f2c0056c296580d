"""Pictures by the public API.

Names of all models by /models(), random samples in one picture by /generate(model, seed, count), and one
picture on the way from a sample to another by /interpolate(model, seed_a, seed_b, t).
"""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from gan_core.errors import ConfigError
from gan_core.images import to_grid
from studio.handlers import answered
from studio.models import ModelRegistry
from studio.pictures import SEEDS
from studio.services import Services

MOST = 400  # pictures in one answer


def number(name: str, value: Any, low: float, high: float, whole: bool = True) -> float:
    """`value` as a number between `low` and `high`.

    Raises:
        ConfigError: it is not one.
    """
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not fits or not low <= value <= high or (whole and value != int(value)):
        about = {"value": str(value)[:20], "kind": "int" if whole else "float"}
        raise ConfigError("number-range", field=name, low=low, high=high, **about)
    return float(value)


def generate(registry: ModelRegistry, model: str, seed: Any, count: Any) -> Image.Image:
    """`count` samples as one PIL picture, about square; with classes 0, 1, 2 ... in turn."""
    sampler, _ = registry.load(registry.model(str(model)))
    drawn = int(number("count", count, 1, MOST))
    pictures, _ = sampler.sample(drawn, int(number("seed", seed, 0, SEEDS)))
    return to_grid(pictures, columns=min(drawn, 10) if drawn <= 100 else 20)


def interpolate(registry: ModelRegistry, model: str, seed_a: Any, seed_b: Any, t: Any) -> Image.Image:
    """The picture at `t` (0 to 1) on the way from the first sample of one seed to that of another."""
    sampler, _ = registry.load(registry.model(str(model)))
    ends = [sampler.latents(1, int(number(name, seed, 0, SEEDS)))
            for name, seed in (("seed_a", seed_a), ("seed_b", seed_b))]  # fmt: skip
    z = sampler.between(ends[0], ends[1], number("t", t, 0, 1, whole=False))
    return to_grid(sampler.pictures(z, np.zeros(1, np.int64)), 1)


def build_api(services: Services) -> None:
    """Add the three endpoints to the Blocks that is being built."""

    def models() -> list[str]:
        return [model.name for model in services.registry.models()]

    gr.api(answered(models), api_name="models", queue=False)
    model, seed, count, seed_b, t = (
        gr.Textbox(label="model", visible=False),
        *(gr.Number(label=name, visible=False) for name in ("seed", "count", "seed_b", "t")),
    )
    answer = gr.Image(format="png", type="pil", visible=False)
    button = gr.Button(visible=False)

    def _generate(model: str, seed: float, count: float) -> Any:
        return generate(services.registry, model, seed, count)

    def _interpolate(model: str, seed_a: float, seed_b: float, t: float) -> Any:
        return interpolate(services.registry, model, seed_a, seed_b, t)

    button.click(answered(_generate), [model, seed, count], answer, api_name="generate", queue=False)
    button.click(
        answered(_interpolate), [model, seed, seed_b, t], answer, api_name="interpolate", queue=False
    )
