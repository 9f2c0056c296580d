"""The queue: one run at a time in a child process; nothing is lost when worker or server is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gan_core.config import TrainConfig
from gan_core.errors import JobError, RunError
from gan_core.jobs import Jobs
from gan_core.runs import RunPaths, Status, create_run, find_run, read_lines, read_status
from gan_core.runs import control, process
from gan_core.runs.reader import checkpoint_steps
from gan_core.runs.writer import amend_status

sys.path.insert(0, str(Path(__file__).parent))
import fake_worker  # noqa: E402

Open = Callable[..., Jobs]
posix = pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")


@pytest.fixture
def open_jobs(tmp_path: Path) -> Iterator[Open]:
    """Opens queues on tmp_path; in the end all are closed and their runs stopped."""
    opened: list[Jobs] = []

    def make(**options: object) -> Jobs:
        opened.append(Jobs(tmp_path, **{"worker": fake_worker.COMMAND, **options}))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for jobs in opened:
        jobs.close()
    for path in tmp_path.glob("2*"):
        control.send(RunPaths(path), "stop")
    kept = [s for s in all_statuses(tmp_path) if s.pid != os.getpid()]
    until(lambda: not any(process.alive(s.pid, s.born, "") for s in kept))


def all_statuses(root: Path) -> list[Status]:
    return [read_status(RunPaths(path)) for path in root.glob("2*")]


def config(steps: int = 10_000, seed: int = 0) -> TrainConfig:
    return TrainConfig(dataset="glyphs", steps=steps, seed=seed)


def until(true: Callable[[], object], seconds: float = 8.0) -> float:
    """Wait for `true`; the seconds that it took."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < seconds, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - start


def look(root: Path, id: str) -> Status:
    return read_status(find_run(root, id))


def steps_of(root: Path, id: str) -> list[int]:
    return [record["step"] for record in read_lines(find_run(root, id).metrics)[0]]


def trains(root: Path, id: str) -> bool:
    return look(root, id).state == "running" and bool(steps_of(root, id))


