"""A visitor of Train and Watch: starts a real run on glyphs, sees it move, pauses, stops, explores."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from generators import served
from playwright.sync_api import Browser, Page, expect
from synthetic import make_run

from browser.conftest import NARROW, WIDE, Open

pytestmark = [pytest.mark.browser, pytest.mark.slow]

READY = "#train-start"
PATIENT = 150_000  # milliseconds; a worker has the lowest priority, and the machine may be busy


def state(page: Page, wanted: str, view: str = "train") -> None:
    """Wait until the run of a view is in a state."""
    page.wait_for_selector(f'live-status[view="{view}"][data-state="{wanted}"]', timeout=PATIENT)


def step(page: Page) -> int:
    """The step that the page shows."""
    return int(page.locator("#train-status .live-step dd").inner_text().replace(",", ""))


def choose(page: Page, dropdown: str, text: str) -> None:
    """Pick an entry of a dropdown as a person does."""
    page.locator(f"#{dropdown} input").click()
    page.get_by_role("option", name=text).click()


def begin(page: Page, seconds: int) -> None:
    """Choose glyphs and a budget, press Start, wait for the first grid."""
    choose(page, "train-dataset", "Drawn digits")
    page.wait_for_selector('dataset-preview[name="glyphs"] img[src$="name=glyphs"]', timeout=PATIENT)
    page.locator("#train-budget label", has_text="Other").click()
    page.locator("#train-seconds input").fill(str(seconds))
    page.locator("#train-seconds input").blur()
    page.locator("#train-start").click()
    page.wait_for_selector("#train-samples live-pictures[data-step]", timeout=PATIENT)


def no_sideways_scrolling(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_visitor_trains_watches_and_explores(visit: Open, viewport: dict[str, int]) -> None:
    page = visit("/?tab=train", ready=READY, viewport=viewport)
    begin(page, 120)
    state(page, "running")
    page.wait_for_function(
        "parseInt(document.querySelector('#train-samples live-pictures').dataset.step) >= 20", timeout=PATIENT
    )
    deadline = time.monotonic() + PATIENT / 1000
    while step(page) < 10 and time.monotonic() < deadline:  # the figures come twice a second, pictures sooner
        page.wait_for_timeout(100)
    assert step(page) >= 10 and no_sideways_scrolling(page)

    page.locator("#train-pause").click()
    state(page, "paused")
    expect(page.locator("#train-pause")).to_have_text("Continue")
    held = step(page)
    page.wait_for_timeout(1500)
    assert step(page) == held
    page.locator("#train-pause").click()
    state(page, "running")
    page.wait_for_function(
        f"document.querySelector('#train-status .live-step dd').textContent.replace(',', '') > {held}",
        timeout=PATIENT,
    )

    page.locator("#train-watch").click()
    for group in ("loss", "score", "accuracy", "gradient", "speed", "share", "variety", "motion"):
        page.wait_for_selector(f'#watch-losses figure[data-group="{group}"] path', timeout=PATIENT)
    assert no_sideways_scrolling(page)
    assert page.locator("#watch-status live-status").get_attribute("data-state") == "running"
    expect(page.locator("#watch-status .live-sees")).to_contain_text("%")
    expect(page.locator("#watch-status .live-class")).to_have_count(10)
    page.wait_for_function(
        "[...document.querySelectorAll('#watch-samples img')].every((i) => i.naturalWidth > 100)"
    )

    page.get_by_role("tab", name="Train").click()
    page.locator("#train-stop").click()
    state(page, "stopped")
    expect(page.locator("#train-explore")).to_be_enabled(timeout=PATIENT)
    page.locator("#train-explore").click()
    expect(page.get_by_role("tab", name="Explore")).to_have_attribute(
        "aria-selected", "true", timeout=PATIENT
    )


def test_a_reload_finds_the_own_run_and_another_visitor_has_none(visit: Open) -> None:
    page = visit("/?tab=train", ready=READY)
    begin(page, 60)
    page.reload()
    page.wait_for_selector("#train-samples live-pictures[data-step]", timeout=PATIENT)
    other = visit("/?tab=train", ready=READY)
    other.wait_for_timeout(1500)
    assert other.locator("#train-status live-status").get_attribute("data-state") == "none"
    expect(other.locator("#train-stop")).to_be_disabled()
    page.locator("#train-stop").click()
    state(page, "stopped")


def test_bad_input_is_said_at_its_place_and_good_input_is_a_command_line(visit: Open) -> None:
    page = visit("/?tab=train", ready=READY)
    choose(page, "train-dataset", "Drawn digits")
    page.locator("#train-settings > button").click()
    page.get_by_role("button", name="Optimiser").click()
    page.locator("#knob-lr-g input").fill("9")
    page.locator("#knob-lr-g input").blur()
    expect(page.locator("#train-hint .train-problem")).to_contain_text("lr_g is 9", timeout=PATIENT)
    page.locator("#knob-lr-g input").fill("0.004")
    page.locator("#knob-lr-g input").blur()
    expect(page.locator("#train-hint .train-problem")).to_have_count(0, timeout=PATIENT)
    page.locator("#train-command > button").click()
    line = page.locator("#train-command-line textarea")
    expect(line).to_have_value(
        "python -m gan_core train --preset glyphs --dataset glyphs --lr-g 0.004 --seconds 10"
    )


def test_the_form_shows_what_applies_warns_and_can_be_put_back(visit: Open) -> None:
    page = visit("/?tab=train", ready=READY)
    choose(page, "train-dataset", "Drawn digits")
    page.locator("#train-settings > button").click()
    for group in ("Data", "Loss", "Stabilisers", "Budget"):
        page.locator("#train-settings .knobs > button", has_text=group).click()
    assert page.locator("#knob-steps textarea, #knob-steps input").first.input_value() == ""
    expect(page.locator("#knob-penalty-weight")).to_be_visible()
    choose(page, "knob-loss", "wasserstein")
    choose(page, "knob-penalty", "none")
    expect(page.locator("#knob-penalty-weight")).to_be_hidden(timeout=PATIENT)
    expect(page.locator("#train-hint .train-caution").first).to_contain_text("needs a limit", timeout=PATIENT)
    choose(page, "knob-penalty", "r1-difference")
    expect(page.locator("#knob-penalty-weight")).to_be_visible(timeout=PATIENT)
    expect(page.locator("#train-hint .train-caution")).to_have_count(0, timeout=PATIENT)
    expect(page.locator("#train-hint .train-problem")).to_have_count(0)
    expect(page.locator("#train-changed")).to_contain_text("Loss", timeout=PATIENT)
    choose(page, "knob-penalty", "none")
    expect(page.locator("#train-changed")).to_contain_text("Loss, Gradient penalty", timeout=PATIENT)
    page.locator("#train-restore").click()
    expect(page.locator("#train-changed p")).to_have_count(0, timeout=PATIENT)
    expect(page.locator("#knob-penalty-weight")).to_be_visible(timeout=PATIENT)
    expect(page.locator("#train-restore")).to_be_hidden()


@pytest.fixture(scope="session")
def long_run(runs: Path) -> str:
    """A finished run with many records and one spike."""
    return make_run(runs, steps=30_000).id


def zoomed(page: Page) -> Any:
    ticks = page.locator('figure[data-group="loss"] .curves-grid text').all_inner_texts()
    return ticks, page.locator('figure[data-group="loss"] .curves-reset').is_visible()


def test_curves_are_zoomed_read_and_hidden_without_being_lost(visit: Open, long_run: str) -> None:
    page = visit(f"/?tab=watch&run={long_run}", ready="#watch-losses")
    page.wait_for_selector('#watch-losses figure[data-group="loss"] path', timeout=PATIENT)
    chart = page.locator('#watch-losses figure[data-group="loss"]')
    svg = chart.locator("svg")
    assert svg.get_attribute("role") == "img" and "D 1.3" in str(svg.get_attribute("aria-label"))
    points = page.evaluate(
        "document.querySelector('figure[data-group=loss] path').getAttribute('d').split(/[ML]/).length"
    )
    assert 100 < points <= 501

    whole, shown = zoomed(page)
    assert not shown
    svg.scroll_into_view_if_needed()
    box: Any = svg.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 80)
    expect(chart.locator(".curves-note")).to_contain_text("step")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 80, steps=4)
    page.mouse.up()
    near, shown = zoomed(page)
    assert shown and near != whole
    page.wait_for_timeout(3500)  # the page has asked again meanwhile
    assert zoomed(page)[0] == near
    svg.dblclick()
    assert zoomed(page) == (whole, False)

    chart.get_by_role("button", name="G", exact=False).first.click()
    assert len(chart.locator(".curves-paths path").all()) == 1


def test_watch_lists_runs_by_readable_names_and_asks_nothing_while_hidden(visit: Open, long_run: str) -> None:
    page = visit(f"/?tab=watch&run={long_run}", ready="#watch-losses")
    name = re.compile(r"[\w ]+ · Glyphs, nothing to download · 10 s · finished · (just now|\d+ min ago)")
    expect(page.locator("#watch-run input")).to_have_value(name, timeout=PATIENT)
    page.get_by_role("tab", name="Train").click()
    page.wait_for_timeout(500)
    asked: list[str] = []
    page.on("request", lambda request: "/live?" in request.url and asked.append(request.url))
    page.wait_for_timeout(4000)
    assert asked == []


def test_a_game_without_a_resting_point_gets_no_line_and_no_word_of_one(
    visit: Open, runs: Path, long_run: str
) -> None:
    nowhere = make_run(runs, loss="mistake-wrong-sign").id
    for run, lines in ((long_run, 2), (nowhere, 0)):
        page = visit(f"/?tab=watch&run={run}", ready="#watch-losses")
        page.wait_for_selector('#watch-losses figure[data-group="loss"] path', timeout=PATIENT)
        chart = page.locator('#watch-losses figure[data-group="loss"]')
        assert ("dashed line" in chart.locator("figcaption").inner_text()) == bool(lines)
        assert chart.locator(".curves-lines text").count() <= lines


def test_watch_without_a_run_is_one_sentence_until_there_is_one(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path / "runs") as server:
        page = browser.new_page()
        page.goto(f"{server.address}/?tab=watch")
        head, frames = page.locator("#watch-panel .watch-head"), page.locator("#watch-samples")
        page.wait_for_selector("#watch-panel[data-no-run]", timeout=PATIENT)
        expect(page.locator("#watch-status .live-say")).to_be_visible()
        expect(head).to_be_hidden()
        expect(frames).to_be_hidden()
        make_run(tmp_path / "runs")
        page.get_by_role("tab", name="Train").click()
        page.get_by_role("tab", name="Watch").click()
        expect(head).to_be_visible(timeout=PATIENT)
        expect(frames).to_be_visible()
        page.close()


def test_a_recipe_chosen_again_is_described_again(visit: Open) -> None:
    page = visit("/?tab=train", ready=READY)
    for _ in range(2):
        choose(page, "train-preset", "Wasserstein without")
        page.wait_for_timeout(1500)  # what was said before is gone by now
        expect(page.locator("#train-hint .train-caution")).to_be_visible(timeout=PATIENT)


def form_of(page: Page) -> dict[str, str]:
    """What stands in some fields of the form, folded or not."""
    fields = ("#train-dataset input", "#train-preset input", "#train-seconds input", "#knob-lr-g input",
              "#knob-dataset-limit :is(input, textarea)", "#knob-loss input")  # fmt: skip
    return {name: page.locator(name).first.input_value() for name in fields}


def unfold(page: Page) -> None:
    """Open all settings: what is folded away is not on the page."""
    page.wait_for_selector(READY, timeout=PATIENT)
    page.locator("#train-settings > button").click()
    page.locator("#train-settings .knobs > button").first.wait_for(timeout=PATIENT)
    for group in page.locator("#train-settings .knobs > button").all():
        group.click()


def test_the_form_is_as_it_was_left_after_a_switch_of_language_and_a_reload(visit: Open) -> None:
    page = visit("/?tab=train", ready=READY)
    choose(page, "train-dataset", "Drawn digits")
    choose(page, "train-preset", "Fifty pictures")
    unfold(page)
    page.locator("#train-budget label", has_text="Other").click()
    for field, typed in (("#train-seconds input", "17"), ("#knob-lr-g input", "0.004")):
        page.locator(field).fill(typed)
        page.locator(field).blur()
    page.locator("#knob-dataset-limit :is(input, textarea)").first.fill("")
    page.locator("#knob-dataset-limit :is(input, textarea)").first.blur()
    choose(page, "knob-loss", "hinge")
    expect(page.locator("#train-changed")).to_contain_text("Loss", timeout=PATIENT)
    left = form_of(page)
    assert left["#knob-lr-g input"] == "0.004" and left["#train-seconds input"] == "17"

    page.reload()
    unfold(page)
    expect(page.locator("#train-changed")).to_contain_text("Loss", timeout=PATIENT)
    assert form_of(page) == left
    page.locator("[data-do=language]").click()
    expect(page.get_by_role("tab", name="训练", selected=True)).to_be_visible()
    unfold(page)
    expect(page.locator("#train-changed")).to_contain_text("与配方不同", timeout=PATIENT)
    expect(page.locator("#train-dataset input")).to_have_value("程序画的数字")
    now = form_of(page)
    assert all(now[name] == left[name] for name in left if name.startswith(("#knob", "#train-seconds")))

    # before the page's own scripts run: until it is left, the old page keeps its form again and again
    page.add_init_script(
        'sessionStorage.setItem("studio-train-form", "{\\"lr_g\\": \\"x\\", \\"preset\\": 7")'
    )
    page.reload()
    unfold(page)
    expect(page.locator("#knob-lr-g input")).to_have_value("0.006", timeout=PATIENT)
    other = visit("/?tab=train", ready=READY)
    unfold(other)
    expect(other.locator("#knob-lr-g input")).to_have_value("0.006", timeout=PATIENT)


def test_how_far_it_gets_is_told_when_it_has_been_timed(visit: Open) -> None:
    page = visit("/?tab=train", ready=READY)
    hint = page.locator("#train-hint")
    page.locator("#train-settings > button").click()
    page.locator("#train-settings .knobs > button", has_text="Networks").click()
    page.locator("#knob-g-width input[type=number]").fill("44")  # no run here has had it
    expect(hint).to_contain_text("Timing a few steps", timeout=PATIENT)
    expect(hint).to_contain_text(re.compile(r"It needs about \d\.\d GB of memory"))
    expect(hint).to_contain_text(re.compile(r"About [\d,]+ steps here|How far it gets"), timeout=60_000)
    expect(hint).not_to_contain_text("Timing")
