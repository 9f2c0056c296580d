"""Train: a look at the data, a recipe, a budget, Start; then the show.

Handlers take and give plain values; `build` ties them to widgets. Buttons act on the visitor's own run only:
its id is kept in the visitor's browser, so that a reload finds it again and nobody else's page names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component
from starlette.routing import Route

from gan_core.catalog import check_name
from gan_core.config import TrainConfig
from gan_core.data import DATASETS, available
from gan_core.errors import ConfigError
from gan_core.flags import command_line
from gan_core.presets import PRESETS, settings
from gan_core.rules import warnings
from studio import forms
from studio.dataset_preview import DatasetPreviews, first_choice
from studio.estimate import estimate_of, memory_of
from studio.form_memory import recall, wire_memory
from studio.handlers import guarded
from studio.owners import address_of, owner_of
from studio.run_controls import controls, download, pause_or_continue, plan, start, stop
from studio.services import Services
from studio.words import language, pick, pick_or, sentences, t, t_or

BUDGETS = (10, 30, 60, 120, 300)  # seconds; another number in a field of its own
CUSTOM = 0
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True)
class Handles:
    """What other tabs may listen to: the visitor's own run's id, "explore this one", "watch the curves"."""

    own: gr.BrowserState
    explore: gr.Button
    watch: gr.Button


@dataclass(frozen=True)
class Widgets:
    """The tab's widgets that handlers read or set."""

    dataset: gr.Dropdown
    download: gr.Button
    dataset_preview: gr.HTML
    preset: gr.Dropdown
    budget: gr.Radio
    seconds: gr.Number
    hint: gr.HTML
    start: gr.Button
    stop: gr.Button
    pause: gr.Button
    explore: gr.Button
    watch: gr.Button
    command: gr.Textbox
    changed: gr.HTML
    restore: gr.Button
    form: forms.Form
    own: gr.BrowserState


def routes(services: Services) -> list[Route]:
    """GET /studio/data, /studio/preview."""
    return DatasetPreviews(services.data_root).routes()


def build(services: Services) -> Handles:
    """Lay out the tab inside the Blocks that is being built."""
    dataset = first_choice(services.data_root)
    preset = forms.preset_for(dataset, next(iter(PRESETS)))
    config = settings(preset, {"dataset": dataset})
    with gr.Row(elem_id="train-panel"):
        with gr.Column(scale=4, min_width=300, elem_id="train-form"):
            parts = _lay_out(config, preset, services.data_root, services.downloads)
        with gr.Column(scale=7, min_width=300, elem_id="train-live"):
            _plain('<live-status view="train"></live-status>', "train-status")
            _plain('<live-pictures view="train"></live-pictures>', "train-samples")
            with gr.Row(elem_id="train-after"):
                explore = gr.Button(t("train.explore"), elem_id="train-explore", interactive=False)
                watch = gr.Button(t("train.watch"), elem_id="train-watch", interactive=False)
    parts |= _lay_out_settings(config, preset)
    widgets = Widgets(**parts, explore=explore, watch=watch)
    _wire_form(services, widgets)
    _wire_download(widgets, services)
    _wire_run(services, widgets)
    return Handles(widgets.own, explore, watch)


def _lay_out(config: TrainConfig, preset: str, root: str, downloads: bool) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    titles = [(t_or(f"dataset.{name}", source.title), name) for name, source in DATASETS.items()]
    parts["dataset"] = gr.Dropdown(
        titles, value=config.dataset, label=t("train.dataset"), filterable=False, elem_id="train-dataset"
    )
    parts["dataset_preview"] = _plain(_preview(config.dataset, root), "train-preview")
    missing = not available(config.dataset, root) and downloads
    parts["download"] = gr.Button(t("train.download"), visible=missing, elem_id="train-download")
    parts["preset"] = gr.Dropdown(
        [(t_or(f"preset.{name}", name), name) for name in PRESETS],
        value=preset, label=t("train.preset"), filterable=False, elem_id="train-preset",
    )  # fmt: skip
    budget, seconds = _budget(config)
    parts["budget"] = gr.Radio(
        [*((t(f"train.budget.{s}"), s) for s in BUDGETS), (t("train.budget.custom"), CUSTOM)],
        value=budget, label=t("train.budget"), elem_id="train-budget",
    )  # fmt: skip
    parts["seconds"] = gr.Number(
        seconds, label=t("train.seconds"), placeholder=t("train.seconds.none"), visible=budget == CUSTOM,
        elem_id="train-seconds",
    )  # fmt: skip
    parts["hint"] = _plain("", "train-hint")
    with gr.Row(elem_id="train-buttons"):
        parts["start"] = gr.Button(t("train.start"), variant="primary", elem_id="train-start", min_width=110)
        parts["pause"] = gr.Button(t("train.pause"), interactive=False, elem_id="train-pause", min_width=90)
        parts["stop"] = gr.Button(t("train.stop"), interactive=False, elem_id="train-stop", min_width=90)
    parts["own"] = gr.BrowserState("", storage_key="studio-own-run", secret="studio")
    return parts


