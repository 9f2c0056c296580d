"""What a visitor feels: the first page, slider to picture, training from the page, memory. Needs Chromium."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from gradio_client import Client
from playwright.sync_api import Page, sync_playwright

from benchmarks.table import Row

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
SLIDE = """async (count) => {
  const slider = document.querySelector("#interpolate-t input[type=range]");
  const image = () => document.querySelector("#explore-image img[src^=blob]");
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
  const times = [];
  for (let k = 0; k < count; k++) {
    const before = image().src, began = performance.now();
    set.call(slider, ((k * 37) % 97 + 1) / 100);
    slider.dispatchEvent(new Event("input", {bubbles: true}));
    while (image().src === before || !image().complete) await new Promise(done => setTimeout(done, 1));
    times.push(performance.now() - began);
    await new Promise(done => setTimeout(done, 30));
  }
  return times;
}"""
SECONDS = 10
VIEWERS = 3


def app(data_root: str, say: Callable[[str], None]) -> list[Row]:
    """Rows on the page's speed, alone and while a run trains."""
    others = [_first_page(data_root) for _ in range(2)]
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), data_root) as (address, first, server),
    ):
        first = statistics.median([first, *others])
        say(f"first page after {first:.1f} s")
        time.sleep(15)  # the warm worker has to have finished importing
        client = Client(address, verbose=False)
        with _page(address) as page:
            idle = _slide(page, say, "idle")
            run = _start(client, 30)
            time.sleep(5)
            busy = _slide(page, say, "while a run trains")
            memory = sum(memory_of(pid) for pid in _family(server.pid))
            say(f"memory {memory:.2f} GB")
        _wait(client, run)
        ratios = [_speeds(client, address, data_root, say) for _ in range(5)]
    return [
        Row("First page after the command", "<= 6 s", f"{first:.1f} s"),
        Row("Slider to new picture, idle", "p50 <= 40 ms, p95 <= 120 ms", idle),
        Row("Slider to new picture while a run trains", "p50 <= 40 ms, p95 <= 120 ms", busy),
        Row(f"Images/s from the app with {VIEWERS} viewers / from the command line", ">= 0.9",
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"),
        Row("Memory of server and workers together", "<= 2.5 GB", f"{memory:.2f} GB"),
    ]  # fmt: skip


def _first_page(data_root: str) -> float:
    """Seconds from the command to the first page."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), data_root) as (_, seconds, _):
        return seconds


@contextlib.contextmanager
def served(folder: Path, data_root: str, *flags: str) -> Iterator[tuple[str, float, subprocess.Popen[bytes]]]:
    """A server on the runs in `folder`: its address, the seconds until it answered, its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "app.py", "--port", str(port), "--runs", str(folder), "--data-root", data_root,
               *flags]  # fmt: skip
    began = time.monotonic()
    with (folder / "app.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        while not _answers(address):
            if process.poll() is not None:
                raise RuntimeError(f"The server ended: {(folder / 'app.log').read_text()[-500:]}")
            time.sleep(0.05)
        yield address, time.monotonic() - began, process
    finally:
        process.terminate()
        process.wait(20)


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=20).status_code == 200
    except httpx.TransportError:
        return False


def chromium() -> str | None:
    """The browser's program: CHROMIUM names it, else the system's; None for Playwright's own."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.contextmanager
def _page(address: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("#explore-image img[src^=blob]")
        yield page
        browser.close()


def _slide(page: Page, say: Callable[[str], None], when: str) -> str:
    page.evaluate(SLIDE, 5)
    times = sorted(page.evaluate(SLIDE, 100))
    text = f"p50 {times[50]:.0f} ms, p95 {times[95]:.0f} ms"
    say(f"slider, {when}: {text}")
    return text


def _start(client: Client, seconds: float) -> str:
    settings = {"preset": "digits", "seconds": seconds}
    return str(client.predict(json.dumps(settings), api_name="/start_training"))


def _wait(client: Client, run: str) -> dict[str, float]:
    while True:
        status = client.predict(run, api_name="/run_status")
        if status["state"] not in ("queued", "running"):
            return dict(status)
        time.sleep(0.5)


def _speeds(client: Client, address: str, data_root: str, say: Callable[[str], None]) -> float:
    """images/s from the app with viewers, over images/s from the command line, one after the other."""
    time.sleep(20)  # until the next worker is warm
    run = _start(client, SECONDS)
    over = threading.Event()
    viewers = [threading.Thread(target=_watch, args=(address, run, over)) for _ in range(VIEWERS)]
    for viewer in viewers:
        viewer.start()
    status = _wait(client, run)
    over.set()
    time.sleep(20)
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["train", "--preset", "digits", "--seconds", str(SECONDS), "--data-root", data_root,
                     "--runs", folder, "--quiet"]  # fmt: skip
        subprocess.run([sys.executable, "-m", "gan_core", *arguments], check=True, stdout=subprocess.DEVNULL)
        written = json.loads(next(Path(folder).glob("*/status.json")).read_text())
    app, line = (s["images"] / s["seconds"] for s in (status, written))
    say(f"images/s: app {app:.0f}, command line {line:.0f}")
    return app / line


def _watch(address: str, run: str, over: threading.Event) -> None:
    """Ask as the Watch tab does: four times a second, only for what is new, and fetch each new grid."""
    revision = ""
    with httpx.Client() as client:
        while not over.wait(0.25):
            answer = client.get(f"{address}/studio/live", params={"run": run, "rev": revision, "charts": 1})
            if answer.status_code == 200:
                revision = answer.json().get("rev", "")


def _family(pid: int) -> list[int]:
    """The process and all that it has started, whichever of its threads did."""
    family = [pid]
    for tasks in Path("/proc").glob(f"{pid}/task/*/children"):
        with contextlib.suppress(OSError):
            family += [one for child in tasks.read_text().split() for one in _family(int(child))]
    return family


def memory_of(pid: int) -> float:
    """GB of a process, shared pages divided among those who share them."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1e6
    return 0.0
