"""What the doctor says of a run, as the page shows it, and the run that tries his remedy."""

from __future__ import annotations

from typing import Any

from gan_core.config import TrainConfig, knobs, to_mapping
from gan_core.errors import RunError
from gan_core.remedies import remedy_for
from gan_core.runs.layout import RunPaths, find_run
from gan_core.runs.reader import Verdict, read_settings, read_verdicts
from studio.run_controls import start
from studio.services import Services
from studio.words import pick, pick_or, sentences

CALM = ("healthy", "too-early", "worse-than-before")  # verdicts that name no trouble


class Verdicts:
    """The newest verdict on one run; its file is read when it has grown."""

    def __init__(self, run: RunPaths) -> None:
        self._run = run
        self._size = -1
        self._newest: Verdict | None = None

    def newest(self) -> Verdict | None:
        """None where nothing was said, as of runs that were trained before there was a doctor."""
        try:
            size = self._run.verdicts.stat().st_size
        except OSError:
            return None
        if size != self._size:
            said = read_verdicts(self._run)
            self._size, self._newest = size, said[-1] if said else None
        return self._newest


def shown(verdict: Verdict | None, config: TrainConfig | None, tongue: str) -> dict[str, Any] | None:
    """`verdict` in words: {"kind", "step", "grave", "text", "why", "cure": what to change or "", "since": the
    first step at which it shows, "curve": where}."""
    if verdict is None:
        return None
    changes = remedy_for(verdict.kind, config) if config else {}
    return {
        "kind": verdict.kind,
        "step": verdict.step,
        "grave": verdict.kind not in CALM,
        "text": sentences(verdict.messages, tongue),
        "why": sentences([verdict.why], tongue),
        "cure": listed(changes, tongue),
        "since": verdict.figures.get("since"),
        "curve": verdict.figures.get("curve"),
    }


def listed(changes: dict[str, Any], tongue: str) -> str:
    """Settings and their new values in words: "Loss: hinge, Batch: 64"."""
    labels = {name: pick_or(f"knobs.{name}.label", name, tongue) for name in changes}
    named = [f"{labels[name]}: {_value(new, tongue)}" for name, new in changes.items()]
    return ("、" if tongue == "zh" else ", ").join(named)


def _value(value: Any, tongue: str) -> str:
    if value is None:
        return pick("verdict.empty", tongue)
    return f"{value:g}" if isinstance(value, float) else str(value)


def start_cure(services: Services, run_id: str, owner: str, address: str) -> str:
    """Queue the run `run_id` again with what its newest verdict says to change, as a run of `owner`; its id.

    Raises:
        RunError: there is no such run, or nothing to change.
        ConfigError, JobError, DataError: as `run_controls.start`.
    """
    run = find_run(services.runs, run_id)
    preset, config = read_settings(run)
    verdict = Verdicts(run).newest()
    changes = remedy_for(verdict.kind, config) if verdict else {}
    if not changes:
        raise RunError("no-remedy", run=run.id)
    values = {name: value for name, value in to_mapping(config).items() if not knobs()[name].local}
    if (
        services.longest and config.seconds is not None
    ):  # the run may have been longer than a visitor's may be
        values["seconds"] = min(config.seconds, services.longest)
    return start(services, preset, {**values, **changes}, owner, address)
