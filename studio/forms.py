"""Settings <-> widgets, by field name and never by position.

Everything a widget needs (type, range, choices, group) comes from `gan_core.config.knobs`, its words from
`text/knobs.json`; a new setting appears on the page without a line here. Settings about the machine that
a visitor must not choose (`Knob.local`) are never shown and never taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from gan_core import presets
from gan_core.catalog import check, choices
from gan_core.config import TrainConfig, kind, knobs
from gan_core.data import available
from gan_core.errors import ConfigError
from gan_core.flags import ALWAYS
from gan_core.knobs import Knob
from gan_core.messages import Message
from gan_core.rules import applies, depends
from studio.words import t_or


@dataclass(frozen=True)
class Form:
    """The widgets of one form by setting name."""

    fields: dict[str, Component]

    def read(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """What the visitor entered, by setting name, from what Gradio hands a handler (by widget)."""
        return {name: values[widget] for name, widget in self.fields.items() if widget in values}

    def show(self, config: TrainConfig) -> dict[Component, Any]:
        """The widgets with the values of `config`, as a handler returns them."""
        return {widget: getattr(config, name) for name, widget in self.fields.items()}

    def fit(self, config: TrainConfig) -> dict[Component, Any]:
        """Show the widgets that mean something with `config`, hide those that do not."""
        return {widget: gr.update(visible=applies(name, config)) for name, widget in self.dependents.items()}

    @property
    def dependents(self) -> dict[str, Component]:
        """The widgets that mean something only with a certain choice elsewhere."""
        return {name: widget for name, widget in self.fields.items() if depends(name)}


def changed(preset: str, config: TrainConfig) -> list[str]:
    """The settings of the form in which `config` differs from its recipe, by name."""
    names = presets.beyond_preset(preset, config)
    return [name for name in names if name in shown_knobs() and name not in ALWAYS]


def shown_knobs() -> dict[str, Knob]:
    """The settings a visitor may choose, in order."""
    return {name: about for name, about in knobs().items() if not about.local}


def groups(skip: Collection[str] = ()) -> Iterator[tuple[str, list[str]]]:
    """(group, its setting names) of all shown settings but `skip`, in order."""
    shown = {name: about for name, about in shown_knobs().items() if name not in skip}
    for group in dict.fromkeys(about.group for about in shown.values()):
        yield group, [name for name, about in shown.items() if about.group == group]


def build_form(config: TrainConfig, skip: Collection[str] = ()) -> Form:
    """Lay out one widget a setting, a folded accordion a group, with the values of `config`."""
    fields: dict[str, Component] = {}
    for group, names in groups(skip):
        with gr.Accordion(t_or(f"knobs.group.{group}", group), open=False, elem_classes="knobs"), gr.Row():
            for name in names:
                fields[name] = widget(name, getattr(config, name), applies(name, config))
    return Form(fields)


def widget(name: str, value: Any, visible: bool = True) -> Component:
    """The widget of one setting: a switch, a choice, a slider for a short range, a number, or a line of text
    where it may be left empty."""
    about = knobs()[name]
    plain, optional = kind(name)
    words: dict[str, Any] = {
        "label": t_or(f"knobs.{name}.label", name),
        "info": t_or(f"knobs.{name}.help", about.help),
        "elem_id": f"knob-{name.replace('_', '-')}",
        "min_width": 240,
        "visible": visible,
    }
    if plain is bool:
        return gr.Checkbox(value, **words)
    if offered := choices(name):
        return gr.Dropdown(list(offered), value=value, filterable=False, **words)
    if plain is str or optional:  # a number field would turn "left empty" into 0
        return gr.Textbox(None if value is None else str(value), **words)
    if about.scale == "linear" and _span(about) <= 20:
        fine = 0.00001 if _span(about) <= 1 else 0.001  # beta2 may be .9999
        return gr.Slider(about.low, about.high, value=value, step=1 if plain is int else fine, **words)
    return gr.Number(value, **words)


def configure(preset: str, values: Mapping[str, Any]) -> TrainConfig:
    """The settings of `preset` with a visitor's `values` put in.

    Raises:
        ConfigError: every unknown, unusable or local setting, each with one sentence.
    """
    local = [name for name in values if name in knobs() and knobs()[name].local]
    if local:
        raise ConfigError.of(Message("setting-local", field=name) for name in local)
    return check(presets.settings(preset, values))


def preset_for(dataset: str, current: str) -> str:
    """The recipe to propose with a data set: the present one if it is made for it, else one that is."""
    made_for = [name for name, preset in presets.PRESETS.items() if preset.settings.get("dataset") == dataset]
    return current if current in made_for or not made_for else made_for[0]


def dataset_for(preset: str, current: str, root: str) -> str:
    """The data set to propose with a recipe: its own when it is here, else the present one."""
    wanted = presets.settings(preset, {}).dataset
    return wanted if available(wanted, root) else current


def _span(about: Knob) -> float:
    if about.low is None or about.high is None:
        return float("inf")
    return about.high - about.low
