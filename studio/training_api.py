"""Training by the public API: start a run, ask how it is, stop it.

    /start_training(settings)   JSON text, {"dataset": "mnist", "preset": "digits", "seconds": 10}: a run id
    /run_status(run)            JSON
    /stop_training(run)         JSON, as it was when the request arrived

A run is stopped by whoever started it: by the same token in the header X-Studio-Owner, a text that the caller
chooses, or, without one and without a proxy, from the same address (`owners.py`). What cannot be used is
refused by name, in one sentence.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import gradio as gr

from gan_core import presets
from gan_core.config import knobs
from gan_core.errors import ConfigError
from gan_core.knobs import unknown_names
from gan_core.messages import Message
from gan_core.runs.layout import find_run
from gan_core.runs.reader import Status, read_status
from studio import run_controls
from studio.handlers import answered
from studio.owners import address_of, owner_of
from studio.redact import redact
from studio.services import Services
from studio.words import sentences

LONGEST = 20_000  # letters of settings
EXAMPLE = '{"dataset": "mnist"}'
HIDDEN = ("pid", "born", "host")  # about the server, nothing for a visitor


def parse(settings: object) -> tuple[str, dict[str, Any]]:
    """(preset, settings by name) from JSON text; empty text is the first preset as it is.

    Raises:
        ConfigError: for text that is no JSON object or too long, and for every unknown name.
    """
    settings = settings or "{}"
    if not isinstance(settings, str):
        raise ConfigError("settings-text", field="settings", example=EXAMPLE)
    if len(settings) > LONGEST:
        raise ConfigError("settings-long", field="settings", count=len(settings), most=LONGEST)
    try:
        values = json.loads(settings)
    except (ValueError, RecursionError) as error:
        raise ConfigError("settings-json", field="settings", reason=error) from error
    if not isinstance(values, dict):
        raise ConfigError("settings-object", field="settings", example=EXAMPLE)
    preset = values.pop("preset", next(iter(presets.PRESETS)))
    problems = unknown_names([preset], presets.PRESETS, "presets") if isinstance(preset, str) else [
        Message("wrong-type", field="preset", value=repr(preset), kind="str")
    ]  # fmt: skip
    problems += unknown_names(values, (*knobs(), "preset"), "setting")
    if problems:
        raise ConfigError.of(problems)
    return preset, values


def start(services: Services, settings: object, owner: str, address: str = "") -> str:
    """Queue a run and return its id. Raises `ConfigError`, `DataError` and `JobError`."""
    return run_controls.start(services, *parse(settings), owner, address)


def status(services: Services, run: str) -> dict[str, Any]:
    """How a run is, as plain JSON values. Raises `RunError`."""
    return describe(read_status(find_run(services.runs, run)))


def stop(services: Services, run: str, owner: str) -> dict[str, Any]:
    """End the run of `owner`. Raises `RunError` and `JobError`."""
    run_controls.stop(services, run, owner)
    return status(services, run)


def describe(about: Status) -> dict[str, Any]:
    """A status as plain JSON values, with progress (0 to 1), the seconds that remain, and its messages both
    as codes with values and as one English text."""
    values = {name: value for name, value in asdict(about).items() if name not in HIDDEN}
    told = {"messages": [asdict(message) for message in redact(about.messages)],
            "message": sentences(about.messages, "en")}  # fmt: skip
    return values | told | {"progress": about.progress, "remaining": about.remaining}


def build_api(services: Services) -> None:
    """Add the three endpoints to the Blocks that is being built."""
    proxied = services.hosts.proxied

    def start_training(settings: str, request: gr.Request) -> str:
        return start(services, settings, owner_of(request, proxied), address_of(request, proxied))

    def run_status(run: str) -> dict[str, Any]:
        return status(services, run)

    def stop_training(run: str, request: gr.Request) -> dict[str, Any]:
        return stop(services, run, owner_of(request, proxied))

    for endpoint in (start_training, run_status, stop_training):
        gr.api(answered(endpoint), api_name=endpoint.__name__, queue=False)
