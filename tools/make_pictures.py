"""The pictures of the README: python -m tools.make_pictures RUN ADDRESS, with the studio running at ADDRESS.

docs/training.webp moves through the sample grids of RUN; docs/explore.png and docs/watch.png are the page.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, sync_playwright

from gan_core.runs import read_lines
from gan_core.runs.layout import RunPaths
from gan_core.runs.reader import sample_steps

DOCS = Path("docs")
SCALE, BAR = 2, 34


def moving_picture(run: RunPaths) -> None:
    """All sample grids of a run, twice enlarged, with step and seconds below."""
    seconds = {line["step"]: line["seconds"] for line in read_lines(run.metrics)[0]}
    frames = []
    for step in sample_steps(run):
        with Image.open(run.sample(step)) as grid:
            big = grid.convert("L").resize(
                (grid.width * SCALE, grid.height * SCALE), Image.Resampling.NEAREST
            )
        frame = Image.new("L", (big.width, big.height + BAR), 255)
        frame.paste(big)
        near = min(seconds, key=lambda known: abs(known - step))
        text = f"step {step}    {seconds[near] if step else 0:.1f} s"
        ImageDraw.Draw(frame).text((12, big.height + 6), text, 60, ImageFont.load_default(20))
        frames.append(frame)
    durations = [250] * (len(frames) - 1) + [2500]
    frames[0].save(DOCS / "training.webp", save_all=True, append_images=frames[1:], duration=durations,
                   loop=0, quality=60, method=6)  # fmt: skip


def screenshots(address: str) -> None:
    """Explore and Watch at 1440 pixels, light."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        flags = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        page = browser.new_page(
            viewport={"width": 1440, "height": 1000}, color_scheme="light", locale="en-US"
        )
        page.goto(f"{address}/?a=2&b=15&t=0.4")
        _shoot(page, 0, "explore")
        _shoot(page, 2, "watch")
        browser.close()


def _shoot(page: Page, tab: int, name: str) -> None:
    page.wait_for_selector("#explore-model", state="attached")
    page.get_by_role("tab").nth(tab).click()
    page.wait_for_timeout(4000)
    page.screenshot(path=DOCS / f"{name}.png")


if __name__ == "__main__":
    DOCS.mkdir(exist_ok=True)
    moving_picture(RunPaths(Path(sys.argv[1])))
    screenshots(sys.argv[2])
