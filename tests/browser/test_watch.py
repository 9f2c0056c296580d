"""What Watch does when answers fail, and how its charts are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from generators import Server, make_model_run
from playwright.sync_api import Browser, Page, Route, expect
from synthetic import grid, make_run, metrics

from browser.conftest import NARROW, WIDE, Open
from gan_core.runs.reader import Verdict
from gan_core.runs.writer import RunWriter

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENT = 60_000  # milliseconds
LIVE = "**/studio/live?*"
CURVE = '#watch-losses figure[data-group="loss"] path'


@pytest.fixture(scope="session")
def finished(runs: Path) -> str:
    """A finished run."""
    return make_run(runs, steps=3000).id


def opened(visit: Open, run: str) -> Page:
    page = visit(f"/?tab=watch&run={run}", ready="#watch-losses")
    page.wait_for_selector(CURVE, timeout=PATIENT)
    return page


def chart_math(page: Page, code: str) -> Any:
    """What `code` gives with the module of the charts' arithmetic as `m`."""
    return page.evaluate(f"import('./studio/web/chart-math.js').then((m) => {code})")


@pytest.fixture
def unwatched(browser: Browser, server: Server) -> Iterator[Page]:
    """A page of which errors in the console are expected: its requests are made to fail."""
    context = browser.new_context(viewport=WIDE, locale="en-US", base_url=server.address)
    yield context.new_page()
    context.close()


def test_an_answer_cut_short_does_not_end_the_questions(unwatched: Page, finished: str) -> None:
    broken: list[str] = []

    def answer(route: Route) -> None:
        if len(broken) < 2:
            broken.append(route.request.url)
            route.fulfill(status=200, content_type="application/json", body='{"rev": 1, "cha')
        else:
            route.continue_()

    unwatched.route(LIVE, answer)
    unwatched.goto(f"/?tab=watch&run={finished}")
    unwatched.wait_for_selector(CURVE, timeout=PATIENT)
    assert len(broken) == 2


def test_the_page_says_when_the_server_is_away_and_goes_on_when_it_is_back(
    unwatched: Page, finished: str
) -> None:
    unwatched.goto(f"/?tab=watch&run={finished}")
    unwatched.wait_for_selector(CURVE, timeout=PATIENT)
    say = unwatched.locator("#watch-status .live-say")
    before = say.inner_text()
    unwatched.route(LIVE, lambda route: route.abort())
    expect(say).to_contain_text("The server does not answer", timeout=PATIENT)
    unwatched.unroute(LIVE)
    expect(say).to_have_text(before, timeout=PATIENT)


def test_an_element_that_cannot_show_an_answer_gets_it_again_and_the_others_have_it(
    unwatched: Page, finished: str
) -> None:
    page = unwatched
    page.goto("/?tab=watch&run=none")
    page.wait_for_selector("#watch-status .live-say", state="attached", timeout=PATIENT)
    page.evaluate("""() => {
        const status = customElements.get('live-status').prototype, { render } = status;
        status.render = () => { status.render = render; throw new Error('once'); };
    }""")
    page.evaluate("id => window.studio.watchShow(id)", finished)
    page.wait_for_selector(CURVE, timeout=PATIENT)
    expect(page.locator("#watch-status .live-say")).to_contain_text("Finished", timeout=PATIENT)


def test_a_server_that_answers_with_an_error_is_said_to_be_away(unwatched: Page, finished: str) -> None:
    unwatched.goto(f"/?tab=watch&run={finished}")
    unwatched.wait_for_selector(CURVE, timeout=PATIENT)
    unwatched.route(LIVE, lambda route: route.fulfill(status=503, body="no"))
    say = unwatched.locator("#watch-status .live-say")
    expect(say).to_contain_text("The server does not answer", timeout=PATIENT)


def test_each_player_has_one_colour_in_every_chart(visit: Open, finished: str) -> None:
    page = opened(visit, finished)
    shades = page.eval_on_selector_all(
        "#watch-losses figure",
        """figures => figures.flatMap((figure) => [...figure.querySelectorAll(".curves-legend button")].map(
            (key) => [figure.dataset.group, key.childNodes[1].textContent.trim(),
                      getComputedStyle(key.querySelector("i")).backgroundColor]))""",
    )
    of = {name: {shade for _, own, shade in shades if own == name} for name in ("D", "G", "D(x)", "D(G(z))")}
    assert len({group for group, own, _ in shades if own == "D"}) >= 3
    assert len(of["D"]) == len(of["G"]) == 1 and of["D"] != of["G"]
    assert of["D(x)"] == of["D"] and of["D(G(z))"] == of["G"]


