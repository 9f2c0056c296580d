"""What is due, and when."""

import os
import signal
import subprocess
import sys
import time

import pytest

from gan_core.config import from_mapping
from gan_core.training import schedule
from gan_core.training.schedule import FIRST_STEPS, Every, Stopwatch, export_gap, sample_gap, schedule_of


def test_it_is_due_when_the_gap_has_gone_since_it_was_done():
    every = Every(lambda seconds: 2.0)
    assert every.due(0.0) and every.due(5.0), "never done, it is due at once"
    every.mark(5.0)
    assert [every.due(seconds) for seconds in (5.0, 6.9, 7.0, 9.0)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("gap", "by_seconds"),
    [
        (sample_gap, {0: 0.25, 2.9: 0.25, 3: 0.5, 14.9: 0.5, 15: 0.5, 15.75: 0.525, 60: 2, 600: 20}),
        (export_gap, {0: 1, 20: 1, 40: 2, 600: 30}),
    ],
)
def test_what_is_shown_comes_more_rarely_as_a_run_goes_on(gap, by_seconds):
    assert {seconds: gap(seconds) for seconds in by_seconds} == pytest.approx(by_seconds)


def test_a_grid_comes_at_the_first_steps_and_then_by_time():
    times = schedule_of(from_mapping({"steps": 1}))
    times.samples.mark(100.0)
    assert [step for step in range(300) if times.sample_due(step, 100.1)] == sorted(FIRST_STEPS)
    assert times.sample_due(299, 104.0)


def test_the_curves_have_each_of_the_first_ten_steps_and_then_every_so_many():
    times = schedule_of(from_mapping({"steps": 1, "log_every": 25}))
    assert [step for step in range(1, 76) if times.record_due(step)] == [*range(1, 11), 25, 50, 75]


def test_checkpoints_come_by_steps_where_they_are_given_and_else_by_time():
    by_steps = schedule_of(from_mapping({"steps": 1, "checkpoint_steps": 5}))
    assert [step for step in range(1, 12) if by_steps.checkpoint_due(step, 1e6)] == [5, 10]
    by_time = schedule_of(from_mapping({"steps": 1, "checkpoint_seconds": 30.0}))
    assert [by_time.checkpoint_due(1, seconds) for seconds in (29.9, 30.0)] == [False, True]
    by_time.checkpoints.mark(30.0)
    assert [by_time.checkpoint_due(1, seconds) for seconds in (59.9, 60.0)] == [False, True]


class Time:
    """A clock and a count of what was computed, moved by hand, in the place of the module `time`."""

    def __init__(self, monkeypatch):
        self.passed = self.worked = 0.0
        monkeypatch.setattr(schedule, "time", self)

    def perf_counter(self):
        return self.passed

    def process_time(self):
        return self.worked

    def go(self, passed, share):
        self.passed += passed
        self.worked += passed * share


@pytest.mark.parametrize(
    ("passed", "share", "counted"),
    [
        (0.5, 0.0, 0.5),  # waiting for a GPU, or for another process
        (4.9, 0.0, 4.9),
        (60.0, 2.0, 60.0),  # a step that takes a minute on two processors
        (60.0, 0.06, 60.0),  # a starved one, on a busy machine
        (60.0, 0.0, 0.0),  # suspended
        (60.0, 0.04, 2.4),  # suspended after 2.4 seconds of work
    ],
)
def test_time_in_which_the_process_was_suspended_does_not_count(passed, share, counted, monkeypatch):
    now = Time(monkeypatch)
    watch = Stopwatch(10.0)
    now.go(1.0, 1.0)
    assert watch.seconds == pytest.approx(11.0)
    now.go(passed, share)
    assert watch.seconds == pytest.approx(11.0 + counted)
    now.go(1.0, 1.0)
    assert watch.seconds == pytest.approx(12.0 + counted)


def test_a_pause_does_not_count_whether_it_is_long_or_computes(monkeypatch):
    now = Time(monkeypatch)
    watch = Stopwatch(0.0)
    now.go(2.0, 1.0)
    watch.skip(lambda: now.go(600.0, 0.9))
    assert watch.seconds == pytest.approx(2.0)
    now.go(3.0, 1.0)
    assert watch.seconds == pytest.approx(5.0)


SUSPENDED = """
import time
from gan_core.training import schedule
schedule.LONG = 0.2
watch = schedule.Stopwatch()
print("ready", flush=True)
input()
print(watch.seconds, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_process_that_a_signal_held_still_has_not_trained():
    with subprocess.Popen(
        [sys.executable, "-c", SUSPENDED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGSTOP)
        time.sleep(0.6)
        child.send_signal(signal.SIGCONT)
        counted = float(child.communicate("\n")[0])
    assert counted < 0.1
