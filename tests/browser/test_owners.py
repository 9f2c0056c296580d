"""Two visitors: both watch a run, one of them started it, and nobody else can hold or end it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from generators import Server
from playwright.sync_api import Page, expect

from browser.conftest import Open
from gan_core.runs.layout import find_run
from gan_core.runs.reader import list_runs, read_status

pytestmark = [pytest.mark.browser, pytest.mark.slow]

READY = "#train-start"
PATIENT = 150_000  # milliseconds; a worker has the lowest priority, and the machine may be busy
REFUSED = {"en-US": "only whoever started it can", "zh-CN": "只有开始它的人才能"}

# what a page does when it presses Stop or Pause, with another run's id in place of the own one
PRESS = """async ([element, run]) => {
  const config = await (await fetch("/config")).json();
  const id = config.components.find((one) => one.props.elem_id === element).id;
  const event = config.dependencies.find((one) => one.targets.some(([target]) => target === id));
  const body = { fn_index: event.id, session_hash: "attack", data: [run] };
  const headers = { "Content-Type": "application/json" };
  await fetch("/gradio_api/queue/join", { method: "POST", headers, body: JSON.stringify(body) });
  return await (await fetch("/gradio_api/queue/data?session_hash=attack")).text();
}"""
TOKEN = "localStorage.getItem('studio-owner')"


def begin(page: Page, runs: Path) -> str:
    """Start a run on glyphs that does not end by itself soon; its id."""
    page.locator("#train-dataset input").click()
    page.get_by_role("option", name="Drawn digits").click()
    page.wait_for_selector('dataset-preview[name="glyphs"] img[src$="name=glyphs"]', timeout=PATIENT)
    page.locator("#train-budget label", has_text="Other").click()
    page.locator("#train-seconds input").fill("600")
    page.locator("#train-seconds input").blur()
    before = {status.id for status in list_runs(runs)}
    page.locator("#train-start").click()
    page.wait_for_selector('live-status[view="train"][data-state="running"]', timeout=PATIENT)
    (run,) = {status.id for status in list_runs(runs)} - before
    return run


def state(runs: Path, run: str) -> str:
    return read_status(find_run(runs, run)).state


@pytest.mark.parametrize("locale", REFUSED)
def test_another_visitor_can_watch_a_run_and_not_touch_it(
    visit: Open, runs: Path, server: Server, locale: str
) -> None:
    mine = visit("/?tab=train", ready=READY)
    run = begin(mine, runs)
    yours = visit(f"/?tab=watch&run={run}", ready="#watch-losses", locale=locale)
    yours.wait_for_selector('#watch-status live-status[data-state="running"]', timeout=PATIENT)
    tokens = [page.evaluate(TOKEN) for page in (mine, yours)]
    assert len(set(tokens)) == 2 and all(len(token) == 32 for token in tokens)

    for button in ("train-pause", "train-stop"):
        told = yours.evaluate(PRESS, [button, run])
        assert REFUSED[locale] in notices(told), told
    with httpx.Client(base_url=server.address, timeout=30) as api:
        for headers in ({}, {"X-Studio-Owner": tokens[1]}):
            asked = api.post("/gradio_api/run/stop_training", json={"data": [run]}, headers=headers)
            assert asked.status_code == 500 and REFUSED["en-US"] in asked.json()["error"]
            for method, path in (("DELETE", f"/studio/live?run={run}"), ("POST", "/gradio_api/run/delete")):
                assert api.request(method, path, headers=headers, json={"data": [run]}).status_code >= 400
    time.sleep(1.5)  # an order would have been heard by now
    assert state(runs, run) == "running"

    mine.locator("#train-pause").click()
    mine.wait_for_selector('live-status[view="train"][data-state="paused"]', timeout=PATIENT)
    mine.reload()  # the token stays with the browser
    expect(mine.locator("#train-stop")).to_be_enabled(timeout=PATIENT)
    mine.locator("#train-stop").click()
    mine.wait_for_selector('live-status[view="train"][data-state="stopped"]', timeout=PATIENT)
    assert state(runs, run) == "stopped"


def notices(told: str) -> str:
    """The sentences of the notices in a stream of events."""
    events: list[Any] = [json.loads(line[5:]) for line in told.splitlines() if line.startswith("data:")]
    return " ".join(str(event["log"]) for event in events if event.get("msg") == "log")


@pytest.mark.parametrize("framed", [False, True], ids=["page", "frame"])
def test_each_request_of_a_page_says_whose_it_is(visit: Open, server: Server, framed: bool) -> None:
    """Also in the frame of another site, as a Space is shown, where no cookie would be sent."""
    page = visit("/?tab=train", ready=READY)
    part: Any = page
    if framed:
        page.set_content(f'<iframe src="{server.address}/?tab=train" width="1200" height="800"></iframe>')
        part = page.frames[-1]
        part.wait_for_selector(READY, state="attached", timeout=30_000)
    asked: list[Any] = []
    page.on("request", lambda request: asked.append(request))
    part.locator("#train-dataset input").click()
    part.get_by_role("option", name="Drawn digits").click()
    part.wait_for_selector('dataset-preview[name="glyphs"] img[src$="name=glyphs"]', timeout=PATIENT)
    sent = [request.headers.get("x-studio-owner") for request in asked if request.method == "POST"]
    assert sent and set(sent) == {part.evaluate(TOKEN)}