def _lay_out_settings(config: TrainConfig, preset: str) -> dict[str, Any]:
    """All settings, below the pictures in the page's whole width, and what to type for the same run."""
    parts: dict[str, Any] = {}
    with gr.Accordion(t("train.settings"), open=False, elem_id="train-settings"):
        parts["changed"] = _plain("", "train-changed")
        parts["restore"] = gr.Button(t("train.restore"), visible=False, size="sm", elem_id="train-restore")
        parts["form"] = forms.build_form(config, skip=("dataset", "seconds"))
    with gr.Accordion(t("train.command"), open=False, elem_id="train-command"):
        parts["command"] = gr.Textbox(
            command_line(preset, config), show_label=False, container=False, interactive=False,
            lines=2, buttons=["copy"], elem_id="train-command-line",
        )  # fmt: skip
    return parts


def _wire_form(services: Services, w: Widgets) -> None:
    root = services.data_root
    chosen = {w.dataset, w.preset, w.budget, w.seconds}
    everything = {*chosen, *w.form.fields.values()}

    def pick_dataset(values: dict[Component, Any], request: gr.Request) -> dict[Component, Any]:
        dataset = check_name("datasets", values[w.dataset])
        return fill(dataset, forms.preset_for(dataset, values[w.preset]), language(request))

    def pick_preset(values: dict[Component, Any], request: gr.Request) -> dict[Component, Any]:
        dataset = forms.dataset_for(values[w.preset], values[w.dataset], root)
        return fill(dataset, values[w.preset], language(request))

    def fill(dataset: str, preset: str, tongue: str) -> dict[Component, Any]:
        return _filled(services, w, preset, settings(preset, {"dataset": dataset}), tongue)

    def put_back(kept: str, request: gr.Request) -> dict[Component, Any]:
        return _filled(services, w, *recall(kept or "", first_choice(root), BUDGETS), language(request))

    def describe(values: dict[Component, Any], request: gr.Request) -> dict[Component, Any]:
        return _describe(services, w, values, language(request), request.session_hash or "")

    outputs = {*chosen, w.dataset_preview, w.download, w.hint, *w.form.fields.values()}
    filled = {w.dataset.input: pick_dataset, w.restore.click: pick_preset, w.preset.input: pick_preset}
    for event, picked in filled.items():  # the same one chosen again changes nothing, so `describe` is asked
        event(
            guarded(picked), {w.dataset, w.preset}, outputs, queue=False, **PRIVATE
        ).then(None, js="() => window.studio.trainDescribe()", queue=False, **PRIVATE)  # fmt: skip
    named = {"dataset": w.dataset, "preset": w.preset, "budget": w.budget, "seconds": w.seconds}
    wire_memory(named | w.form.fields, guarded(put_back), outputs)
    w.budget.change(lambda s: gr.update(visible=s == CUSTOM), w.budget, w.seconds, queue=False, **PRIVATE)
    sync = gr.Button(visible="hidden", elem_id="train-describe")
    gr.on(
        [sync.click, *(widget.change for widget in everything)], guarded(describe), everything,
        [w.hint, w.command, w.changed, w.restore, *w.form.dependents.values()],
        trigger_mode="always_last", queue=False, **PRIVATE,
    ).then(None, js="() => window.studio.trainTiming()", queue=False, **PRIVATE)  # fmt: skip


def _filled(
    services: Services, w: Widgets, preset: str, config: TrainConfig, tongue: str
) -> dict[Component, Any]:
    """The form with these settings."""
    root = services.data_root
    budget, seconds = _budget(config)
    return w.form.show(config) | {
        w.dataset: config.dataset, w.preset: preset, w.dataset_preview: _preview(config.dataset, root),
        w.budget: budget, w.seconds: gr.update(value=seconds, visible=budget == CUSTOM),
        w.download: gr.update(visible=services.downloads and not available(config.dataset, root)),
        w.hint: _hint(preset, "", tongue),  # `describe` may still be timing what was chosen before
    }  # fmt: skip


def _describe(
    services: Services, w: Widgets, values: dict[Component, Any], tongue: str, visitor: str
) -> dict[Component, Any]:
    """What the settings in the form come to; where nobody knows how far they get, the page asks again."""
    preset = values[w.preset]
    try:
        config = plan(services, preset, entered(w, values))
    except ConfigError as error:
        problem = escape(sentences(error.messages, tongue))
        return {w.hint: f'<p class="train-problem" role="alert">{problem}</p>'}
    shown = w.form.fit(config) | _difference(w, preset, config, tongue)
    shown[w.command] = command_line(preset, config)
    speed = services.speeds.known(config)
    timed = speed is None and not services.jobs.queue() and services.speeds.ask(visitor, config)
    told = pick("train.estimate.timing", tongue) if timed else estimate_of(config, speed, tongue, preset)
    hint = _hint(preset, f"{told} {memory_of(config, tongue)}", tongue) + _cautions(config, tongue)
    return shown | {w.hint: hint + ("<i hidden data-timing></i>" if timed else "")}


