"""What Watch does when answers fail, and how its charts are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from generators import Server
from playwright.sync_api import Browser, Page, Route, expect
from synthetic import make_run

from browser.conftest import WIDE, Open

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
