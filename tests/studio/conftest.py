"""Gradio leaves an event loop open for each Blocks; here they are closed, as warnings are errors."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from generators import make_model_run, served


@pytest.fixture(autouse=True)
def _close_event_loops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop

    def kept() -> asyncio.AbstractEventLoop:
        made.append(make())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", kept)
    yield
    for loop in made:
        if not loop.is_running():
            loop.close()


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run that has a generator."""
    folder = tmp_path_factory.mktemp("studio") / "runs"
    make_model_run(folder)
    return folder


@pytest.fixture(scope="session")
def address(runs: Path) -> Iterator[str]:
    """Where `python app.py` listens, on those runs."""
    with served(runs) as server:
        yield server.address


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    """Asks the real app."""
    with httpx.Client(base_url=address, timeout=30) as made:
        yield made
