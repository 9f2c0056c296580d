"""Explore: walk through what a generator can draw.

Gradio holds the inputs. Every picture is drawn by `web/explore.js`, which asks the plain routes of
`studio.pictures`: a slider's event is no job on the server's queue, so the picture follows the hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from starlette.routing import Route

from gan_core.latent import INTERPOLATIONS
from studio import pictures
from studio.handlers import guarded
from studio.models import DIRECTIONS, Model, ModelRegistry
from studio.names import model_title
from studio.services import Services
from studio.words import language, span, t, t_or

EACH = "each"  # the class choice that leaves every sample its own


@dataclass(frozen=True)
class Handles:
    """What other tabs may set: the chosen model, by its public name."""

    model: gr.Dropdown


def routes(services: Services) -> list[Route]:
    """GET /studio/explore/..."""
    return pictures.routes(services.registry)


def choices(models: list[Model], tongue: str) -> list[tuple[str, str]]:
    """(title, name) of each model for the list."""
    return [(model_title(model, tongue), model.name) for model in models]


def class_choices(model: Model | None) -> list[tuple[Any, str]]:
    """(name, label) of each class, after "one of each"; empty for a model without classes."""
    if model is None or not model.classes:
        return []
    names = [t_or(f"class.{name}", name) for name in model.classes]
    return [(t("explore.class.each"), EACH), *((name, str(i)) for i, name in enumerate(names))]


def build(services: Services) -> Handles:
    """Lay out the tab inside the Blocks that is being built."""
    models = services.registry.models()
    first = models[0] if models else None
    gr.HTML(_empty(), elem_id="explore-empty")
    with gr.Row(elem_id="explore-panel"):
        with gr.Column(elem_id="explore-walk", scale=5, min_width=300):
            gr.HTML("", elem_id="explore-image")
            inputs = [*_interpolation(first)]
        with gr.Column(elem_id="explore-choose", scale=6, min_width=300):
            model = gr.Dropdown(
                choices(models, "en"), value=first.name if first else None, label=t("explore.model"),
                elem_id="explore-model", filterable=False,
            )  # fmt: skip
            gr.HTML('<p id="explore-about" class="quiet"></p>')
            label = gr.Radio(
                class_choices(first), value=EACH, label=t("explore.class"), elem_id="explore-class",
                visible=bool(first and first.classes),
            )  # fmt: skip
            seed = _samples()
            inputs += [seed, label, *_directions()]
    _connect(services.registry, model, label, inputs)
    return Handles(model)


def _empty() -> str:
    return (
        f'<section class="empty" hidden><h2>{span("explore.empty.title")}</h2><p>{span("explore.empty")}</p>'
        f'<button data-do="tab" data-tab="train">{span("explore.empty.do")}</button></section>'
    )


def _interpolation(first: Model | None) -> tuple[gr.Slider, gr.Radio]:
    """From A to B, interpolated as suits the first model."""
    place = gr.Slider(0, 1, value=0, step=0.005, label=t("explore.t"), elem_id="interpolate-t", buttons=[])
    gr.HTML("", elem_id="explore-strip")
    offered = [(t(f"explore.interpolation.{name}"), name) for name in INTERPOLATIONS]
    interpolation = gr.Radio(
        offered, value=first.interpolation if first else "spherical",
        label=t("explore.interpolation"), info=t("explore.interpolation.help"),
        elem_id="explore-interpolation",
    )  # fmt: skip
    gr.HTML('<p id="explore-astray" class="quiet" role="status"></p>')
    return place, interpolation


def _samples() -> gr.Number:
    """The random samples and the seed they come from."""
    gr.HTML(
        f'<h2>{span("explore.grid")}</h2><p class="quiet">{span("explore.grid.help")}</p>',
        elem_classes="heading",
    )
    gr.HTML("", elem_id="explore-grid")
    with gr.Row(elem_id="explore-seeds"):
        new = gr.Button(t("explore.new"), variant="primary", elem_id="explore-new", min_width=120, scale=0)
        seed = gr.Number(
            0, label=t("explore.seed"), precision=0, minimum=0, maximum=pictures.SEEDS,
            elem_id="explore-seed", min_width=120, scale=0,
        )  # fmt: skip
        gr.HTML("", elem_id="explore-grid-save")
    gr.HTML('<p id="explore-seed-note" class="quiet" role="status"></p>')
    new.click(None, None, seed, js="() => window.studio.explore.fresh()", api_visibility="private")
    return seed


def _directions() -> list[gr.Slider]:
    """Steps along the directions in which the pictures change most."""
    gr.HTML(
        f'<h2>{span("explore.directions")}</h2><p class="quiet">{span("explore.directions.help")}</p>',
        elem_classes="heading",
    )
    with gr.Column(elem_id="explore-directions"):
        sliders = [
            gr.Slider(
                -4, 4, value=0, step=0.05, label=t(f"explore.direction.{n}"), buttons=[],
                elem_id=f"explore-direction-{n}",
            )
            for n in range(1, DIRECTIONS + 1)
        ]  # fmt: skip
    reset = gr.Button(t("explore.reset"), elem_id="explore-reset", size="sm")
    reset.click(None, None, sliders, js="() => window.studio.explore.reset()", api_visibility="private")
    return sliders


def _connect(registry: ModelRegistry, model: gr.Dropdown, label: gr.Radio, inputs: list[Any]) -> None:
    """Hand what the visitor does to `web/explore.js`; ask Python for the lists of models and classes only."""

    def classes(wished: str) -> Any:
        name, _, chosen = (wished or "").rpartition("|")
        offered = class_choices(registry.model(name)) if name else []
        known = chosen in [value for _, value in offered]
        return gr.update(choices=offered, value=chosen if known else EACH, visible=bool(offered))

    def refresh(request: gr.Request) -> Any:
        return gr.update(choices=choices(registry.models(), language(request)))

    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    set_all = "(...values) => { window.studio.explore.set(values); return []; }"
    for component in inputs:
        component.input(None, inputs, None, js=set_all, api_visibility="private")
    wish = gr.Textbox(visible="hidden")
    show = "async (name) => { await window.studio.explore.show(name); return []; }"
    asked, values = ("() => window.studio.explore.wish()", "() => window.studio.explore.values()")
    changed = model.change(None, model, None, js=show, api_visibility="private")
    listed = changed.then(guarded(classes), wish, label, js=asked, **quiet)
    rest = "() => window.studio.explore.values().slice(1)"
    listed.then(None, None, inputs, js=rest, api_visibility="private")

    # web/explore.js presses this one when the list may have changed, first of all when the page is opened
    again = gr.Button(visible="hidden", elem_id="explore-refresh")
    offered = again.click(guarded(refresh), None, model, **quiet)
    offered.then(None, None, [model, *inputs], js=values, api_visibility="private")