def test_no_part_of_a_zoomed_curve_is_drawn_over_the_edge(visit: Open, finished: str) -> None:
    page = opened(visit, finished)
    svg = page.locator('#watch-losses figure[data-group="loss"] svg')
    svg.scroll_into_view_if_needed()
    box: Any = svg.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=4)
    page.mouse.up()
    clip, xs = svg.evaluate(
        """svg => {
            const rect = svg.querySelector("clipPath rect");
            const cut = svg.querySelector(".curves-paths").getAttribute("clip-path");
            const numbers = svg.querySelector(".curves-paths path").getAttribute("d").match(/[ML][-\\d.]+/g);
            return [[Number(rect.getAttribute("x")), Number(rect.getAttribute("width")), cut,
                     rect.parentNode.id], numbers.map((n) => Number(n.slice(1)))];
        }"""
    )
    left, width, cut, name = clip
    assert cut == f"url(#{name})" and min(xs) < left and max(xs) > left + width, "lines go on beyond it"
    edge = sum(abs(x - left) < 0.05 or abs(x - left - width) < 0.05 for x in xs)
    assert edge <= 2, "and no point was moved onto it: that drew a wall"


def test_ticks_that_are_close_are_still_told_apart(visit: Open, finished: str) -> None:
    page = opened(visit, finished)
    for low, high in ((1998, 1999), (-0.0125, -0.0115), (123_400, 123_500), (1.2131, 1.2134)):
        words = chart_math(page, f"m.tickWords(m.ticks({low}, {high}, 4))")
        assert len(words) >= 3 and len(set(words)) == len(words), (low, high, words)
    assert chart_math(page, "m.tickWords([0, 2, 4])") == ["0", "2", "4"]


def test_a_time_is_rounded_before_it_is_split(visit: Open, finished: str) -> None:
    page = opened(visit, finished)
    told = page.evaluate(
        "import('./studio/web/live.js').then((m) => [59.4, 59.6, 119.6, 3599.7].map((s) => m.duration(s)))"
    )
    assert told == ["59 s", "1:00 min", "2:00 min", "1:00 h"]


def x_ticks(page: Page, group: str) -> list[str]:
    """The steps that stand below a chart."""
    return page.locator(f'#watch-losses figure[data-group="{group}"] svg').evaluate(
        """svg => {
            const low = svg.viewBox.baseVal.height - 6;
            return [...svg.querySelectorAll(".curves-grid text")]
                .filter((text) => Number(text.getAttribute("y")) === low).map((text) => text.textContent);
        }"""
    )


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_single_score_is_a_dot_on_the_steps_of_all_other_charts(
    visit: Open, runs: Path, viewport: dict[str, int]
) -> None:
    run = make_run(runs, steps=2000)
    RunWriter(run).score({"step": 1999, "quality/frechet": 9.0, "quality/floor": 0.5, "best": True})
    page = visit(f"/?tab=watch&run={run.id}", ready="#watch-losses", viewport=viewport)
    chart = page.locator('#watch-losses figure[data-group="quality"]')
    expect(chart.locator("circle.curve-2, circle.curve-3")).to_have_count(2, timeout=PATIENT)
    ticks = x_ticks(page, "quality")
    assert ticks == x_ticks(page, "loss") and len(set(ticks)) == len(ticks) >= 2
    dot: Any = chart.locator("circle").first.bounding_box()
    box: Any = chart.locator("svg").bounding_box()
    assert dot["width"] >= 6 and dot["x"] + dot["width"] <= box["x"] + box["width"], "whole, and large enough"
    assert chart.locator(".curves-grid line").count() >= 2


def test_no_tick_is_cut_off_at_the_edge(visit: Open, runs: Path) -> None:
    run = make_run(runs)
    writer = RunWriter(run)
    for step in (210, 220, 230):
        writer.record({"step": step, "zebra/stripes": -0.0125 + step / 1e6, "loss/D": -123_456.0 - step})
    for viewport in (WIDE, NARROW):
        page = visit(f"/?tab=watch&run={run.id}", ready="#watch-losses", viewport=viewport)
        page.wait_for_selector('#watch-losses figure[data-group="zebra"] path', timeout=PATIENT)
        cut = page.evaluate("""() => [...document.querySelectorAll("#watch-losses svg")].flatMap((svg) => {
            const { left, right } = svg.getBoundingClientRect();
            return [...svg.querySelectorAll(".curves-grid text")].filter((text) => {
              const box = text.getBoundingClientRect();
              return box.left < left || box.right > right;
            }).map((text) => text.textContent);
        })""")
        assert cut == []
        told = page.locator('figure[data-group="zebra"] .curves-grid text').all_text_contents()
        assert any(text.startswith("-0.012") for text in told)


