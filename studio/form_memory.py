"""The Train form as its visitor left it: kept by the browser's tab, put back as far as it can still be used.

What is kept is JSON, `{"dataset": ..., "preset": ..., "budget": ..., "seconds": ..., SETTING: ...}`, each
value as its widget has it. It comes from a browser, so nothing of it is believed: what cannot be read, or is
no choice or out of range, gives way to what the recipe says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components import Component

from gan_core.catalog import choices
from gan_core.config import TrainConfig, kind, knobs
from gan_core.data import DATASETS
from gan_core.knobs import convert, range_problem
from gan_core.presets import PRESETS, settings
from studio import forms

LONGEST = 20_000  # letters that are looked at


def recall(text: str, dataset: str, budgets: Collection[int]) -> tuple[str, TrainConfig]:
    """(preset, settings) of the form that `text` describes; `dataset` where it names none that there is.

    `budgets` are the seconds that the form offers; with any other choice the number beside it counts.
    """
    kept = _object(text)
    dataset = str(_one_of(DATASETS, kept.get("dataset"), dataset))
    preset = str(_one_of(PRESETS, kept.get("preset"), forms.preset_for(dataset, next(iter(PRESETS)))))
    base = settings(preset, {"dataset": dataset})
    if _one_of(budgets, budget := kept.get("budget"), None) is not None:
        kept["seconds"] = budget
    names = forms.shown_knobs().keys() & kept.keys()
    good = {name: value for name in names for value in _usable(name, kept[name])}
    return preset, replace(base, **good | {"dataset": dataset})


def wire_memory(
    named: Mapping[str, Component], put_back: Callable[..., Any], outputs: set[Component]
) -> None:
    """Let the browser keep what the `named` widgets hold, and hand it to `put_back` in a page opened anew."""
    private: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    keep = f"(...values) => window.studio.trainKeep({json.dumps(list(named))}, values)"
    changes = [widget.change for widget in named.values()]
    gr.on(changes, None, list(named.values()), None, js=keep, **private)
    kept, again = gr.Textbox(visible="hidden"), gr.Button(visible="hidden", elem_id="train-recall")
    asked = again.click(put_back, kept, outputs, js="() => window.studio.trainKept()", **private)
    asked.then(None, js="() => window.studio.trainRecalled()", **private)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text) if len(text) <= LONGEST else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _one_of(known: Collection[Any] | Mapping[str, Any], value: Any, otherwise: Any) -> Any:
    return value if isinstance(value, (str, int)) and value in known else otherwise


def _usable(name: str, value: Any) -> list[Any]:
    """`value` as the setting's own type, in a list; an empty one where it cannot be used."""
    try:
        read = convert(value, *kind(name))
    except ValueError:
        return []
    offered = choices(name)
    return [] if range_problem(name, read, knobs()[name]) or (offered and read not in offered) else [read]
