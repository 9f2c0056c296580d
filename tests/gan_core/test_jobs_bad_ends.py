"""Nothing is lost when a worker or a server is killed, and no bad end stops the queue."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_worker
import pytest
from jobs_tools import Open, config, look, posix, put_checkpoint, serve, steps_of, trains, until

from gan_core.errors import RunError
from gan_core.jobs import Jobs
from gan_core.limits import Limits
from gan_core.runs import create_run, find_run, process
from gan_core.runs.lock import only_writer
from gan_core.runs.reader import checkpoint_steps
from gan_core.runs.writer import amend_status

KILLED = r"The worker process was killed \(SIGKILL\)\. The last good checkpoint is of step 5"
MEMORY = r"Memory ran out: it needed more than there is.* checkpoint is of step 5"


@pytest.mark.parametrize(("seed", "words"), [
    (fake_worker.REFUSE, "Give a budget"),
    (fake_worker.CRASH, r"unexpectedly \(ValueError\).*step-000005"),
    (fake_worker.FORGET, r"ended with exit code 3\. The last good checkpoint is of step 5"),
    pytest.param(fake_worker.DIE, KILLED, marks=posix),
    (fake_worker.GREEDY, MEMORY),
    pytest.param(fake_worker.GREEDY_OUTSIDE, MEMORY, marks=posix),
])  # fmt: skip
def test_a_bad_end_has_its_reason_and_the_next_run_begins(
    tmp_path: Path, open_jobs: Open, seed: int, words: str
) -> None:
    jobs = open_jobs()
    bad, good = jobs.submit(config(seed=seed)), jobs.submit(config(steps=3))
    until(lambda: look(tmp_path, bad).state == "failed")
    assert re.search(words, look(tmp_path, bad).message)
    until(lambda: look(tmp_path, good).state == "finished")
    if seed == fake_worker.CRASH:
        assert "a bug in training" in find_run(tmp_path, bad).log.read_text()


@posix
@pytest.mark.parametrize(("counts", "words"), [
    ((3, 4), "The system killed the worker process (SIGKILL), because memory had run out"),
    ((3, 3), "The worker process was killed (SIGKILL). "),
    ((None, None), "killed (SIGKILL), as happens when memory runs out"),
])  # fmt: skip
def test_who_killed_a_worker_is_said_as_far_as_it_is_known(
    tmp_path: Path, open_jobs: Open, monkeypatch: pytest.MonkeyPatch, counts: tuple[int, int], words: str
) -> None:
    count = [counts[0]]
    monkeypatch.setattr("gan_core.child.oom_kills", lambda: count[0])
    jobs = open_jobs()
    id = jobs.submit(config())
    until(lambda: trains(tmp_path, id))
    count[0] = counts[1]
    os.kill(look(tmp_path, id).pid, signal.SIGKILL)
    until(lambda: look(tmp_path, id).state == "failed")
    assert words in look(tmp_path, id).message


@pytest.mark.skipif(sys.platform != "linux", reason="nowhere else does the system keep a process to a limit")
def test_a_worker_that_wants_more_memory_than_it_may_have_says_so(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs(limits=Limits(memory=300_000_000))
    greedy = jobs.submit(config(seed=fake_worker.FILL))  # 400 MB
    until(lambda: look(tmp_path, greedy).state == "failed")
    assert re.search(MEMORY, look(tmp_path, greedy).message)
    assert "MemoryError" in find_run(tmp_path, greedy).log.read_text()
    content = open_jobs(limits=Limits(memory=600_000_000))
    jobs.close()
    id = content.submit(config(seed=fake_worker.FILL, steps=12))
    until(lambda: look(tmp_path, id).state == "finished")


@posix
def test_a_suspended_worker_is_named_and_not_blamed_on_memory(
    tmp_path: Path, open_jobs: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_core.workers.UNRESPONSIVE_SECONDS", 0.5)
    jobs = open_jobs()
    id = jobs.submit(config())
    until(lambda: trains(tmp_path, id))
    pid = look(tmp_path, id).pid
    os.kill(pid, signal.SIGSTOP)
    until(lambda: "is suspended" in look(tmp_path, id).message)
    assert look(tmp_path, id).state == "running"
    os.kill(pid, signal.SIGCONT)
    until(lambda: not look(tmp_path, id).messages)
    step = look(tmp_path, id).step
    until(lambda: look(tmp_path, id).step > step)
    os.kill(pid, signal.SIGSTOP)
    jobs.stop(id)
    until(lambda: look(tmp_path, id).state == "failed")
    assert "was suspended (SIGSTOP) and could not stop" in look(tmp_path, id).message


@posix
def test_a_killed_worker_shows_as_failed_and_can_be_continued(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    id = jobs.submit(config(steps=50))
    until(lambda: look(tmp_path, id).step >= 12)
    shown = steps_of(tmp_path, id)
    os.kill(look(tmp_path, id).pid, signal.SIGKILL)
    assert until(lambda: look(tmp_path, id).state == "failed") < 2.0
    last = checkpoint_steps(find_run(tmp_path, id))[-1]
    assert last >= 10 and f"step {last} (checkpoints/step-{last:06d})" in look(tmp_path, id).message
    jobs.resume(id)
    until(lambda: look(tmp_path, id).state == "finished")
    assert steps_of(tmp_path, id)[: len(shown)] == shown


@posix
def test_a_killed_server_loses_nothing(tmp_path: Path, open_jobs: Open) -> None:
    with serve(tmp_path, 80, 3, 5) as server:
        assert server.stdout is not None
        ids = [server.stdout.readline().strip() for _ in range(3)]
        until(lambda: look(tmp_path, ids[0]).step > 5)
        server.kill()
    step = look(tmp_path, ids[0]).step
    until(lambda: look(tmp_path, ids[0]).step > step + 5)
    jobs = open_jobs()
    assert jobs.queue() == ids
    assert look(tmp_path, ids[1]).state == "queued" and trains(tmp_path, ids[0])
    until(lambda: look(tmp_path, ids[2]).state == "finished", 15)
    assert [look(tmp_path, id).state for id in ids] == ["finished"] * 3
    assert [steps_of(tmp_path, id) for id in ids] == [list(range(1, n + 1)) for n in (80, 3, 5)]


@posix
def test_an_idle_worker_ends_with_its_server(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        assert process.alive(pid, "", "")
        server.kill()
    until(lambda: not process.alive(pid, "", ""))


@posix
def test_worker_and_server_killed_together(tmp_path: Path, open_jobs: Open) -> None:
    first, second = (create_run(tmp_path, config(steps=4), state="queued") for _ in range(2))
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    put_checkpoint(first, 40)
    (first.checkpoint(40) / "step").write_text("40")
    amend_status(first, state="running", pid=child.pid, heartbeat=time.time())
    jobs = open_jobs()
    until(lambda: look(tmp_path, second.id).state == "finished")
    assert look(tmp_path, first.id).state == "failed" and jobs.queue() == []
    assert look(tmp_path, first.id).message == (
        "Its process is gone. The last good checkpoint is of step 40 (checkpoints/step-000040)."
    )


@posix
def test_a_run_killed_while_its_only_checkpoint_was_set_aside_goes_on_from_it(
    tmp_path: Path, open_jobs: Open
) -> None:
    run = create_run(tmp_path, config(steps=50))
    aside = run.checkpoints / ".step-000040.aside"
    aside.mkdir()
    (aside / "step").write_text("40")
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    amend_status(run, pid=child.pid, step=40, heartbeat=time.time())
    jobs = open_jobs()
    until(lambda: look(tmp_path, run.id).state == "failed")
    assert "The last good checkpoint is of step 40" in look(tmp_path, run.id).message
    jobs.resume(run.id)
    until(lambda: look(tmp_path, run.id).state == "finished")
    assert steps_of(tmp_path, run.id)[0] == 41


def test_a_closed_queue_lets_its_run_go_on_for_the_next(tmp_path: Path, open_jobs: Open) -> None:
    first = open_jobs()
    ids = [first.submit(config(steps=60)), first.submit(config(steps=3))]
    until(lambda: trains(tmp_path, ids[0]))
    first.close()
    first.close()
    second = open_jobs()
    assert second.queue() == ids
    second.pause(ids[0])
    until(lambda: look(tmp_path, ids[0]).state == "paused")
    until(lambda: look(tmp_path, ids[1]).state == "finished")
    second.resume(ids[0])
    until(lambda: look(tmp_path, ids[0]).state == "finished")
    assert steps_of(tmp_path, ids[0]) == list(range(1, 61))


def test_a_worker_that_cannot_begin_says_why(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs(worker=(sys.executable, "-c", "import there_is_no_such_module"))
    id = jobs.submit(config())
    until(lambda: look(tmp_path, id).state == "failed")
    assert "No module named 'there_is_no_such_module'" in look(tmp_path, id).message
    until(lambda: jobs._workers.cold)
    time.sleep(0.6)
    assert jobs._workers.warm is None, "it is not tried again and again"


def test_an_unresponsive_worker_is_ended(
    tmp_path: Path, open_jobs: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_core.workers.UNRESPONSIVE_SECONDS", 0.5)
    jobs = open_jobs()
    id = jobs.submit(config(seed=fake_worker.NAP))
    until(lambda: look(tmp_path, id).step >= 7)
    jobs.stop(id)
    assert until(lambda: look(tmp_path, id).state == "failed") < 2.0
    assert "gave no sign of life and did not stop" in look(tmp_path, id).message


def test_one_that_is_silent_for_long_is_ended_where_others_wait_for_their_turn(
    tmp_path: Path, open_jobs: Open
) -> None:
    jobs = open_jobs(limits=Limits(silence=0.5))
    id = jobs.submit(config(seed=fake_worker.NAP))
    next_one = jobs.submit(config(steps=3))
    until(lambda: look(tmp_path, id).state == "failed")
    assert "gave no sign of life for 0.5 seconds" in look(tmp_path, id).message
    until(lambda: look(tmp_path, next_one).state == "finished")


def test_on_ones_own_machine_a_run_may_be_silent(tmp_path: Path, open_jobs: Open) -> None:
    id = open_jobs().submit(config(seed=fake_worker.NAP, steps=9))
    until(lambda: look(tmp_path, id).state == "finished")


def test_damage_does_not_stop_the_queue(tmp_path: Path, open_jobs: Open) -> None:
    run = create_run(tmp_path, config(), state="queued")
    run.status.write_bytes(b'{"schema": 1')
    jobs = open_jobs()
    id = jobs.submit(config(steps=3))
    until(lambda: look(tmp_path, id).state == "finished")
    with pytest.raises(RunError, match="is damaged"):
        jobs.stop(run.id)
    shutil.rmtree(run.path)


@posix
def test_a_run_that_cannot_begin_holds_up_nobody(tmp_path: Path, open_jobs: Open) -> None:
    root = tmp_path / "runs"
    bad, held = (create_run(root, config(), state="queued") for _ in range(2))
    (tmp_path / "elsewhere").write_text("not to be touched")
    bad.log.symlink_to(tmp_path / "elsewhere")
    with only_writer(held):
        jobs = Jobs(root, worker=fake_worker.COMMAND)
        try:
            id = jobs.submit(config(steps=3))
            until(lambda: look(root, id).state == "finished")
        finally:
            jobs.close()
    assert look(root, bad.id).state == "failed" and "log.txt" in look(root, bad.id).message
    assert look(root, held.id).state == "queued" and not held.metrics.exists()
    assert (tmp_path / "elsewhere").read_text() == "not to be touched"


def test_a_full_disk_does_not_end_the_queue(
    tmp_path: Path, open_jobs: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RunError("run-full", run="r")

    jobs = open_jobs()
    monkeypatch.setattr("gan_core.jobs.SURVEY_SECONDS", 0.3)
    with monkeypatch.context() as patch:
        patch.setattr("gan_core.workers.amend_status", full)
        id = jobs.submit(config(steps=3))
        time.sleep(0.7)
        assert look(tmp_path, id).state == "queued"
    until(lambda: look(tmp_path, id).state == "finished")
