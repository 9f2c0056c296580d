"""What `app.py` is told: by flags, by a Space; and what it says in one line instead of a traceback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from generators import ROOT, free_port, served

import app as entry
from gan_core.limits import Limits
from gan_core.memory_limit import machine_memory
from studio import flags
from studio.scratch import PREFIX


def refused(*arguments: str, seconds: float = 60) -> str:
    """What app.py says when it does not begin."""
    ended = subprocess.run(
        [sys.executable, "app.py", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=seconds
    )
    assert ended.returncode != 0 and "Traceback" not in ended.stderr
    return ended.stderr.strip()


def test_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPACE_ID", "STUDIO_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    asked = entry.arguments([])
    assert (asked.host, asked.port, asked.runs, asked.share) == ("127.0.0.1", 7860, Path("runs"), False)
    assert (asked.longest, asked.downloads, asked.allowed_host) == (None, None, [])
    asked = entry.arguments(["--host", "::1", "--port", "80", "--runs", "x", "--data-root", "y", "--share"])
    assert (asked.host, asked.port, asked.runs, asked.data_root) == ("::1", 80, Path("x"), "y")
    assert asked.share
    asked = entry.arguments(["--allowed-host", "a.b", "--allowed-host", "c.d", "--no-downloads"])
    assert (asked.allowed_host, asked.downloads) == (["a.b", "c.d"], False)


def test_a_space_listens_for_all_ends_runs_in_time_and_takes_its_flags_from_a_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/studio")
    monkeypatch.setenv("STUDIO_FLAGS", "--downloads --runs '/data/my runs'")
    asked = entry.arguments(["--longest", "60"])
    assert (asked.host, asked.longest, asked.downloads) == ("0.0.0.0", 60.0, True)
    assert asked.runs == Path("/data/my runs")


@pytest.mark.parametrize(
    ("arguments", "downloads"),
    [([], True), (["--host", "0.0.0.0"], False), (["--host", "0.0.0.0", "--downloads"], True),
     (["--share"], False), (["--no-downloads"], False), (["--host", "192.168.1.4"], False),
     (["--host", "::1"], True), (["--host", "localhost"], True), (["--host", "studio.school"], False)],
)  # fmt: skip
def test_visitors_from_elsewhere_download_nothing_unless_a_flag_lets_them(
    arguments: list[str], downloads: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr("studio.services.make_services", lambda *_, **limits: made.update(limits))
    flags.services_of(flags.parser({}).parse_args(arguments), {})
    assert made["downloads"] is downloads


@pytest.mark.parametrize(("arguments", "longest"), [
    ([], 0.0), (["--host", "0.0.0.0"], flags.LONGEST), (["--proxied"], flags.LONGEST),
    (["--longest", "5"], 5.0),
    (["--host", "0.0.0.0", "--longest", "0"], 0.0),
])  # fmt: skip
def test_where_others_come_nobody_holds_the_trainer_for_ever(
    arguments: list[str], longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr("studio.services.make_services", lambda *_, **limits: made.update(limits))
    flags.services_of(flags.parser({}).parse_args(arguments), {})
    assert made["longest"] == longest and made["hosts"].proxied is ("--proxied" in arguments)


def test_no_limit_of_starts_lifts_that_of_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = flags.parser({}).parse_args(["--starts", "0", "--queue", "40"])
    limits = flags.limits_of(asked, public=True)
    assert (limits.starts, limits.all_starts, limits.queue, limits.of_one_address(40)) == (0, 0, 40, 20)


def test_a_server_with_a_name_is_one_that_others_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy it listens on this machine alone."""
    made: dict[str, Any] = {}
    monkeypatch.setattr("studio.services.make_services", lambda *_, **limits: made.update(limits))
    flags.services_of(flags.parser({}).parse_args(["--allowed-host", "gan.example"]), {})
    assert made["downloads"] is False and made["limits"].memory > 0 and made["limits"].starts > 0


def test_the_flags_reach_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(
        "studio.services.make_services", lambda *folders, **limits: made.extend([folders, limits])
    )
    asked = [
        "--longest",
        "60",
        "--host",
        "Me.example",
        "--allowed-host",
        "A.b",
        "--runs",
        "r",
        "--data-root",
        "d",
    ]
    flags.services_of(flags.parser({}).parse_args(asked), {"SPACE_HOST": "me-x.hf.space"})
    folders, limits = made
    assert folders == (Path("r"), "d") and limits["longest"] == 60.0
    assert limits["hosts"].names == {"me.example", "a.b", "me-x.hf.space"} and limits["hosts"].proxied


