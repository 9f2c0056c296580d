"""Watch: any run, live or finished: its curves, its pictures beside real ones, and where it stands.

Gradio holds the choice of the run; everything that moves is drawn by `web/live.js` from the plain routes of
`studio.live`, so that nothing flickers and the reader's zoom stays.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from starlette.routing import Route

from gan_core.runs.reader import ACTIVE, Status, list_runs
from studio.handlers import guarded
from studio.live import Live
from studio.names import run_title
from studio.owners import owner_of
from studio.run_controls import controls
from studio.services import Services
from studio.words import language, pick, t

OFFERED = 200  # newest runs in the list


@dataclass(frozen=True)
class Handles:
    """What other tabs may listen to or set: the chosen run's id, "explore this one", "try the remedy"."""

    run: gr.Dropdown
    explore: gr.Button
    cure: gr.Button


def routes(services: Services) -> list[Route]:
    """GET /studio/live, /studio/sample, /studio/real."""
    return Live(services.runs, services.jobs.queue).routes()


def label(status: Status, tongue: str, now: float) -> str:
    """A run as a person would name it: "MNIST · Digits, in seconds · 10 s · finished · 3 min ago"."""
    return pick(
        "watch.label",
        tongue,
        title=run_title(status.dataset, status.preset, tongue, status.id),
        budget=_budget(status.budget, tongue),
        state=pick(f"watch.state.{status.state}", tongue),
        ago=_ago(now - status.created, tongue),
    )


def choose(wish: str, own: str, statuses: Sequence[Status]) -> str | None:
    """The run to show: the one wished for, else the visitor's own live one, else the newest."""
    states = {status.id: status.state for status in statuses}
    if wish in states:
        return wish
    if states.get(own) in ACTIVE:
        return own
    return statuses[0].id if statuses else None


def listing(services: Services, wish: str, own: str, tongue: str) -> tuple[list[tuple[str, str]], str | None]:
    """((label, id) of the newest runs, the id to show)."""
    statuses = list_runs(services.runs)
    chosen = choose(wish, own, statuses)
    offered = [s for i, s in enumerate(statuses) if i < OFFERED or s.id == chosen]
    now = time.time()
    return [(label(status, tongue, now), status.id) for status in offered], chosen


def build(services: Services) -> Handles:
    """Lay out the tab inside the Blocks that is being built."""
    with gr.Column(elem_id="watch-panel"):
        with gr.Row(elem_classes="watch-head"):
            run = gr.Dropdown(
                [], value=None, label=t("watch.run"), info=t("watch.run.help"), elem_id="watch-run", scale=4
            )
            explore = gr.Button(
                t("watch.explore"), variant="primary", interactive=False, elem_id="watch-explore", scale=1
            )
        with gr.Row(elem_classes="watch-now"):
            _plain('<live-pictures view="watch" real></live-pictures>', "watch-samples")
            _plain('<live-status view="watch"></live-status>', "watch-status")
        _plain('<live-verdict view="watch"></live-verdict>', "watch-verdict")
        _plain('<live-charts view="watch"></live-charts>', "watch-losses")
    cure = gr.Button(visible="hidden", elem_id="watch-cure")
    wish = gr.Textbox(visible="hidden")
    sync = gr.Button(visible="hidden", elem_id="watch-sync")

    def refresh(wished: str, request: gr.Request) -> Any:
        wanted, _, own = (wished or "").partition("|")
        choices, chosen = listing(services, wanted, own, language(request))
        can = controls(services, chosen or "", owner_of(request, services.hosts.proxied)).explore
        return gr.update(choices=choices, value=chosen), gr.update(interactive=can)

    sync.click(
        guarded(refresh), wish, [run, explore], js="() => window.studio.watchWish()", queue=False,
        show_progress="hidden", api_visibility="private", trigger_mode="always_last",
    ).then(
        None, run, None, js="(id) => window.studio.watchFound(id)", queue=False, api_visibility="private"
    )  # fmt: skip
    run.change(None, run, None, js="(id) => window.studio.watchShow(id)", api_visibility="private")
    return Handles(run, explore, cure)


def _plain(html: str, elem_id: str) -> gr.HTML:
    return gr.HTML(html, elem_id=elem_id, apply_default_css=False)


def _budget(budget: dict[str, float | None], tongue: str) -> str:
    if seconds := budget.get("seconds"):
        return pick("live.time.seconds", tongue, n=f"{seconds:g}")
    for name in ("steps", "images"):
        if count := budget.get(name):
            return pick(f"watch.budget.{name}", tongue, n=f"{count:,.0f}")
    return pick("watch.budget.none", tongue)


def _ago(seconds: float, tongue: str) -> str:
    for name, unit in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= unit:
            return pick(f"watch.ago.{name}", tongue, n=int(seconds // unit))
    return pick("watch.ago.now", tongue)
