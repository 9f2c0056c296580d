"""All that once brought a public server down, tried again: one row a fault, with what happens now.

Against a real server of our own on this machine, with the limits that a public one has; bounded in count and
in time. A fault that is not held stands in the table as such.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.abuse_files import CHECKED
from benchmarks.abuse_place import LIMITS, NotHeld, Place, held, program, serving
from benchmarks.table import Row
from gan_core.config import TrainConfig
from gan_core.jobs import PARK_SECONDS
from gan_core.memory import estimate_memory
from gan_core.presets import settings
from gan_core.runs import control
from gan_core.runs.layout import find_run, run_paths
from gan_core.runs.reader import read_status
from gan_core.runs.status import ACTIVE

CHANGED_FORMS = 80
STARTS = 60  # of which a visitor may make six a minute
STILL = 8.0  # seconds for which a worker is suspended
QUICK = 5.0  # seconds in which a call of the API is answered whatever else goes on
LARGE = {"preset": "glyphs", "size": 128, "g_width": 512, "d_width": 512, "batch": 4096, "seconds": 60}


def owners(place: Place) -> str:
    """Somebody else's run can be watched, and that is all."""
    run = place.start("ours")
    ok, told = place.ask("stop_training", run, token="theirs")
    held(not ok, f"another visitor has stopped it: {told}")
    held(read_status(find_run(place.runs, run)).state in ACTIVE, "it was stopped")
    held(place.ask("stop_training", run, token="ours")[0], "its owner cannot stop it")
    return told


def too_large(place: Place) -> str:
    """What needs more memory than a visitor may have is not begun."""
    before = place.memory()
    ok, told = place.ask("start_training", place.json(LARGE), token="ours")
    held(not ok and "memory" in told, f"it was let through: {told}")
    return f"{told} The server took {1000 * max(0.0, place.memory() - before):.0f} MB for saying so."


def largest(place: Place) -> str:
    """The largest run that is let through takes what was foretold."""
    limit = LIMITS["--memory"] * 1e9
    batch = next(b for b in range(2048, 0, -32) if estimate_memory(_wide(b)) <= limit)
    wide = {"preset": "glyphs", "size": 64, "g_width": 64, "d_width": 64, "batch": batch, "seconds": 60}
    run = find_run(place.runs, place.start("ours", **wide))
    pid = place.wait(run.id, lambda status: status.step >= 3, 180).pid
    peak = place.peak(pid)
    place.ask("stop_training", run.id, token="ours")
    foretold = estimate_memory(_wide(batch)) / 1e9
    held(peak <= LIMITS["--memory"] and foretold / 1.5 <= peak, f"{peak:.2f} GB of {foretold:.2f}")
    return f"batch {batch} at 64 px: {foretold:.2f} GB foretold, {peak:.2f} GB at its highest"


def _wide(batch: int) -> TrainConfig:
    return settings("glyphs", {"size": 64, "g_width": 64, "d_width": 64, "batch": batch, "seconds": 60.0})


def paused(place: Place) -> str:
    """Of runs that stand still one keeps its process, for a minute; others go on from their checkpoint."""
    runs = []
    for name in ("a", "b", "c"):
        runs.append(find_run(place.runs, place.start(name)))
        place.wait(runs[-1].id, lambda status: status.state == "running" and status.step > 0, 120)
        control.send(runs[-1], "pause")
        place.wait(runs[-1].id, lambda status: status.state == "paused", 60)
    first = place.wait(runs[0].id, lambda status: status.parked, PARK_SECONDS / 3)  # not for its age
    place.wait(runs[1].id, lambda status: status.parked, PARK_SECONDS / 3)
    held(not read_status(runs[2]).parked, "the newest gave up its process as well")
    control.send(runs[0], "run")
    place.wait(runs[0].id, lambda status: status.state == "running" and status.step > first.step, 120)
    for run, name in zip(runs, "abc"):
        place.ask("stop_training", run.id, token=name)
    return f"the first two of three gave their process back; one went on at step {first.step} when told to"