def test_runs_are_trained_one_after_the_other_in_order(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    ids = [jobs.submit(config(steps=12), preset="digits") for _ in range(3)]
    assert jobs.queue() == ids
    until(lambda: all(look(tmp_path, id).state == "finished" for id in ids), 15)
    assert jobs.queue() == [] and look(tmp_path, ids[0]).preset == "digits"
    spans = [[r["time"] for r in read_lines(find_run(tmp_path, id).metrics)[0]] for id in ids]
    assert all(len(span) == 12 for span in spans)
    assert spans[0][-1] < spans[1][0] and spans[1][-1] < spans[2][0]


def test_a_warm_worker_begins_at_once_and_with_low_priority(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs(worker=(*fake_worker.COMMAND, "nice"))
    until(lambda: jobs._warm is not None)
    time.sleep(0.5)
    warm = jobs._warm
    id = jobs.submit(config())
    assert until(lambda: trains(tmp_path, id)) < 1.0
    assert warm is not None and look(tmp_path, id).pid == warm.pid
    assert jobs._warm is None, "importing for the next run must not slow the first seconds of this one"
    if hasattr(os, "nice"):
        assert read_lines(find_run(tmp_path, id).metrics)[0][0]["nice"] == 19
        assert os.getsid(warm.pid) == warm.pid != os.getsid(0)
    jobs.stop(id)
    until(lambda: jobs._warm is not None)


def test_a_new_worker_is_warmed_once_the_show_is_over(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    id = jobs.submit(config())
    until(lambda: trains(tmp_path, id))
    assert jobs._warm is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gan_core.jobs.WARM_AFTER_SECONDS", 0.1)
        until(lambda: jobs._warm is not None)
    assert trains(tmp_path, id)


def test_stop_takes_effect_within_a_second(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    first, second = jobs.submit(config()), jobs.submit(config())
    until(lambda: trains(tmp_path, first))
    jobs.stop(second)
    assert look(tmp_path, second).state == "stopped" and jobs.queue() == [first]
    jobs.stop(first)
    assert until(lambda: look(tmp_path, first).state == "stopped") < 1.0
    for id in (first, second):
        with pytest.raises(JobError, match="it is stopped already"):
            jobs.stop(id)
    assert steps_of(tmp_path, second) == []


def test_pause_lets_the_next_one_begin_and_resume_waits_for_its_turn(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    first, second, third = (jobs.submit(config()) for _ in range(3))
    until(lambda: trains(tmp_path, first))
    jobs.pause(first)
    assert until(lambda: look(tmp_path, first).state == "paused") < 1.0
    until(lambda: trains(tmp_path, second))
    assert jobs.queue() == [second, third]
    jobs.resume(first)
    assert jobs.queue() == [second, third, first]
    done = look(tmp_path, first)
    time.sleep(0.6)
    assert look(tmp_path, first).step == done.step and look(tmp_path, first).heartbeat > done.heartbeat
    jobs.pause(first)  # it is no longer wanted
    assert jobs.queue() == [second, third]
    jobs.resume(first)
    jobs.stop(second)
    until(lambda: trains(tmp_path, third))
    jobs.stop(third)
    assert until(lambda: look(tmp_path, first).step > done.step) < 2.0
    assert jobs.queue() == [first]
    jobs.stop(first)
    until(lambda: look(tmp_path, first).state == "stopped")


def test_resume_with_nothing_else_to_do_is_at_once(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    id = jobs.submit(config())
    until(lambda: trains(tmp_path, id))
    jobs.pause(id)
    jobs.resume(id)  # before it stood still
    step = look(tmp_path, id).step
    until(lambda: look(tmp_path, id).step > step + 5)
    jobs.pause(id)
    until(lambda: look(tmp_path, id).state == "paused")
    step = look(tmp_path, id).step
    jobs.resume(id)
    assert until(lambda: look(tmp_path, id).step > step) < 1.0
    jobs.pause(id)
    until(lambda: look(tmp_path, id).state == "paused")
    jobs.stop(id)
    assert until(lambda: look(tmp_path, id).state == "stopped") < 1.0


def test_a_stopped_run_goes_on_from_its_checkpoint(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    id = jobs.submit(config(steps=60))
    until(lambda: look(tmp_path, id).step >= 12)
    jobs.stop(id)
    until(lambda: look(tmp_path, id).state == "stopped")
    shown = steps_of(tmp_path, id)
    jobs.resume(id)
    until(lambda: look(tmp_path, id).state == "finished")
    later = steps_of(tmp_path, id)
    assert later[: len(shown)] == shown and later[-1] == 60
    assert later[len(shown)] == shown[-1] // 5 * 5 + 1


def test_what_makes_no_sense_is_one_sentence(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs(queue_limit=1)
    first, second = jobs.submit(config(steps=2)), ""
    until(lambda: look(tmp_path, first).state == "finished")
    for act, word in ((jobs.stop, "stopped"), (jobs.pause, "paused"), (jobs.resume, "continued")):
        with pytest.raises(JobError, match=f"cannot be {word}: it is finished"):
            act(first)
        with pytest.raises(RunError, match="no run named"):
            act("../" + first)
    first = jobs.submit(config())
    until(lambda: trains(tmp_path, first))
    with pytest.raises(JobError, match="cannot be continued: it is running"):
        jobs.resume(first)
    second = jobs.submit(config())
    with pytest.raises(JobError, match="has not begun yet"):
        jobs.pause(second)
    with pytest.raises(JobError, match="cannot be continued: it is queued"):
        jobs.resume(second)
    with pytest.raises(JobError, match="The queue is full: 1 runs wait"):
        jobs.submit(config())
    jobs.stop(second)
    with pytest.raises(JobError, match="it is stopped and has no checkpoint"):
        jobs.resume(second)
    jobs.close()
    with pytest.raises(JobError, match="closed"):
        jobs.submit(config())


@pytest.mark.parametrize(("seed", "words"), [
    (fake_worker.REFUSE, "These settings cannot be trained."),
    (fake_worker.CRASH, r"unexpectedly \(ValueError: a bug in training\).*step-000005"),
    (fake_worker.FORGET, r"ended with exit code 3\. The last good checkpoint is of step 5"),
    pytest.param(fake_worker.DIE, r"was killed \(SIGKILL\), as happens when memory runs out\. .*step 5", marks=posix),
])  # fmt: skip
def test_a_bad_end_has_its_reason_and_the_next_run_begins(
    tmp_path: Path, open_jobs: Open, seed: int, words: str
) -> None:
    jobs = open_jobs()
    bad, good = jobs.submit(config(seed=seed)), jobs.submit(config(steps=3))
    until(lambda: look(tmp_path, bad).state == "failed")
    with pytest.raises(RunError, match=words):
        raise RunError(look(tmp_path, bad).message)
    until(lambda: look(tmp_path, good).state == "finished")
    if seed == fake_worker.CRASH:
        assert "a bug in training" in find_run(tmp_path, bad).log.read_text()


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
    with subprocess.Popen(
        [*fake_worker.COMMAND, "jobs", str(tmp_path), "80", "3", "5"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as server:  # fmt: skip
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
    code = "import sys; from fake_worker import *; from gan_core.jobs import Jobs; jobs = Jobs(Path(sys.argv[1]), " \
           "worker=COMMAND)\nwhile not jobs._warm: time.sleep(.01)\nprint(jobs._warm.pid, flush=True); time.sleep(60)"  # fmt: skip
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": path}) as server:  # fmt: skip
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
    first.checkpoint(40).mkdir()
    amend_status(first, state="running", pid=child.pid, heartbeat=time.time())
    jobs = open_jobs()
    until(lambda: look(tmp_path, second.id).state == "finished")
    assert look(tmp_path, first.id).state == "failed" and jobs.queue() == []
    assert look(tmp_path, first.id).message == (
        "Its process is gone. The last good checkpoint is of step 40 (checkpoints/step-000040)."
    )


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


def test_two_servers_on_one_folder_train_one_run_at_a_time(tmp_path: Path, open_jobs: Open) -> None:
    first, second = open_jobs(), open_jobs()
    ids = [jobs.submit(config(steps=10)) for jobs in (first, second, first, second)]
    held = []
    while any(look(tmp_path, id).state != "finished" for id in ids):
        held.append(sum(look(tmp_path, id).state == "running" for id in ids))
        first.close() if look(tmp_path, ids[1]).state == "running" else None
    assert max(held) == 1
    assert all(steps_of(tmp_path, id) == list(range(1, 11)) for id in ids)


def test_a_run_of_the_command_line_is_waited_for(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    other = create_run(tmp_path, config())  # running, kept by this process
    id = jobs.submit(config(steps=3))
    assert jobs.queue() == [other.id, id]
    time.sleep(0.8)
    assert look(tmp_path, id).state == "queued"
    amend_status(other, state="finished")
    until(lambda: look(tmp_path, id).state == "finished")


def test_a_worker_that_cannot_begin_says_why(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs(worker=(sys.executable, "-c", "import there_is_no_such_module"))
    id = jobs.submit(config())
    until(lambda: look(tmp_path, id).state == "failed")
    assert "No module named 'there_is_no_such_module'" in look(tmp_path, id).message
    until(lambda: jobs._cold)
    time.sleep(0.6)
    assert jobs._warm is None, "it is not tried again and again"


def test_a_deaf_worker_is_ended(tmp_path: Path, open_jobs: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_core.jobs.DEAF_SECONDS", 0.5)
    jobs = open_jobs()
    id = jobs.submit(config(seed=fake_worker.NAP))
    until(lambda: look(tmp_path, id).step >= 7)
    jobs.stop(id)
    assert until(lambda: look(tmp_path, id).state == "failed") < 2.0


def test_damage_does_not_stop_the_queue(tmp_path: Path, open_jobs: Open) -> None:
    run = create_run(tmp_path, config(), state="queued")
    run.status.write_bytes(b'{"schema": 1')
    jobs = open_jobs()
    id = jobs.submit(config(steps=3))
    until(lambda: look(tmp_path, id).state == "finished")
    with pytest.raises(RunError, match="is damaged"):
        jobs.stop(run.id)
    shutil.rmtree(run.path)


def test_a_full_disk_does_not_end_the_queue(
    tmp_path: Path, open_jobs: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RunError("The disk is full.")

    jobs = open_jobs()
    monkeypatch.setattr("gan_core.jobs.SURVEY_SECONDS", 0.3)
    with monkeypatch.context() as patch:
        patch.setattr("gan_core.jobs.amend_status", full)
        id = jobs.submit(config(steps=3))
        time.sleep(0.7)
        assert look(tmp_path, id).state == "queued"
    until(lambda: look(tmp_path, id).state == "finished")
