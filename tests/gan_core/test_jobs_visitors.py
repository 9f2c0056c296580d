"""Many visitors, one machine: turns, limits, parked runs, two servers on one folder."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from jobs_tools import Open, config, look, put_checkpoint, steps_of, trains, until

from gan_core.errors import JobError, RunError
from gan_core.fair_queue import Turns, Waiting
from gan_core.limits import Limits, Starts
from gan_core.runs import RunPaths, control, create_run, find_run, process, read_lines
from gan_core.runs.lock import between_writers, only_writer
from gan_core.runs.reader import checkpoint_steps, status_as_written
from gan_core.runs.writer import amend_status
from gan_core.workers import end_idle


def test_visitors_take_turns_however_many_runs_one_of_them_has(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    first = jobs.submit(config(), owner="a")
    until(lambda: trains(tmp_path, first))
    a = [jobs.submit(config(steps=4), owner="a") for _ in range(3)]
    b = [jobs.submit(config(steps=4), owner="b") for _ in range(2)]
    assert jobs.queue() == [first, b[0], a[0], b[1], a[1], a[2]]
    jobs.stop(first)
    until(lambda: all(look(tmp_path, id).state == "finished" for id in (*a, *b)), 15)
    begun = sorted((*a, *b), key=lambda id: read_lines(find_run(tmp_path, id).metrics)[0][0]["time"])
    assert begun == [b[0], a[0], b[1], a[1], a[2]]


def test_who_was_served_last_comes_last() -> None:
    turns = Turns()
    waiting = [Waiting(float(i), f"a{i}", "a") for i in range(3)] + [Waiting(9.0, "b0", "b")]
    assert turns.order(waiting) == ["a0", "b0", "a1", "a2"]
    turns.record("a")
    assert turns.order(waiting[1:]) == ["b0", "a1", "a2"], "nothing trains any more, but a was served"
    turns.record("b")
    later = [*waiting[1:3], Waiting(10.0, "b1", "b"), Waiting(11.0, "c0", "c")]
    assert turns.order(later) == ["c0", "a1", "b1", "a2"]
    assert turns.order(later, training=["c"]) == ["c0", "a1", "b1", "a2"], "c began before this process did"
    assert turns.order([*later, Waiting(12.0, "d0", "d")], training=["c"])[:2] == ["d0", "c0"]
    turns.record("c")
    assert turns.order(later, training=["c"]) == ["a1", "b1", "c0", "a2"]


def test_at_one_address_many_tokens_are_one_turn() -> None:
    turns = Turns()
    crowd = [Waiting(float(i), f"x{i}", f"token {i}", "x") for i in range(3)]
    waiting = [*crowd, Waiting(8.0, "y0", "y", "y"), Waiting(9.0, "b0", "b")]
    assert turns.order(waiting) == ["x0", "y0", "b0", "x1", "x2"]
    turns.record("token 0", "x")
    assert turns.order(waiting[1:]) == ["y0", "b0", "x1", "x2"]
    two = [Waiting(1.0, "p0", "p", "x"), Waiting(2.0, "p1", "p", "x"), Waiting(3.0, "q0", "q", "x")]
    assert Turns().order(two) == ["p0", "q0", "p1"], "a class behind one address takes turns as well"


def test_a_visitor_has_a_few_waiting_and_paused_runs(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs(limits=Limits(waiting=1, paused=1))
    ids = [jobs.submit(config(), owner="a")]
    until(lambda: trains(tmp_path, ids[0]))
    ids.append(jobs.submit(config(), owner="a"))
    with pytest.raises(JobError, match="1 of your runs wait already"):
        jobs.submit(config(), owner="a")
    other = jobs.submit(config(), owner="b")
    assert len(list(tmp_path.glob("2*"))) == 3, "a refused run leaves nothing behind"
    jobs.pause(ids[0])
    until(lambda: trains(tmp_path, other))
    with pytest.raises(JobError, match="1 of your runs wait already"):
        jobs.resume(ids[0])
    jobs.pause(other)
    until(lambda: trains(tmp_path, ids[1]))
    with pytest.raises(JobError, match="1 of your runs are paused already"):
        jobs.pause(ids[1])
    jobs.resume(ids[0])
    jobs.resume(ids[0])  # pressed twice: it waits already, and so takes no room
    jobs.pause(ids[1])
    until(lambda: look(tmp_path, ids[1]).state == "paused")


def test_starting_and_stopping_makes_no_hundreds_of_folders(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs(limits=Limits(starts=4, all_starts=6))
    for _ in range(4):
        jobs.stop(jobs.submit(config(), owner="a"))
    with pytest.raises(JobError, match=r"started 4 runs within a minute; .* in (60|59) seconds"):
        jobs.submit(config(), owner="a")
    for owner in ("b", "c"):
        jobs.stop(jobs.submit(config(), owner=owner))
    with pytest.raises(JobError, match=r"Many runs were started here within a minute; .* in \d+ seconds"):
        jobs.submit(config(), owner="d")
    assert len(list(tmp_path.glob("2*"))) == 6


def test_a_run_that_is_stopped_and_continued_again_and_again_is_started_each_time(
    tmp_path: Path, open_jobs: Open
) -> None:
    jobs = open_jobs(limits=Limits(starts=3))
    id = jobs.submit(config(), owner="a")
    for _ in range(2):
        until(lambda: look(tmp_path, id).step >= 6 and trains(tmp_path, id))
        jobs.stop(id)
        until(lambda: look(tmp_path, id).state == "stopped")
        jobs.resume(id)
    until(lambda: trains(tmp_path, id))
    jobs.stop(id)
    until(lambda: look(tmp_path, id).state == "stopped")
    with pytest.raises(JobError, match="started 3 runs within a minute"):
        jobs.resume(id)
    assert look(tmp_path, id).state == "stopped"


def test_one_address_has_a_share_however_many_tokens_it_makes(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs(limits=Limits(queue=5, address_share=0.5))
    first = jobs.submit(config(), owner="t0", address="x")
    until(lambda: trains(tmp_path, first))
    for token in ("t1", "t2", "t3"):
        jobs.submit(config(), owner=token, address="x")
    with pytest.raises(JobError, match="3 runs from your network address wait already"):
        jobs.submit(config(), owner="t4", address="x")
    waiting = [jobs.submit(config(), owner="b", address="y"), jobs.submit(config(), owner="c")]
    assert len(jobs.queue()) == 6 and set(waiting) <= set(jobs.queue()), "the rest is for others"
    with pytest.raises(JobError, match="The queue is full"):
        jobs.submit(config(), owner="d", address="z")


def test_one_address_may_start_half_of_what_all_may(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("gan_core.limits.time.monotonic", lambda: now[0])
    starts, limits = Starts(), Limits(all_starts=4, address_share=0.5)
    for token in "ab":
        starts.check(token, limits, "x")
        starts.add(token, "x")
        now[0] += 10
    with pytest.raises(JobError, match=r"2 runs were started from your network address .* in 40 seconds"):
        starts.check("c", limits, "x")
    starts.check("c", limits, "y")
    for token in "de":
        starts.check(token, limits)
        starts.add(token)  # behind a proxy no address is known, and none is counted
    with pytest.raises(JobError, match="Many runs were started here"):
        starts.check("f", limits)


def test_after_a_minute_one_may_start_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("gan_core.limits.time.monotonic", lambda: now[0])
    starts, limits = Starts(), Limits(starts=2)
    starts.add("a")
    now[0] += 20
    starts.add("a")
    with pytest.raises(JobError, match="in 40 seconds"):
        starts.check("a", limits)
    starts.check("b", limits)
    now[0] += 40
    starts.check("a", limits)


def test_a_run_paused_for_long_keeps_no_process_and_goes_on_from_where_it_was(
    tmp_path: Path, open_jobs: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_core.jobs.PARK_SECONDS", 0.4)
    jobs = open_jobs()
    id = jobs.submit(config(steps=60))
    until(lambda: look(tmp_path, id).step >= 12)
    pid = look(tmp_path, id).pid
    jobs.pause(id)
    until(lambda: look(tmp_path, id).state == "paused")
    assert process.alive(pid, "", ""), "for a while it can go on at once"
    until(lambda: not process.alive(pid, "", ""))
    status, shown = look(tmp_path, id), steps_of(tmp_path, id)
    assert (status.state, status.parked, status.messages) == ("paused", True, ())
    assert checkpoint_steps(find_run(tmp_path, id))[-1] == status.step == shown[-1]
    amend_status(find_run(tmp_path, id), heartbeat=time.time() - 86400)
    time.sleep(0.4)
    assert look(tmp_path, id).state == "paused", "after a day nobody takes it for lost"
    jobs.resume(id)
    until(lambda: look(tmp_path, id).state == "finished")
    assert steps_of(tmp_path, id) == list(range(1, 61)), "no step twice, none left out"


def test_a_parked_run_can_be_stopped_and_waits_for_its_turn(
    tmp_path: Path, open_jobs: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_core.jobs.PARK_SECONDS", 0.1)
    jobs = open_jobs()
    first, second = jobs.submit(config(), owner="a"), jobs.submit(config(), owner="b")
    for id in (first, second):
        until(lambda id=id: trains(tmp_path, id))
        jobs.pause(id)
        until(lambda id=id: look(tmp_path, id).parked)
    third = jobs.submit(config(), owner="c")
    until(lambda: trains(tmp_path, third))
    jobs.resume(first)
    assert jobs.queue() == [third, first]
    step = look(tmp_path, first).step
    time.sleep(0.4)
    assert look(tmp_path, first).parked and jobs.queue() == [third, first]
    jobs.stop(second)
    status = look(tmp_path, second)
    assert (status.state, status.messages) == ("stopped", ()), "it had begun: nothing to explain"
    jobs.stop(third)
    until(lambda: look(tmp_path, first).state == "running" and look(tmp_path, first).step > step)


def test_few_processes_stand_still_at_once(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    ids = []
    for owner in "abcd":
        ids.append(jobs.submit(config(), owner=owner))
        until(lambda: trains(tmp_path, ids[-1]))
        jobs.pause(ids[-1])
        until(lambda: look(tmp_path, ids[-1]).state == "paused")
    until(lambda: [look(tmp_path, id).parked for id in ids] == [True, True, True, False])
    time.sleep(0.3)
    assert [look(tmp_path, id).parked for id in ids] == [True, True, True, False]


def test_two_writers_on_one_run_are_refused(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    id = jobs.submit(config())
    until(lambda: trains(tmp_path, id))
    run = find_run(tmp_path, id)
    with pytest.raises(RunError, match=f"Run {id} is written by another process"), only_writer(run):
        pytest.fail("it trains")
    with between_writers(run) as status:
        assert status is None
    jobs.stop(id)
    until(lambda: look(tmp_path, id).state == "stopped")
    with only_writer(run, 2.0), pytest.raises(RunError, match="written by another process"):
        put_checkpoint(run, 5)
        jobs.resume(id)
    assert look(tmp_path, id).state == "stopped"
    with pytest.raises(RunError, match="no run named"), only_writer(RunPaths(tmp_path / "x")):
        pytest.fail("there is none")
    assert not (tmp_path / "x").exists()


def test_a_run_held_by_hand_is_not_begun_and_keeps_its_state(tmp_path: Path, open_jobs: Open) -> None:
    jobs = open_jobs()
    run = create_run(tmp_path, config(steps=3), state="queued")
    with only_writer(run):
        time.sleep(0.6)
        assert look(tmp_path, run.id).state == "queued" and not steps_of(tmp_path, run.id)
    until(lambda: look(tmp_path, run.id).state == "finished")
    assert jobs.queue() == []


def test_a_worker_whose_run_was_taken_by_another_does_not_fail_it(tmp_path: Path) -> None:
    from gan_core import worker

    run = create_run(tmp_path, config())

    def refused(*_: object, **__: object) -> list[object]:
        raise RunError("run-locked", run=run.id)

    assert worker.work(run, refused) == 1
    assert status_as_written(run).state == "running"


def test_the_stop_of_a_second_server_reaches_a_queued_run(tmp_path: Path, open_jobs: Open) -> None:
    first = open_jobs()
    until(lambda: first._scheduler.is_locked)
    second = open_jobs()
    training, waiting = first.submit(config()), first.submit(config(steps=5))
    until(lambda: trains(tmp_path, training))
    second.stop(waiting)
    second.stop(training)
    until(lambda: look(tmp_path, training).state == "stopped")
    time.sleep(0.4)
    assert look(tmp_path, waiting).state == "stopped" and not steps_of(tmp_path, waiting)
    assert first.queue() == second.queue() == []


def test_a_stop_at_the_moment_in_which_the_other_server_begins_the_run(
    tmp_path: Path, open_jobs: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler has read "queued", and before it writes "running" the other server stops the run."""
    open_jobs()
    run = create_run(tmp_path, config(steps=2000), state="stopped")
    stopped: list[bool] = []
    write = amend_status

    def late(which: object, **changes: object) -> None:
        if changes.get("state") == "running" and not stopped:
            stopped.append(end_idle(run, 0.1))  # what `stop` does to a queued run: it is held
            control.send(run, "stop")
        write(which, **changes)

    monkeypatch.setattr("gan_core.workers.amend_status", late)
    amend_status(run, state="queued")
    until(lambda: look(tmp_path, run.id).state == "stopped")
    assert stopped == [False]
    time.sleep(0.3)
    assert look(tmp_path, run.id).state == "stopped" and len(steps_of(tmp_path, run.id)) < 1000


def test_a_queued_run_that_was_told_to_stop_does_not_begin(tmp_path: Path, open_jobs: Open) -> None:
    run = create_run(tmp_path, config(), state="queued")
    control.send(run, "stop")
    open_jobs()
    until(lambda: look(tmp_path, run.id).state == "stopped")
    assert "Stopped before it began" in look(tmp_path, run.id).message and steps_of(tmp_path, run.id) == []


def test_an_order_keeps_its_place_in_the_queue_when_its_run_is_parked(tmp_path: Path) -> None:
    run = create_run(tmp_path, config())
    control.send(run, "wait")
    order = control.read(run)
    assert order is not None and not order.park
    control.park(run, order)
    parked = control.read(run)
    assert parked is not None and (parked.command, parked.time, parked.park) == ("wait", order.time, True)
    control.send(run, "run")
    assert not (control.read(run) or order).park
