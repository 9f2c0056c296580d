"""Whether a server keeps what it was asked: memory before and after many calls, and after many visitors."""

from __future__ import annotations

import concurrent.futures
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from benchmarks.app import FLAGS, chromium, memory_of, served
from benchmarks.table import Row

CALLERS = 4
WARM = 200  # calls before the first look: what is loaded once is no leak
BROWSERS = 5
AIM = 300  # MB
REST = 5.0  # seconds in which the server may let go of what it holds
REFUSED = "run_status"  # of a run that is not there: errors may be kept as well
CALLS = (  # name, arguments; each in turn
    ("models", []),
    ("generate", ["mnist", 1, 10]),
    (REFUSED, ["nothing"]),
    ("interpolate", ["mnist", 1, 2, 0.5]),
)


def soak(data_root: str, say: Callable[[str], None], calls: int, seconds: float) -> list[Row]:
    """Two rows: the server's memory after `calls` calls of the API, and after `seconds` of five browsers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), data_root) as (address, _, server),
    ):
        _call(address, WARM)
        start = _settled(server.pid)
        say(f"memory after {WARM} calls: {start:.0f} MB")
        began, failed = time.monotonic(), _call(address, calls)
        took, called = time.monotonic() - began, _settled(server.pid)
        say(f"after {calls:,} more in {took:.0f} s, {failed} of them in vain: {called:.0f} MB")
        pages = _browse(address, seconds, lambda n: say(f"{n} pages: {1000 * memory_of(server.pid):.0f} MB"))
        browsed = _settled(server.pid)
        say(f"after {seconds:g} s of {BROWSERS} browsers, {pages} pages: {browsed:.0f} MB")
    aim = f"<= {AIM} MB more"
    return [
        Row(f"Memory of the server after {calls:,} API calls", aim,
            f"{called - start:+.0f} MB ({start:.0f} to {called:.0f}; {calls / took:.0f} calls/s)"),
        Row(f"Then after {seconds / 60:.3g} minutes of {BROWSERS} browsers, {pages} pages opened", aim,
            f"{browsed - start:+.0f} MB ({browsed:.0f})"),
    ]  # fmt: skip


def _settled(pid: int) -> float:
    """MB of the server alone, after a rest."""
    time.sleep(REST)
    return 1000 * memory_of(pid)


def _call(address: str, count: int) -> int:
    """Ask `count` times as gradio_client does, each time as somebody new; how many were not answered."""
    with httpx.Client(base_url=address, timeout=120) as client:

        def ask(number: int) -> bool:
            name, data = CALLS[number % len(CALLS)]
            asked = client.post(f"/gradio_api/call/{name}", json={"data": data})
            if asked.status_code != 200:
                return False
            told = client.get(f"/gradio_api/call/{name}/{asked.json()['event_id']}").text
            return told.startswith("event: error" if name == REFUSED else "event: complete")

        with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
            return sum(not answered for answered in pool.map(ask, range(count)))


def _browse(address: str, seconds: float, tell: Callable[[int], None]) -> int:
    """Five visitors who look about and come back as new ones; how many pages they opened."""
    end, opened = time.monotonic() + seconds, 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        while time.monotonic() < end:
            contexts = [browser.new_context() for _ in range(BROWSERS)]
            for context in contexts:
                _visit(context.new_page(), address)
                opened += 1
            for context in contexts:
                context.close()
            tell(opened)
        browser.close()
    return opened


def _visit(page: Page, address: str) -> None:
    """Open the page, draw, look at the form of Train, and at Watch."""
    page.goto(address)
    page.wait_for_selector("#explore-image img[src^=blob]", timeout=120_000)
    page.locator("#explore-new").click()
    for tab in ("Train", "Watch"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(500)
