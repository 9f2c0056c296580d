"""The queue: one run trains at a time, in a child process; stop, pause and continue take effect at once."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import fake_worker
import pytest
from jobs_tools import Open, config, look, put_checkpoint, steps_of, trains, until

from gan_core.config import TrainConfig
from gan_core.errors import JobError, RunError
from gan_core.limits import Limits
from gan_core.runs import control, create_run, find_run, read_lines
from gan_core.runs.reader import read_owner, sample_steps
from gan_core.runs.writer import amend_status


def test_runs_are_trained_one_after_the_other_in_order(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    ids = [jobs.submit(config(steps=12), preset="digits") for _ in range(3)]
    assert jobs.queue() == ids
    until(lambda: all(look(tmp_path, id).state == "finished" for id in ids), 15)
    assert jobs.queue() == [] and look(tmp_path, ids[0]).preset == "digits"
    spans = [[r["time"] for r in read_lines(find_run(tmp_path, id).metrics)[0]] for id in ids]
    assert all(len(span) == 12 for span in spans)
    assert spans[0][-1] < spans[1][0] and spans[1][-1] < spans[2][0]


def test_a_warm_worker_takes_the_run_with_low_priority(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs(worker=(*fake_worker.COMMAND, "nice"))
    until(lambda: jobs._workers.warm is not None)
    time.sleep(0.5)
    warm = jobs._workers.warm
    id = jobs.submit(config())
    until(lambda: trains(tmp_path, id))
    assert warm is not None and look(tmp_path, id).pid == warm.pid
    assert jobs._workers.warm is None, (
        "importing for the next run must not slow the first seconds of this one"
    )
    if hasattr(os, "nice"):
        assert read_lines(find_run(tmp_path, id).metrics)[0][0]["nice"] == 19
        assert os.getsid(warm.pid) == warm.pid != os.getsid(0)
    jobs.stop(id)
    until(lambda: jobs._workers.warm is not None)


def test_a_new_worker_is_warmed_once_the_show_is_over(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    id = jobs.submit(config())
    until(lambda: trains(tmp_path, id))
    assert jobs._workers.warm is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gan_core.jobs.WARM_AFTER_SECONDS", 0.1)
        until(lambda: jobs._workers.warm is not None)
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
    first, second, third = (jobs.submit(config(), owner=owner) for owner in ("a", "b", "c"))
    assert read_owner(find_run(tmp_path, second)) == "b"
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
    jobs = open_jobs(limits=Limits(queue=1))
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


def test_a_run_that_is_continued_needs_room_in_the_queue_as_a_new_one_does(
    tmp_path: Path, open_jobs: Open
) -> None:
    jobs = open_jobs(limits=Limits(queue=1))
    training = create_run(tmp_path, config())  # kept by this process
    waiting = jobs.submit(config())
    stopped = create_run(tmp_path, config(), state="stopped")
    put_checkpoint(stopped, 5)
    (stopped.checkpoint(5) / "step").write_text("5")
    order = control.read(stopped)
    with pytest.raises(JobError, match="The queue is full: 1 runs wait already"):
        jobs.resume(stopped.id)
    assert look(tmp_path, stopped.id).state == "stopped" and control.read(stopped) == order
    assert jobs.queue() == [training.id, waiting]
    jobs.stop(waiting)
    jobs.resume(stopped.id)
    assert jobs.queue() == [training.id, stopped.id]


def test_two_servers_on_one_folder_train_one_run_at_a_time(tmp_path: Path, open_jobs: Open) -> None:
    first, second = open_jobs(), open_jobs()
    ids = [jobs.submit(config(steps=10)) for jobs in (first, second, first, second)]
    held, deadline = [], time.monotonic() + 60
    while any(look(tmp_path, id).state != "finished" for id in ids):
        assert time.monotonic() < deadline, "nobody took over from the first"
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


def test_the_real_worker_trains(tmp_path: Path, open_jobs: Open) -> None:
    patient = "from gan_core import worker; worker._step_back = lambda: None; raise SystemExit(worker.main())"
    jobs = open_jobs(worker=(sys.executable, "-c", patient))  # a busy machine would starve it
    quick = TrainConfig(dataset="glyphs", size=16, steps=3, batch=8, g_width=4, d_width=4, threads=1,
                        precision="fp32", memory_format="contiguous", device="cpu")  # fmt: skip
    id = jobs.submit(quick)
    until(lambda: look(tmp_path, id).state not in ("queued", "running"), 60)
    status, run = look(tmp_path, id), find_run(tmp_path, id)
    assert (status.state, status.step, status.progress) == ("finished", 3, 1.0), status.message
    assert run.generator.is_file() and run.real.is_file() and sample_steps(run)[:2] == [0, 1]
    with pytest.raises(JobError, match="it is finished"):
        jobs.resume(id)