def starts(place: Place) -> str:
    """Starting and stopping without end makes no folder without end."""
    before = len(list(run_paths(place.runs)))
    began = time.monotonic()
    answers = []
    for _ in range(STARTS):
        answers.append(place.ask("start_training", place.json({"preset": "glyphs"}), token="quick"))
        if answers[-1][0]:
            place.ask("stop_training", answers[-1][1], token="quick")
    took, made = time.monotonic() - began, [told for ok, told in answers if ok]
    held(
        "within a minute" in answers[-1][1],
        f"it is not the number of starts that is refused: {answers[-1][1]}",
    )
    held(len(made) <= LIMITS["--starts"], f"{len(made)} of {STARTS} were begun")
    held(len(list(run_paths(place.runs))) - before <= len(made), "folders are left over")
    return f"{len(made)} of {STARTS} in {took:.1f} s; then: {answers[-1][1]}"


def changed_forms(place: Place) -> str:
    """Many changed forms hold up nobody who calls the API."""
    calls, slow = 0, 0.0
    with concurrent.futures.ThreadPoolExecutor(1) as crowd:
        codes = crowd.submit(place.change_forms, CHANGED_FORMS)
        while not codes.done() or not calls:
            began = time.monotonic()
            held(place.ask("models")[0], "a call of the API was refused")
            calls, slow = calls + 1, max(slow, time.monotonic() - began)
    held(slow < QUICK, f"a call of the API took {slow:.1f} s")
    taken = sum(code == 200 for code in codes.result())
    told = f"the slowest of {calls} calls of the API meanwhile took {slow:.2f} s"
    return f"{taken} of {CHANGED_FORMS} taken in; {told}"


def foreign_pages(place: Place) -> str:
    """A page of another site, or a name made to point here, gets nothing."""
    told = []
    for header in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        for path in ("/config", "/gradio_api/info", "/studio/live?run=x"):
            answer = place.get(path, header)
            held(answer.status_code == 403, f"{path} with {header} is answered with {answer.status_code}")
            held("access-control-allow-origin" not in answer.headers, "other origins are allowed")
            told.append(answer.text)
    spoofed = place.get("/config", {"X-Forwarded-Host": "evil.example"})
    held("evil.example" not in spoofed.text, "X-Forwarded-Host is believed")
    return f"403: {told[0]} {told[3]}"


def downloads(place: Place) -> str:
    """A visitor's word fetches nothing."""
    ok, told = place.ask("start_training", place.json({"dataset": "kmnist"}), token="ours")
    held(not ok, "it was begun")
    return told


def odd_words(place: Place) -> str:
    """Whatever is asked is answered in one sentence."""
    asked = [("run_status", "\0"), ("run_status", "x" * 5000), ("run_status", "../../etc/passwd"),
             ("generate", "\0", 1, 1), ("generate", "run:" + "x" * 5000, 1, 1), ("start_training", {"a": 1}),
             ("start_training", "[" * 10_000)]  # fmt: skip
    for function, *data in asked:
        ok, told = place.ask(function, *data)
        held(not ok and "Traceback" not in told and len(told) < 1000, f"{function} {data}: {told}")
        held(str(place.runs) not in told, f"{function} names a path of the server")
    for door in (
        "/gradio_api/dev/reload",
        "/gradio_api/deep_link",
        "/monitoring",
        "/gradio_api/file=/etc/passwd",
    ):
        code = place.get(door).status_code
        held(code in (403, 404), f"{door} is answered with {code}")
    return f"{len(asked)} odd calls, a sentence each; the doors of Gradio that are not used are shut"