def _wire_download(w: Widgets, services: Services) -> None:
    root = services.data_root

    def busy() -> Any:
        return gr.update(value=t("train.downloading"), interactive=False)

    def fetch(dataset: str) -> str:
        download(services, dataset)
        return _preview(dataset, root)

    def done(dataset: str) -> Any:
        missing = services.downloads and not available(dataset, root)
        return gr.update(value=t("train.download"), interactive=True, visible=missing)

    w.download.click(busy, None, w.download, queue=False, **PRIVATE).then(
        guarded(fetch), w.dataset, w.dataset_preview, concurrency_limit=2, **PRIVATE
    ).then(done, w.dataset, w.download, queue=False, **PRIVATE)


def _wire_run(services: Services, w: Widgets) -> None:
    proxied = services.hosts.proxied

    def press_start(values: dict[Component, Any], request: gr.Request) -> dict[Component, Any]:
        who = owner_of(request, proxied), address_of(request, proxied)
        run_id = start(services, values[w.preset], entered(w, values), *who)
        services.speeds.cancel_trial()
        return show(run_id, request) | {w.own: run_id}

    def press_stop(own: str, request: gr.Request) -> dict[Component, Any]:
        stop(services, own, owner_of(request, proxied))
        return show(own, request)

    def press_pause(own: str, request: gr.Request) -> dict[Component, Any]:
        pause_or_continue(services, own, owner_of(request, proxied))
        return show(own, request)

    def show(own: str, request: gr.Request) -> dict[Component, Any]:
        can = controls(services, own or "", owner_of(request, proxied))
        return {
            w.stop: gr.update(interactive=can.stop),
            w.pause: gr.update(value=t(f"train.{can.pause or 'pause'}"), interactive=bool(can.pause)),
            w.explore: gr.update(interactive=can.explore),
            w.watch: gr.update(interactive=can.watch),
        }

    buttons = [w.stop, w.pause, w.explore, w.watch]
    inputs = {w.dataset, w.preset, w.budget, w.seconds, *w.form.fields.values()}
    sync = gr.Button(visible="hidden", elem_id="train-sync")
    plain: dict[str, Any] = {"queue": False, **PRIVATE}
    w.start.click(guarded(press_start), inputs, [w.own, *buttons], **plain).then(
        None, w.own, None, js="(id) => window.studio.trainStarted(id)", **PRIVATE
    )
    w.stop.click(guarded(press_stop), w.own, buttons, **plain)
    w.pause.click(guarded(press_pause), w.own, buttons, **plain)
    sync.click(guarded(show), w.own, buttons, **plain)
    w.own.change(None, w.own, None, js="(id) => window.studio.trainShow(id)", **PRIVATE)


def entered(w: Widgets, values: Mapping[Any, Any]) -> dict[str, Any]:
    """The settings a visitor entered, by name; the budget is the chosen one or the custom number."""
    seconds = values[w.seconds] if values[w.budget] == CUSTOM else values[w.budget]
    return {**w.form.read(values), "dataset": values[w.dataset], "seconds": seconds}


def _budget(config: TrainConfig) -> tuple[int, float | None]:
    """(choice of the radio, number in the field beside it)."""
    if config.seconds in BUDGETS:
        return int(config.seconds or CUSTOM), config.seconds
    return CUSTOM, config.seconds


def _plain(html: str, elem_id: str) -> gr.HTML:
    return gr.HTML(html, elem_id=elem_id, apply_default_css=False)


def _preview(dataset: str, root: str) -> str:
    here = "yes" if available(dataset, root) else "no"
    return f'<dataset-preview name="{escape(dataset)}" here="{here}"></dataset-preview>'


def _difference(w: Widgets, preset: str, config: TrainConfig, tongue: str) -> dict[Component, Any]:
    """What differs from the recipe, in words, and the button that puts it back."""
    names = forms.changed(preset, config)
    labels = (pick_or(f"knobs.{name}.label", name, tongue) for name in names)
    listed = ("、" if tongue == "zh" else ", ").join(labels)
    sentence = pick("train.changed", tongue, names=listed) if names else ""
    shown = f"<p>{escape(sentence)}</p>" if names else ""
    return {w.changed: shown, w.restore: gr.update(visible=bool(names))}


def _hint(preset: str, outlook: str, tongue: str) -> str:
    summary = pick_or(f"preset.{preset}.summary", PRESETS[preset].summary, tongue)
    return f"<p>{escape(summary)} {escape(outlook)}</p>"


def _cautions(config: TrainConfig, tongue: str) -> str:
    told = (escape(sentences([warning], tongue)) for warning in warnings(config))
    return "".join(f'<p class="train-caution">{words}</p>' for words in told)
