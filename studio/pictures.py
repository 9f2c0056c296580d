"""The pictures of the Explore tab, as plain GET requests: the whole state is in the address, none is kept.

    GET /studio/explore/models                         every model, JSON
    GET /studio/explore/image?model&seed&a&b&t...      one picture on the way from A to B
    GET /studio/explore/strip?...                      the whole way, STRIP pictures side by side
    GET /studio/explore/grid?model&seed&label          random samples, a class a column where there are any

Query, all optional but `model`: `seed` of the samples; `a`, `b` their places in the grid; `t` 0 to 1;
`interpolation` spherical or linear, else what suits the model's noise; `label` a class for all, else each
sample has its own; `d` steps along the model's directions, "0.5,0,-2"; `v` the model's version, which lets
the browser keep the answer; `format` webp or png; `scale` enlarges a png; `save` makes it a download.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gan_core.errors import ConfigError, GanError, WeightsError
from gan_core.images import png, to_grid, webp
from gan_core.knobs import unknown_names
from gan_core.latent import INTERPOLATIONS
from gan_core.messages import Message
from studio.models import Model, ModelRegistry
from studio.words import language, sentences

STRIP = 9
COLUMNS, ROWS = 10, 4
FAR = 6.0  # how far along a direction a visitor may go
SEEDS = 2**31 - 1
FOREVER = "private, max-age=86400, immutable"  # for an address that names the version of its weights


@dataclass(frozen=True)
class View:
    """A place in latent space: `steps` along a model's directions from the point `t` between two samples."""

    seed: int = 0
    a: int = 0
    b: int = 1
    t: float = 0.0
    interpolation: str = ""
    label: int | None = None
    steps: tuple[float, ...] = ()


def columns(model: Model) -> int:
    """Pictures in a row of the grid: one a class where that fits."""
    return len(model.classes) if 2 <= len(model.classes) <= 12 else COLUMNS


def parse(query: Mapping[str, str], model: Model) -> View:
    """The view that an address asks for.

    Raises:
        ConfigError: with every value that cannot be used.
    """
    problems: list[Message] = []
    last = columns(model) * ROWS - 1

    def number(name: str, low: float, high: float, default: float, text: str | None = None) -> float:
        text = query.get(name, "") if text is None else text
        try:
            value = float(text) if text else default
        except ValueError:
            value = math.nan
        if low <= value <= high:
            return value
        problems.append(Message("query-range", field=name, value=text[:20], low=low, high=high))
        return default

    interpolation = query.get("interpolation") or ""
    problems += unknown_names([interpolation] if interpolation else [], INTERPOLATIONS, "interpolation")
    label = number("label", -1, max(len(model.classes) - 1, 0), -1)
    steps = [number("d", -FAR, FAR, 0.0, text) for text in query.get("d", "").split(",")[:16]]
    view = View(
        seed=int(number("seed", 0, SEEDS, 0)), a=int(number("a", 0, last, 0)),
        b=int(number("b", 0, last, min(1, last))), t=number("t", 0, 1, 0.0), interpolation=interpolation,
        label=int(label) if label >= 0 and model.classes else None, steps=tuple(steps),
    )  # fmt: skip
    if problems:
        raise ConfigError.of(problems)
    return view


def walk(registry: ModelRegistry, model: Model, view: View, ts: np.ndarray) -> np.ndarray:
    """Pictures at the places `ts` (N,) on the way from A to B: uint8 (N, C, H, W).

    Between two classes the label is mixed, too.
    """
    sampler, directions = registry.load(model)
    ends = sampler.latents(max(view.a, view.b) + 1, view.seed)[[view.a, view.b]]  # (2, latent)
    t = torch.from_numpy(ts.astype(np.float32))[:, None]
    z = INTERPOLATIONS[view.interpolation or sampler.interpolation](ends[:1], ends[1:], t)  # (N, latent)
    steps = torch.tensor(view.steps[: len(directions)])
    z = z + steps @ directions[: len(steps)]
    if not model.classes:
        return sampler.pictures(z)
    ends_labels = [i % len(model.classes) if view.label is None else view.label for i in (view.a, view.b)]
    first, last = np.eye(len(model.classes))[ends_labels]
    return sampler.pictures(z, (1 - ts[:, None]) * first + ts[:, None] * last)


def grid(registry: ModelRegistry, model: Model, view: View) -> np.ndarray:
    """The random samples among which A and B are chosen: uint8 (N, C, H, W), row by row."""
    return registry.load(model)[0].sample(columns(model) * ROWS, view.seed, view.label)[0]


def image(registry: ModelRegistry, model: Model, view: View) -> np.ndarray:
    """One picture, uint8 (1, C, H, W)."""
    return walk(registry, model, view, np.array([view.t]))


def strip(registry: ModelRegistry, model: Model, view: View) -> np.ndarray:
    """The way from A to B, uint8 (STRIP, C, H, W)."""
    return walk(registry, model, view, np.linspace(0, 1, STRIP))


def describe(model: Model) -> dict[str, Any]:
    """What the page needs to know of a model."""
    known = ("dataset", "step", "images", "seconds", "seed")
    about = {key: model.info[key] for key in known if isinstance(model.info.get(key), (str, int, float))}
    return {"name": model.name, "version": model.version, "state": model.state,
            "live": model.live, "classes": model.classes, "interpolation": model.interpolation,
            "columns": columns(model), "rows": ROWS, "strip": STRIP, "about": about}  # fmt: skip


def routes(registry: ModelRegistry) -> list[Route]:
    """The four addresses above."""

    async def models(request: Request) -> Response:
        rows = [describe(model) for model in await run_in_threadpool(registry.models)]
        return JSONResponse(rows, headers={"Cache-Control": "no-store"})

    drawn = {"image": (image, 1), "strip": (strip, STRIP), "grid": (grid, 0)}
    pictures = [
        Route(f"/studio/explore/{name}", _answer(registry, draw, wide))
        for name, (draw, wide) in drawn.items()
    ]
    return [Route("/studio/explore/models", models), *pictures]


Draw = Callable[[ModelRegistry, Model, View], np.ndarray]


def _answer(registry: ModelRegistry, draw: Draw, wide: int) -> Callable[[Request], Any]:
    def make(query: Mapping[str, str], tongue: str) -> Response:
        try:
            model = registry.model(query.get("model", ""))
            pictures = draw(registry, model, parse(query, model))
        except GanError as error:
            status = 404 if isinstance(error, WeightsError) else 400
            return JSONResponse({"error": sentences(error.messages, tongue)}, status_code=status)
        return _encoded(to_grid(pictures, wide or columns(model)), query, model)

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(make, dict(request.query_params), language(request))

    return answer


def _encoded(picture: Image.Image, query: Mapping[str, str], model: Model) -> Response:
    kept = FOREVER if query.get("v") == model.version else "no-store"
    headers = {"Cache-Control": kept}
    if query.get("format") != "png":
        return Response(webp(picture), media_type="image/webp", headers=headers)
    scale = max(1, min(16, int(query["scale"][:4]))) if query.get("scale", "").isdecimal() else 1
    scale = min(scale, max(1, 4096 // max(picture.size)))
    picture = picture.resize((picture.width * scale, picture.height * scale), 0)  # 0: nearest, stays crisp
    if query.get("save"):
        name = "".join(c if (c.isascii() and c.isalnum()) or c in "-_" else "-" for c in query["save"])[:60]
        headers["Content-Disposition"] = f'attachment; filename="{name}.png"'
    return Response(png(picture), media_type="image/png", headers=headers)