def test_visitors_of_a_public_server_have_limits_and_the_owner_of_an_own_one_none() -> None:
    def limits(*arguments: str, public: bool) -> Limits:
        return flags.limits_of(flags.parser({}).parse_args(arguments), public)

    assert limits(public=False) == Limits()
    usual = limits(public=True)
    assert 0.25 * machine_memory() < usual.memory < machine_memory() / 3, "three at once fit"
    assert min(usual.waiting, usual.paused, usual.starts, usual.all_starts, usual.folder_runs) > 0
    assert 0 < usual.of_one_address(usual.queue) < usual.queue
    assert usual.folder_megabytes > 0
    asked = ["--memory", "2.5", "--waiting", "7", "--paused", "0", "--folder-runs", "9"]
    asked += ["--folder-megabytes", "8", "--starts", "5"]
    for public in (True, False):
        own = limits(*asked, public=public)
        assert (own.memory, own.waiting, own.paused) == (2_500_000_000, 7, 0)
        assert (own.folder_runs, own.folder_megabytes) == (9, 8.0)
        assert own.starts == 5 and own.all_starts == (usual.all_starts if public else 0)


def test_the_limits_reach_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr("studio.services.Jobs", lambda root, limits: made.append(limits))
    asked = flags.parser({}).parse_args(["--runs", str(tmp_path), "--waiting", "5"])
    services = flags.services_of(asked, {})
    assert made == [services.limits] and made[0].waiting == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--waiting", "-1"], "'-1' is no count"), (["--paused", "x"], "'x' is no count"),
     (["--memory", "-2"], "'-2' is no amount"), (["--port", "0"], "'0' is no port"),
     (["--port", "65536"], "'65536' is no port"),
     (["--port", "x"], "'x' is no port"), (["--longest", "-1"], "'-1' is no amount"),
     (["--longest", "nan"], "'nan' is no amount"), (["--longest", "inf"], "'inf' is no amount")],
)  # fmt: skip
def test_a_flag_that_cannot_be_used_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        flags.parser({}).parse_args(arguments)
    assert ended.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize(("given", "said"), [
    (["--prot", "1"], "There is no flag named '--prot'; did you mean '--port'?"),
    (["--runs=x", "--hots=y"], "There is no flag named '--hots'; did you mean '--host'?"),
    (["--zebra"], "There is no flag '--zebra'; `python app.py --help` lists them."),
    (["--ho", "x"], "no flag"), (["train"], "unrecognized arguments: train"),
])  # fmt: skip
def test_a_flag_that_is_none_is_one_sentence_with_the_nearest(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        entry.arguments(given)
    told = capsys.readouterr().err
    assert ended.value.code == 2 and said in told and told.count("\n") == 1 and told.startswith("app.py: ")


def test_flags_of_a_space_that_cannot_be_read_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STUDIO_FLAGS", "--runs 'x")
    with pytest.raises(SystemExit) as ended:
        entry.arguments([])
    said = capsys.readouterr().err
    assert (ended.value.code, said) == (2, "app.py: STUDIO_FLAGS cannot be read: No closing quotation\n")


def test_runs_that_are_a_file_are_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for runs, reason in ((file, "File exists"), (file / "runs", "Not a directory")):
        assert refused("--runs", str(runs)) == f"app.py: {runs} cannot be the folder of the runs: {reason}."


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused("--port", str(port), "--runs", str(tmp_path / "runs")).splitlines()
    assert said[-1].startswith(
        f"app.py: Nothing can listen on port {port} of 127.0.0.1: it is in use already"
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process hears")
@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT"])
def test_whoever_ends_the_server_leaves_nothing_behind(tmp_path: Path, end: str) -> None:
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "app.py", "--port", str(free_port()), "--runs", str(tmp_path / "runs")]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")}
        )
    try:
        until(lambda: "DCGAN Studio is at" in (tmp_path / "log").read_text("utf-8"))
        until(lambda: workers(server.pid))
        (warm,) = workers(server.pid)
        assert len(list((tmp_path / "tmp").glob(f"{PREFIX}*"))) == 1
        server.send_signal(getattr(signal, end))
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()
    assert not list((tmp_path / "tmp").glob(f"{PREFIX}*"))
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8")
    until(lambda: not Path(f"/proc/{warm}").exists())


def workers(pid: int) -> list[int]:
    """The warm workers of a server."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"gan_core.worker" in (status.parent / "cmdline").read_bytes():
                found.append(int(status.parent.name))
        except (OSError, ValueError):
            continue
    return found


def until(true: Any, seconds: float = 60) -> None:
    """Wait for `true`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_server_sweeps_what_a_killed_one_left(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    part = runs / ".20261121-010203-x.12345678.part"
    part.mkdir(parents=True)
    os.utime(part, (1, 1))
    with served(runs):
        assert not part.exists()
