"""A server with a public one's limits, and what a visitor does to it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.app import memory_of, served
from gan_core.runs.layout import find_run
from gan_core.runs.reader import read_status
from gan_core.runs.status import Status

LIMITS: Mapping[str, float] = {"--memory": 1.6, "--waiting": 3, "--paused": 2, "--starts": 6,
                               "--folder-runs": 60}  # fmt: skip
PATIENT = 60.0  # seconds for an answer


class NotHeld(Exception):
    """The fault is still there; the message says how it showed."""


def held(condition: bool, otherwise: str) -> None:
    """Raise `NotHeld`, saying what happened, unless it was held."""
    if not condition:
        raise NotHeld(otherwise)


def program(*arguments: str) -> tuple[int, str]:
    """Run python with these arguments; its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENT,
    )
    return done.returncode, done.stdout.strip() or "(nothing)"


@dataclass(frozen=True)
class Place:
    """A server that runs, and its folder of runs."""

    address: str
    runs: Path
    server: subprocess.Popen[bytes]

    @staticmethod
    def json(settings: Mapping[str, Any]) -> str:
        """Settings as the API takes them."""
        return json.dumps(settings)

    def ask(self, function: str, *data: Any, token: str = "") -> tuple[bool, str]:
        """Call a function of the API as whoever has `token`: whether it worked, the answer or the error."""
        headers = {"X-Studio-Owner": token} if token else {}
        where = f"{self.address}/gradio_api/run/{function}"
        answer = httpx.post(where, json={"data": list(data)}, headers=headers, timeout=PATIENT)
        if answer.status_code == 200:
            return True, str(answer.json()["data"][0])
        with contextlib.suppress(ValueError, KeyError):
            return False, str(answer.json()["error"])
        return False, answer.text

    def start(self, token: str, **changes: Any) -> str:
        """Start a run of drawn digits that does not end by itself soon; its id."""
        ok, told = self.ask(
            "start_training", self.json({"preset": "glyphs", "seconds": 600, **changes}), token=token
        )
        held(ok, f"a run could not be started: {told}")
        return told

    def wait(self, run: str, until: Callable[[Status], bool], seconds: float) -> Status:
        """The run's status as soon as it is so."""
        end = time.monotonic() + seconds
        while not until(status := read_status(find_run(self.runs, run))):
            held(time.monotonic() < end and status.state != "failed", f"{status.state}: {status.message}")
            time.sleep(0.2)
        return status

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """What a page asks for."""
        return httpx.get(self.address + path, headers=headers, timeout=PATIENT)

    def change_forms(self, count: int) -> list[int]:
        """As many visitors each change the batch in the form of Train; the answers' codes."""
        config = self.get("/config").json()
        (form,) = (one for one in config["dependencies"] if one["api_name"] == "describe")
        widgets = {one["id"]: one["props"] for one in config["components"]}
        inputs = [widgets[id] for id in form["inputs"]]

        def change(number: int) -> int:
            changed = {"knob-batch": 8 + number, "knob-g_width": 4 + number % 40}
            data = [changed.get(str(one.get("elem_id")), one.get("value")) for one in inputs]
            body = {"fn_index": form["id"], "data": data, "session_hash": f"abuse{number}"}
            headers = {"X-Studio-Owner": f"visitor {number}"}
            where = f"{self.address}/gradio_api/run/predict"
            return httpx.post(where, json=body, headers=headers, timeout=PATIENT).status_code

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return list(pool.map(change, range(count)))

    def memory(self) -> float:
        """GB of the server alone."""
        return memory_of(self.server.pid)

    @staticmethod
    def peak(pid: int) -> float:
        """GB that a process has had resident at most."""
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e9
        return 0.0

    def scratch(self) -> list[Path]:
        """The server's scratch folders."""
        opened = Path(f"/proc/{self.server.pid}/fd").iterdir()
        links = {link.readlink() for link in opened if "dcgan-studio-" in str(link.readlink())}
        return sorted({path.parent for path in links if path.is_relative_to(tempfile.gettempdir())})


@contextlib.contextmanager
def serving(folder: Path, data_root: str) -> Iterator[Place]:
    """A server on the runs in `folder`, with `LIMITS`."""
    limits = [str(part) for pair in LIMITS.items() for part in pair]
    with served(folder, data_root, "--no-downloads", *limits) as (address, _, server):
        yield Place(address, folder, server)
