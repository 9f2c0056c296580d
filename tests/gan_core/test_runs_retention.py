"""Thinning of checkpoints: properties that hold for any sizes, any budget and whatever is guarded."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gan_core.config import TrainConfig
from gan_core.runs import create_run
from gan_core.runs.retention import checkpoint_sizes, retained_checkpoints


def case(seed: int) -> tuple[dict[int, int], float, set[int]]:
    """Steps with sizes, a budget in bytes, guarded steps (not all of which are there)."""
    rng = random.Random(seed)
    steps = rng.sample(range(1, 500), rng.randint(1, 25))
    sizes = {step: rng.choice((10, 10, 10, rng.randint(1, 40))) for step in steps}
    return sizes, rng.uniform(0, 1.1) * sum(sizes.values()), set(rng.sample(range(1, 500), 60))


@pytest.mark.parametrize("seed", range(60))
def test_what_holds_for_any_budget(seed: int) -> None:
    sizes, most, guarded = case(seed)
    kept = retained_checkpoints(sizes, most, guarded)
    always = {min(sizes), max(sizes)} | (guarded & sizes.keys())
    assert always <= kept <= sizes.keys()
    assert sum(sizes[step] for step in kept) <= most or kept == always, "within the budget, if it can be"
    assert retained_checkpoints(sizes, most + 7, guarded) >= kept, "more room never costs a checkpoint"
    assert retained_checkpoints({s: sizes[s] for s in kept}, most, guarded) == kept, "nothing more to do"
    if kept != sizes.keys():
        biggest = max(sizes[step] for step in sizes.keys() - kept)
        assert sum(sizes[step] for step in kept) + biggest > most, "no more went than had to"
    assert retained_checkpoints(sizes, sum(sizes.values()), ()) == sizes.keys(), "nothing goes while all fit"


def test_as_a_run_goes_on_ever_fewer_stay_the_further_back_one_looks() -> None:
    steps: list[int] = []
    for step in range(10, 1001, 10):
        steps = sorted(retained_checkpoints(dict.fromkeys([*steps, step], 100), 500))
        assert steps[0] == 10 and steps[-1] == step and len(steps) == min(5, step // 10)
        assert step < 20 or steps[-2] == step - 10, "the last but one is always there, should the last be bad"
    ages = [1000 - step for step in steps[1:]]
    assert ages[0] > 1.5 * ages[1] > 2 * ages[2]


def test_small_cases() -> None:
    assert retained_checkpoints({}, 4) == set() and retained_checkpoints({3: 9}, 0) == {3}
    assert retained_checkpoints({1: 5, 2: 5, 3: 5}, 5) == {1, 3}, "the first and the last always"
    assert retained_checkpoints({1: 5, 2: 5, 3: 5, 4: 5}, 5, {2}) == {1, 2, 4}
    # one gap of 20 must open: the older it is, the less it is noticed
    assert retained_checkpoints(dict.fromkeys((10, 20, 30, 40, 50), 1), 4) == {10, 30, 40, 50}


def test_sizes_are_those_on_disk(tmp_path: Path) -> None:
    run = create_run(tmp_path, TrainConfig(steps=1))
    for step, size in ((5, 700), (10, 30)):
        run.checkpoint(step).mkdir()
        for name in ("a", "b"):
            (run.checkpoint(step) / name).write_bytes(bytes(size))
    assert checkpoint_sizes(run) == {5: 1400, 10: 60}