def suspended(place: Place) -> str:
    """A worker held still is told as such, and the time is not counted as training."""
    run = place.start("ours")
    pid = place.wait(run, lambda status: status.step > 5, 120).pid
    before = read_status(find_run(place.runs, run)).seconds
    os.kill(pid, signal.SIGSTOP)
    time.sleep(STILL)
    _, told = place.ask("run_status", run)
    os.kill(pid, signal.SIGCONT)
    place.wait(run, lambda status: time.time() - status.heartbeat < 1, 60)
    time.sleep(2)
    counted = read_status(find_run(place.runs, run)).seconds - before
    place.ask("stop_training", run, token="ours")
    held("suspended" in told, f"nothing is said of it: {told}")
    held(counted < STILL, f"{counted:.1f} s were counted")
    return f"said so; of {STILL:g} s still and about 2 s more, {counted:.1f} s count as training"


def two_writers(place: Place) -> str:
    """A run that trains is not trained a second time."""
    run = place.start("ours")
    place.wait(run, lambda status: status.step > 0, 120)
    code, told = program("-m", "gan_core", "resume", str(place.runs / run), "--quiet")
    place.ask("stop_training", run, token="ours")
    held(code != 0 and "Traceback" not in told, told)
    return told.splitlines()[-1].replace(str(place.runs), "RUNS")


def bad_starts(place: Place) -> str:
    """A server that cannot begin says why."""
    with tempfile.NamedTemporaryFile() as file:
        answers = [
            program("app.py", "--runs", file.name, "--port", "7999"),
            program("app.py", "--runs", str(place.runs), "--port", place.address.rpartition(":")[2]),
        ]
    for code, told in answers:
        held(code != 0 and "Traceback" not in told, told[-300:])
    return " / ".join(told.splitlines()[-1].replace(file.name, "FILE") for _, told in answers)


FAULTS: Mapping[str, Callable[[Place], str]] = {
    "Stopping somebody else's run": owners,
    "128 px, width 512, batch 4096": too_large,
    "The largest run that is let through": largest,
    "Three runs paused": paused,
    f"{STARTS} starts and stops in a row": starts,
    f"{CHANGED_FORMS} changed forms": changed_forms,
    "A page of another site": foreign_pages,
    "A data set that is not here": downloads,
    "Odd words and doors": odd_words,
    f"A worker suspended for {STILL:g} s": suspended,
    "Two writers on one run": two_writers,
    "A port in use, a file for a folder": bad_starts,
}


def abuse(data_root: str, say: Callable[[str], None], only: str = "") -> list[Row]:
    """A row a fault: held or not, with what was said or measured."""
    rows = []
    chosen = {what: fault for what, fault in FAULTS.items() if only in what}
    with tempfile.TemporaryDirectory() as folder:
        if chosen:
            with serving(Path(folder), data_root) as place:
                rows += [_row(what, lambda fault=fault: fault(place), say) for what, fault in chosen.items()]
                rows.append(_row("SIGTERM", lambda: _ended(place), say))
    for what, check in CHECKED.items():
        if only in what:
            rows.append(_row(what, lambda check=check: check(data_root), say))
    return rows


def _ended(place: Place) -> str:
    """SIGTERM ends the server, and takes its scratch folder along."""
    scratch = place.scratch()
    held(bool(scratch), "its scratch folder was not found")
    began = time.monotonic()
    place.server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        place.server.wait(20)
    held(place.server.poll() is not None, "it goes on")
    held(not any(path.exists() for path in scratch), f"left over: {scratch}")
    return (
        f"ended after {time.monotonic() - began:.1f} s, nothing is left of its {len(scratch)} scratch folder"
    )


def _row(what: str, attempt: Callable[[], str], say: Callable[[str], None]) -> Row:
    try:
        result = f"held: {attempt()}"
    except NotHeld as error:
        result = f"NOT held: {error}"
    except Exception as error:  # a server that hangs or is gone is the worst answer of all
        result = f"NOT held: {type(error).__name__}: {str(error)[:200]}"
    say(f"{what}: {result}")
    return Row(what, "held", result)
