"""What is due, and when."""

import pytest

from gan_core.config import from_mapping
from gan_core.training.schedule import FIRST_STEPS, Every, export_gap, sample_gap, schedule_of


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
