"""Chromium on the real app. A console error, or a request to a host that is not ours, fails the test."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "studio"))
from generators import Server, make_model_run, served

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run that has a generator."""
    folder = tmp_path_factory.mktemp("browser") / "runs"
    make_model_run(folder)
    return folder


@pytest.fixture(scope="session")
def server(runs: Path) -> Iterator[Server]:
    """`python app.py` on those runs."""
    with served(runs) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """CHROMIUM names the program; else the system's, else Playwright's own."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Open]:
    """`visit(path, ...)` opens a page as a new visitor; anything amiss in any of them fails the test."""
    amiss: list[str] = []
    opened: list[Any] = []
    own = urlsplit(server.address).netloc

    def visit(
        path: str = "/", *, ready: str = "#explore-panel, #explore-empty .empty", **options: Any
    ) -> Page:
        context = browser.new_context(
            **{"viewport": WIDE, "locale": "en-US", "color_scheme": "light", **options}
        )
        opened.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: amiss.append(f"page error: {error}"))
        page.on("console", lambda said: _is_wrong(said) and amiss.append(f"console: {said.text}"))
        page.on("request", lambda asked: _is_foreign(asked.url, own) and amiss.append(f"asked {asked.url}"))
        page.goto(server.address + path)
        page.wait_for_selector(ready, state="attached", timeout=30_000)
        return page

    yield visit
    found = list(amiss)  # what a page says while it is being closed is no matter
    for context in opened:
        context.close()
    assert not found


def _is_wrong(said: ConsoleMessage) -> bool:
    """An error; but not what Gradio says when a page is left while it still asks for something."""
    leaving = ("AbortError", "Connection errored out")
    return said.type == "error" and not any(sentence in said.text for sentence in leaving)


def _is_foreign(url: str, own: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob") and parts.netloc != own
