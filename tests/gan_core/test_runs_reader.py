"""Readers: whatever state the files are in, there is an answer or one sentence."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gan_core.config import TrainConfig
from gan_core.errors import RunError
from gan_core.runs import (
    RunPaths,
    RunWriter,
    Status,
    create_run,
    list_runs,
    process,
    read_lines,
    read_settings,
    read_status,
)
from gan_core.runs.reader import FIELDS, Verdict, checkpoint_steps, read_verdicts, sample_steps
from gan_core.runs.records import read_all

CONFIG = TrainConfig(dataset="glyphs", steps=100, seconds=10.0)


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return create_run(tmp_path, CONFIG, "digits")


def change(run: RunPaths, **values: object) -> None:
    run.status.write_text(json.dumps(json.loads(run.status.read_text()) | values))


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_reading_and_scheduling_need_no_torch() -> None:
    code = (
        "import sys, gan_core.runs.reader, gan_core.jobs; assert not {'torch', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("name", ["status", "config"])
def test_a_file_cut_at_any_byte_is_one_sentence(run: RunPaths, name: str) -> None:
    path: Path = getattr(run, name)
    whole = path.read_bytes()
    read = read_status if name == "status" else read_settings
    for length in range(len(whole.rstrip())):
        path.write_bytes(whole[:length])
        with pytest.raises(RunError, match=f"Run {run.id} is damaged"):
            read(run)
        assert list_runs(run.path.parent)[0].id == run.id
    path.write_bytes(whole.rstrip())
    read(run)


@pytest.mark.parametrize("junk", [
    b"\xff\xfe\x00", b"[1]", b"null", b"{}", b"[" * 100_000,
    b'{"schema": "1"}', b'{"schema": 1}', b'{"schema": 0}', b'{"schema": 1, "state": "flying"}',
])  # fmt: skip
def test_junk_is_one_sentence(run: RunPaths, junk: bytes) -> None:
    run.status.write_bytes(junk)
    run.config.write_bytes(junk)
    with pytest.raises(RunError, match="is damaged"):
        read_status(run)
    with pytest.raises(RunError, match="is damaged"):
        read_settings(run)
    shown = list_runs(run.path.parent)[0]
    assert (shown.state, shown.id) == ("failed", run.id) and "is damaged" in shown.message


@pytest.mark.parametrize("name", sorted(FIELDS))
@pytest.mark.parametrize("wrong", [float("nan"), float("-inf"), [1], True, {"a": "b"}, 10**400],
                         ids=["nan", "inf", "list", "bool", "dict", "huge"])  # fmt: skip
def test_a_field_of_the_wrong_kind_is_one_sentence(run: RunPaths, name: str, wrong: object) -> None:
    change(run, **{name: wrong})
    with pytest.raises(RunError, match="is damaged") as caught:
        read_status(run)
    assert len(str(caught.value)) < 200


def test_a_newer_schema_says_so(run: RunPaths) -> None:
    change(run, schema=2, colour="blue")
    run.config.write_text(json.dumps({"schema": 2}))
    for read in (read_status, read_settings, RunWriter):
        with pytest.raises(RunError, match=r"newer version .*\(schema 2, this one reads up to 1\); update"):
            read(run)
    assert "newer version" in list_runs(run.path.parent)[0].message


def test_fields_added_by_a_sister_version_are_ignored(run: RunPaths) -> None:
    change(run, colour="blue")
    assert read_status(run).state == "running"


def test_settings_that_do_not_fit_name_the_run(run: RunPaths) -> None:
    run.config.write_text(json.dumps({"schema": 1, "preset": "", "settings": {"lr_h": 3}}))
    with pytest.raises(RunError, match=f"settings of run {run.id}.*did you mean 'lr_g'"):
        read_settings(run)


def test_verdicts_are_data_and_those_of_old_runs_are_prose_that_stays(run: RunPaths) -> None:
    new = {"kind": "diverged", "step": 7, "figures": {"value": "loss/G", "retries": 1}}
    old = {"step": 3, "kind": "diverged", "text": "It {broke}.", "retries": 2}
    run.verdicts.write_text("".join(json.dumps(row) + "\n" for row in (old, new, {"figures": 3})), "utf-8")
    first, second, junk = read_verdicts(run)
    assert (junk.kind, junk.step) == ("", 0) and "3" in str(junk.message)
    assert (first.kind, first.step, first.figures["retries"]) == ("diverged", 3, 2)
    assert str(first.message) == "It {broke}."
    assert second == Verdict("diverged", 7, {"value": "loss/G", "retries": 1})
    assert str(second.message).startswith("Training diverged at step 7: loss/G is no longer a finite number.")


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    for read in (read_status, read_settings):
        with pytest.raises(RunError, match="cannot be read"):
            read(RunPaths(tmp_path / "nothing"))


def test_lines_cut_at_any_byte_lose_only_the_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    records = [{"step": i, "loss/G": i / 3, "note": "é"} for i in range(4)]
    whole = b"".join(json.dumps(r, ensure_ascii=False).encode() + b"\n" for r in records)
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        got, offset = read_lines(path)
        assert got == records[: whole[:length].count(b"\n")]
        path.write_bytes(whole)
        rest, end = read_lines(path, offset)
        assert got + rest == records and end == len(whole)


def test_bad_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(
        b'{"step": 1}\n{"st\n\xff\xfe\n[2]\n3\n\n' + b"[" * 50_000 + b'\n{"step": 2, "x": NaN}\n{"step"'
    )
    got, offset = read_lines(path)
    assert [record["step"] for record in got] == [1, 2]
    assert offset == path.stat().st_size - len(b'{"step"')
    assert read_lines(path, offset) == ([], offset)
    path.write_bytes(b'{"step": 9}\n')
    assert read_lines(path, offset) == ([{"step": 9}], 12)
    assert read_lines(tmp_path / "missing", 7) == ([], 0)


def test_what_is_no_finite_number_is_none(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"step": 1, "a/b": NaN, "a/c": 1e999, "a/d": 1%s, "a/e": 2.5, "a/f": [NaN]}\n' % ("0" * 400)
    )
    assert read_lines(path)[0] == [
        {"step": 1, "a/b": None, "a/c": None, "a/d": None, "a/e": 2.5, "a/f": None}
    ]


def test_a_long_file_is_read_bit_by_bit_and_a_line_without_end_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [b'{"step": 1}', b'{"step": 2}', b'{"step": 3, "note": "' + b"x" * 200 + b'"}', b'{"step": 4}']
    path.write_bytes(b"\n".join(lines) + b"\n" + bytes(100))
    found, before, offset = [], -1, 0
    while before < offset:
        before = offset
        records, offset = read_lines(path, offset, 40)
        assert before <= offset <= before + 40
        found += [record["step"] for record in records]
    assert found == [1, 2, 4] and path.stat().st_size - offset < 40
    with path.open("r+b") as stream:
        stream.truncate(1 << 40)
    assert [record["step"] for record in read_all(path)] == [1, 2, 3, 4], "nor is all of it read"


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let a process be asked after")
@pytest.mark.parametrize("age", [30.0, -4000.0])
@pytest.mark.parametrize("state", ["running", "paused"])
def test_a_run_whose_process_is_gone_reads_as_failed(
    run: RunPaths, dead: int, state: str, age: float
) -> None:
    RunWriter(run).checkpoint(500, lambda path: path.joinpath("state").write_text("good"))  # type: ignore[arg-type, return-value]
    change(run, state=state, pid=dead, born="", heartbeat=time.time() - age)
    status = read_status(run)
    assert status.state == "failed" and "checkpoints/step-000500" in status.message
    assert json.loads(run.status.read_text())["state"] == state  # reading writes nothing


@pytest.mark.parametrize("state", ["queued", "finished", "stopped"])
def test_a_run_that_should_not_train_needs_no_process(run: RunPaths, dead: int, state: str) -> None:
    change(run, state=state, pid=dead, heartbeat=1.0)
    assert read_status(run).state == state


def test_a_fresh_heartbeat_or_a_living_process_is_a_living_run(run: RunPaths, dead: int) -> None:
    change(run, pid=dead, heartbeat=time.time() - 5)
    assert read_status(run).state == "running"
    if os.name != "nt":  # a laptop that slept for a day
        change(run, pid=os.getpid(), heartbeat=time.time() - 86_400)
        assert read_status(run).state == "running"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not tell")
def test_a_number_given_anew_and_a_zombie_are_not_the_process(run: RunPaths) -> None:
    change(run, heartbeat=time.time() - 30, born="12345")
    assert read_status(run).state == "failed"
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.read() == b""
        time.sleep(0.1)  # ended, but not yet waited for
        change(run, pid=child.pid, born="")
        assert read_status(run).state == "failed"


def test_of_another_machine_only_the_heartbeat_is_known(run: RunPaths) -> None:
    change(run, host="not-" + platform.node(), heartbeat=time.time() - 30)
    assert read_status(run).state == "running"
    change(run, heartbeat=time.time() - 90)
    assert read_status(run).state == "failed"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not tell")
@pytest.mark.parametrize("state", ["running", "paused"])
def test_a_process_that_is_held_still_is_shown_as_such(run: RunPaths, state: str) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        change(run, state=state, pid=child.pid, born="", heartbeat=time.time() - 500)
        assert (read_status(run).state, read_status(run).message) == (state, "")
        child.send_signal(signal.SIGSTOP)
        while process._stat(child.pid)[0] != "T":
            time.sleep(0.01)
        status = read_status(run)
        assert status.state == state and "suspended" in status.message
        change(run, host="elsewhere", heartbeat=time.time())
        assert read_status(run).message == "", "of another machine it cannot be known"
        change(run, host="", born="12345", heartbeat=time.time())
        assert read_status(run).message == "", "the number is another process's by now"
        child.kill()


def test_newest_first(tmp_path: Path) -> None:
    runs = [create_run(tmp_path, CONFIG) for _ in range(3)]
    for run, created in zip(runs, (5.0, 9.0, 7.0), strict=True):
        change(run, created=created)
    assert [status.id for status in list_runs(tmp_path)] == [runs[1].id, runs[2].id, runs[0].id]


def test_hundreds_of_runs_are_listed_quickly(tmp_path: Path) -> None:
    for i in range(300):
        (tmp_path / f"r{i:03d}").mkdir()
        (tmp_path / f"r{i:03d}" / "status.json").write_text('{"schema": 1, "state": "finished"}')
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        assert len(list_runs(tmp_path)) == 300
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.2


def test_samples_and_checkpoints_are_found_by_name_alone(run: RunPaths) -> None:
    writer = RunWriter(run)
    for step in (1_000_000, 0, 20, 5):
        writer.sample(step, b"webp")
    writer.real(b"webp")
    (run.samples / ".step-000007.webp.aa.part").write_bytes(b"")
    (run.samples / "step-7.webp.bak").write_bytes(b"")
    (run.checkpoints / ".step-000009.aa.part").mkdir()
    assert sample_steps(run) == [0, 5, 20, 1_000_000]
    assert run.sample(1_000_000).read_bytes() == b"webp"
    assert checkpoint_steps(run) == []
    assert sample_steps(RunPaths(run.path / "missing")) == []


def test_progress_and_what_remains() -> None:
    budget: dict[str, float | None] = {"seconds": 10.0, "steps": 1000, "images": None}
    status = Status(id="a", state="running", step=200, images=9, seconds=5.0, budget=budget)
    assert status.progress == 0.5 and status.remaining == pytest.approx(5.0)
    status = Status(id="a", state="running", step=800, images=9, seconds=5.0, budget=budget)
    assert status.progress == 0.8 and status.remaining == pytest.approx(1.25)
    assert Status(id="a", state="running", budget=budget).remaining == 10.0
    assert Status(id="a", state="running").progress is None
    assert Status(id="a", state="running", step=9).remaining is None
    assert Status(id="a", state="finished", budget=budget).progress == 1.0
    assert Status(id="a", state="stopped", step=200, seconds=2.0, budget=budget).remaining is None
    assert Status(id="a", state="running", step=2000, seconds=11.0, budget=budget).progress == 1.0