def test_the_line_of_a_run_in_the_list_follows_its_state(visit: Open, runs: Path) -> None:
    run, other = (make_run(runs, state="running") for _ in range(2))
    page = visit(f"/?tab=watch&run={run.id}", ready="#watch-losses")
    chosen = page.locator("#watch-run input")
    for state, words in (("running", "training now"), ("paused", "paused"), ("finished", "finished")):
        RunWriter(run).update(state=state)
        expect(chosen).to_have_value(re.compile(rf" · {words} · "), timeout=PATIENT)
    RunWriter(other).update(state="finished")
    chosen.click()
    page.wait_for_timeout(1500)
    options = page.get_by_role("option", name=re.compile("training now"))
    expect(options).to_have_count(0, timeout=PATIENT)


def test_a_grid_that_is_drawn_anew_after_going_back_is_another_picture(visit: Open, runs: Path) -> None:
    run = make_run(runs, state="running")
    page = visit(f"/?tab=watch&run={run.id}", ready="#watch-losses")
    shown = page.locator("#watch-samples live-pictures")
    image = shown.locator("img").first
    expect(shown).to_have_attribute("data-step", "200", timeout=PATIENT)
    writer, first = RunWriter(run), picture_of(page)
    writer.back_to(100)
    expect(shown).to_have_attribute("data-step", "100", timeout=PATIENT)
    writer.record(metrics(110))
    writer.sample(200, grid(77))
    expect(image).to_have_attribute("src", re.compile("step=200&v=1$"), timeout=PATIENT)
    assert picture_of(page) != first
    writer.update(state="finished")


def picture_of(page: Page) -> str:
    """The pixels of the newest grid."""
    return str(page.locator("#watch-samples img").first.evaluate(
        """async (image) => {
          await image.decode();
          const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 256 });
          canvas.getContext("2d").drawImage(image, 0, 0);
          return canvas.toDataURL();
        }"""
    ))  # fmt: skip


def test_what_cannot_be_explored_has_a_button_that_takes_no_focus(
    visit: Open, runs: Path, finished: str
) -> None:
    page = opened(visit, finished)
    button = page.locator("#watch-explore")
    expect(button).to_be_disabled()
    page.locator("#watch-run input").focus()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert not button.evaluate(
        "(button) => document.activeElement === button || document.activeElement.contains(button)"
    )
    able = make_model_run(runs)
    page = visit(f"/?tab=watch&run={able.id}", ready="#watch-losses")
    expect(page.locator("#watch-explore")).to_be_enabled(timeout=PATIENT)


def test_how_to_look_closer_is_said_where_there_are_curves(visit: Open, finished: str) -> None:
    assert "Drag across a chart" in opened(visit, finished).locator("#watch-losses .live-hint").inner_text()


def test_what_passes_between_two_points_out_of_sight_is_still_in_sight(visit: Open, finished: str) -> None:
    page = opened(visit, finished)
    low, high = chart_math(page, "m.extent([{ x: [0, 100], y: [10, 20] }], 40, 60)")
    assert low < 14 and high > 16 and high < 20
    assert chart_math(page, "m.extent([{ x: [0, 100], y: [null, 20] }], 40, 60)") == [0, 1], (
        "no line goes there"
    )
    near = "[m.nearestWithin([0, 50, 100], 58, 40, 60), m.nearestWithin([0, 100], 58, 40, 60) ?? null]"
    assert chart_math(page, near) == [1, None], "what is out of sight is not read out"


def test_what_the_doctor_says_stands_above_the_curves_and_its_remedy_is_one_press_away(
    visit: Open, runs: Path
) -> None:
    sick = make_run(runs, g_steps=10, d_norm="none", steps=300, seconds=600)
    figures = {"since": 100, "curve": "loss/G", "variety_pictures": 0.09, "missing": ["3", "8"]}
    RunWriter(sick).verdict(Verdict("collapse", 150, figures))
    page = opened(visit, sick.id)
    said = page.locator("#watch-verdict live-verdict")
    expect(said.locator(".verdict-text")).to_contain_text("At step 150: Mode collapse")
    expect(said.locator(".verdict-text")).to_contain_text("No readable picture shows: 3, 8.")
    expect(page.locator('#watch-losses figure[data-group="loss"] .curves-mark')).to_have_count(1)
    expect(page.locator(".curves-mark")).to_have_count(1)
    said.locator("summary").click()
    expect(said).to_contain_text("What would be changed: Generator steps: 1")
    page.get_by_role("button", name="Try again with a change").click()
    page.wait_for_function(
        f"new URLSearchParams(location.search).get('run') !== '{sick.id}'", timeout=PATIENT
    )
    status = page.locator("#watch-status live-status")
    expect(status).to_have_attribute("data-state", "running", timeout=PATIENT)
    page.get_by_role("tab", name="Train").click()
    stop = page.locator("#train-stop")
    expect(stop).to_be_enabled(timeout=PATIENT)  # it is the visitor's own
    stop.click()
    page.wait_for_selector('live-status[view="train"][data-state="stopped"]', timeout=PATIENT)
