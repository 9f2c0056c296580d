"""Tiny generators with random weights, and the real app served on them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import torch

from gan_core.checkpoints import export_generator
from gan_core.config import ModelConfig
from gan_core.networks import build_pair
from gan_core.presets import settings
from gan_core.runs.layout import RunPaths, create_run
from gan_core.runs.writer import amend_status
from studio.estimate import SpeedTrials
from studio.models import ModelRegistry
from studio.services import Services

DIGITS = tuple("0123456789")


def write_generator(
    path: Path, classes: Sequence[str] = DIGITS, *, seed: int = 0, step: int = 100, noise: str = "gaussian"
) -> None:
    """Export a generator of 16-px pictures whose weights are strong enough for pictures that differ."""
    model = ModelConfig(network="dcgan", size=16, channels=1, classes=len(classes), latent=8, g_width=4,
                        d_width=4, conditioning="class-logits", noise=noise)  # fmt: skip
    torch.manual_seed(seed)
    G, _ = build_pair(model)
    with torch.no_grad():
        for weight in G.parameters():
            if weight.ndim > 1:
                weight.mul_(12)
    info = {
        "dataset": "glyphs",
        "class_names": list(classes),
        "step": step,
        "images": 64 * step,
        "seconds": 3.0,
    }
    export_generator(path, G, model, info)


def make_model_run(runs: Path, *, state: str = "finished", classes: Sequence[str] = DIGITS) -> RunPaths:
    """A run that has a generator."""
    run = create_run(runs, settings("glyphs", {}), "glyphs")
    amend_status(run, state=state, step=100, images=6400)
    write_generator(run.generator, classes, seed=1)
    return run


def quiet_services(folder: Path) -> Services:
    """Services on empty folders under `folder`, with a queue that never starts a process."""
    runs, weights = folder / "runs", folder / "weights"
    for path in (runs, weights):
        path.mkdir(exist_ok=True)
    jobs: Any = SimpleNamespace(queue=list, close=lambda: None)
    return Services(runs, "", weights, jobs, ModelRegistry(weights, runs), SpeedTrials(runs))


ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds for the app to answer, on a busy machine


@dataclass(frozen=True)
class Server:
    """A running app: where it listens, its process, and the seconds until it gave its first page."""

    address: str
    process: subprocess.Popen[bytes]
    seconds: float


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(runs: Path, *arguments: str) -> Iterator[Server]:
    """`python app.py` on `runs` until the end of the block. What it says goes to app.log beside `runs`."""
    port = free_port()
    command = [sys.executable, "app.py", "--port", str(port), "--runs", str(runs), *arguments]
    log = runs.parent / "app.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env={**os.environ})
        try:
            address = f"http://127.0.0.1:{port}"
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > began + PATIENCE:
                    raise RuntimeError(f"app.py gave no page:\n{log.read_text('utf-8')}")
                time.sleep(0.05)
            yield Server(address, process, time.monotonic() - began)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=10).status_code == 200
    except httpx.TransportError:
        return False
