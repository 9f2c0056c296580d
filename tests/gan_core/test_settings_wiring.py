"""Every setting reaches what it is about and nothing else: a short run with it changed against one without.

A row names all places of a run in which the two differ; everywhere else they are equal bit for bit. The clock
is a pretended one, half a second a step, so that what is due by time is due at the same step each time.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from tiny_data import put_pictures

from gan_core.catalog import check
from gan_core.checkpoints import read_generator_header, read_tensors
from gan_core.config import from_mapping, knobs
from gan_core.errors import GanError
from gan_core.runs import RunPaths, create_run, read_lines, read_status
from gan_core.runs.reader import checkpoint_steps
from gan_core.runs.rewind import surviving
from gan_core.training import train
from gan_core.training.snapshot import FILE, read_counters

BASE = {
    "dataset": "mnist", "data_root": "data", "network": "dcgan", "size": 16, "latent": 4, "g_width": 4,
    "d_width": 4, "batch": 8, "steps": 2, "device": "cpu", "precision": "fp32", "memory_format": "contiguous",
    "threads": 1,
}  # fmt: skip
LEARNT = {"G", "D", "EMA", "curves"}  # weights with their buffers, and what is measured at each step
ANOTHER_D = LEARNT | {"header"}  # of the exported generator, which tells of both networks
ANOTHER_G = ANOTHER_D | {"first grid"}
RATES = {"learning_rate/G", "learning_rate/D"}
BY_STEP = RATES | {"curves"}
SHORTER = LEARNT | RATES | {"length", "points", "checkpoints"}
G_ALONE = {"G", "EMA", "curves"}  # within the first step, in which D has its turn before G
NEVER_BEGUN = {"G", "D", "EMA", "length", "points", "checkpoints", "header", "compute", "scores"}

ONE_STEP = {"steps": 1}
FREE = {"d_norm": "none"}  # as penalties that look at each picture alone ask for
R1 = FREE | {"penalty": "r1"}
BY_CHANCE = {"d_dropout": 0.3}  # a stray draw from the run's random numbers would be seen
SGD = {"optimiser": "sgd", "lr_g": 0.1, "lr_d": 0.1}
STEEP = {"penalty_weight": 10_000.0, "initialisation": "orthogonal"}
BLOWN_UP = SGD | R1 | STEEP | {"checkpoint_steps": 1, "steps": 4}  # at step 3, at any learning rate
WON = {"d_steps": 20, "lr_end": 1.0}  # D tells real from fake after some ten of its steps
ADA = WON | {"augment": "translation", "ada_target": 0.5}


class Row(NamedTuple):
    """With `value` for `setting`, beside `base` which both runs have, they differ in these `places` only."""

    setting: str
    value: object
    places: set[str]
    base: Mapping[str, object] = {}
    rounded: bool = False  # numbers are compared up to the order in which sums are taken


ROWS = (
    Row("dataset", "fashion-mnist", ANOTHER_D | {"real grid"}),  # the header names the data and its classes
    Row("data_root", "copy", set()),
    Row("data_root", "other", LEARNT | {"real grid"}),
    Row("size", 32, ANOTHER_G | {"real grid"}),
    Row("dataset_limit", 8, LEARNT | {"real grid"}),
    Row("real_augment", "shift", LEARNT),
    Row("network", "dcgan-s2d", ANOTHER_G),
    Row("latent", 5, ANOTHER_G),
    Row("g_width", 5, ANOTHER_G),
    Row("d_width", 5, ANOTHER_D),
    Row("g_norm", "none", ANOTHER_D),
    Row("d_norm", "none", ANOTHER_D),
    Row("d_norm", "spectral", ANOTHER_D),
    Row("d_dropout", 0.5, ANOTHER_D),
    Row("noise", "uniform", ANOTHER_G),
    Row("initialisation", "orthogonal", LEARNT | {"first grid"}),
    Row("start_from", "first", LEARNT | {"first grid"}),
    Row("conditional", False, ANOTHER_G | {"real grid"}),  # whose columns are the classes
    Row("conditioning", "projection", ANOTHER_D),
    Row("conditioning", "auxiliary", ANOTHER_D),
    Row("g_conditioning", "batch-norm", ANOTHER_G),
    Row("code_classes", 2, ANOTHER_G),
    Row("code_numbers", 2, ANOTHER_G),
    Row("loss", "hinge", LEARNT),
    Row("class_weight", 1.0, LEARNT),
    Row("code_weight", 0.5, LEARNT, {"code_classes": 2}),
    Row("mode_seeking", 1.0, G_ALONE, ONE_STEP),
    Row("d_steps", 2, LEARNT | {"length"}),  # which counts the pictures
    Row("g_steps", 2, G_ALONE, ONE_STEP | FREE),
    Row("penalty", "r1", LEARNT, FREE),
    Row("penalty", "r1-difference", LEARNT),
    Row("penalty_weight", 1.0, LEARNT, R1),
    Row("penalty_weight", 0.05, set(), R1),  # the one suggested
    Row("penalty_weight", 10.0, set(), FREE | {"penalty": "gradient-penalty"}),
    Row("penalty_every", 2, LEARNT | {"learning_rate/D"}, R1),
    Row("clip_weights", 0.01, LEARNT),
    Row("clip_norm", 0.01, LEARNT, SGD),
    Row("clip_value", 1e-4, LEARNT, SGD),
    Row("real_label", 0.9, LEARNT),
    Row("label_flip_prob", 0.5, LEARNT),
    Row("instance_noise", 0.1, LEARNT),
    Row("augment", "translation", LEARNT),
    Row("ada_target", 0.5, LEARNT, {"augment": "translation"}),
    Row("ada_target", 0.9, LEARNT, ADA | {"ada_images": 1000}),
    Row("ada_images", 1000, LEARNT, ADA),
    Row("d_minibatch_std", True, ANOTHER_D),
    Row("pack", 2, ANOTHER_D, {"conditional": False}),
    Row("l1", 0.1, LEARNT),
    Row("weight_decay", 0.1, LEARNT),
    Row("optimiser", "rmsprop", LEARNT),
    Row("batch", 4, LEARNT | {"length"}),
    Row("batch_end", 16, LEARNT | {"length"}),
    Row("lr_g", 0.004, {"G", "EMA", "learning_rate/G"}, ONE_STEP),
    Row("lr_d", 0.004, LEARNT | {"learning_rate/D"}, ONE_STEP),
    Row("beta1", 0.5, LEARNT),
    Row("beta2", 0.5, LEARNT),
    Row("schedule", "constant", LEARNT | RATES),
    Row("schedule", "cosine", LEARNT | RATES, {"steps": 3}),
    Row("schedule", "dynamic", LEARNT | {"learning_rate/D"}, WON),
    Row("lr_end", 1.0, LEARNT | RATES),
    Row("ema_rampup", 0.5, {"EMA"}),
    Row("ema_rampup", 0.0, {"EMA"}),
    Row("ema_half_life", 1, {"EMA"}),
    Row("seconds", 1.5, SHORTER | {"scores"}, {"steps": 5}),  # the last grid is measured
    Row("steps", 4, SHORTER | {"scores"}, {"steps": 5}),
    Row("images", 24, SHORTER | {"scores"}, {"steps": 5}),
    Row("seed", 1, ANOTHER_G),
    Row("log_every", 1, {"points"}, BY_CHANCE | {"steps": 12}),  # the first ten are always there
    Row("checkpoint_seconds", 1.0, {"checkpoints"}, BY_CHANCE | {"steps": 5}),
    Row("checkpoint_steps", 2, {"checkpoints"}, BY_CHANCE | {"steps": 5}),
    Row("disk_mb", 1.0, {"checkpoints"}, BY_CHANCE | {"steps": 5, "checkpoint_steps": 1, "g_width": 32}),
    Row("score_seconds", 0.1, {"scores", "checkpoints"}, BY_CHANCE),  # the best state is kept whole
    Row("score_seconds", 0.0, set(), BY_CHANCE),
    Row("retries", 1, {"verdicts"}, BLOWN_UP),
    Row("device", "auto", set()),
    Row("device", "cuda", NEVER_BEGUN),  # there is none: the run fails
    Row("precision", "bf16", LEARNT | {"compute"}),
    Row("memory_format", "channels_last", {"compute"}, SGD | BY_CHANCE, rounded=True),
    Row("threads", 2, {"compute"}, SGD | BY_CHANCE | ONE_STEP, rounded=True),
)  # fmt: skip

Observation = dict[str, Any]
Observe = Callable[[Mapping[str, object]], Observation]


@pytest.fixture(scope="module")
def observe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observe]:
    """Train with settings beside `BASE`, once for the same ones, and tell what can be seen of the run."""
    folder, threads, ticks = tmp_path_factory.mktemp("settings"), torch.get_num_threads(), iter(range(10**6))
    for name, seed in (("data", 0), ("copy", 0), ("other", 1)):
        put_pictures(folder / name, seed)

    @functools.cache
    def observed(settings: str) -> Observation:
        config = check(from_mapping(BASE | json.loads(settings)))
        run = create_run(folder / "runs", config)
        try:
            list(train(config, run))
        except GanError:
            assert read_status(run).state == "failed"
        return seen(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        clock = SimpleNamespace(perf_counter=lambda: 0.5 * next(ticks), process_time=float)
        patch.setattr("gan_core.training.schedule.time", clock)
        here = {"cpu": True, "cuda": False, "mps": False}
        patch.setattr("gan_core.devices.devices", lambda: here)
        patch.setattr("gan_core.training.compute.devices", lambda: here)
        first = from_mapping(BASE | {"seed": 5, "steps": 1})
        run = create_run(folder / "runs", first)
        list(train(first, run))
        run.path.rename(folder / "first")
        yield lambda settings: observed(json.dumps(settings, sort_keys=True))
    torch.set_num_threads(threads)


def seen(run: RunPaths) -> Observation:
    """What can be seen of a run, by place; without what tells the hour or the run's own name."""
    status, steps = read_status(run), checkpoint_steps(run)
    points = {line["step"]: line for line in surviving(read_lines(run.metrics)[0])}
    tensors = read_tensors(run.checkpoint(steps[-1]) / FILE) if steps else {}
    nets = {place: {key.split(".", 1)[1]: value for key, value in tensors.items() if key.startswith(name)}
            for place, name in (("G", "G."), ("D", "D."), ("EMA", "ema."))}  # fmt: skip
    header: Any = None
    if run.generator.exists():
        exported = read_tensors(run.generator)
        ended = status.state == "finished"
        assert same(exported, nets["EMA"]) or not ended, "what is explored is the generator of the end"
        model, info = read_generator_header(run.generator)
        header = model, {key: info[key] for key in ("dataset", "class_names", "licence", "seed")}
    hours = ("step", "images", "seconds", "speed/images per second", *RATES)
    return nets | {
        "points": sorted(points),
        "curves": {step: {k: v for k, v in line.items() if k not in hours} for step, line in points.items()},
        **{rate: {step: line[rate] for step, line in points.items()} for rate in RATES},
        "length": (status.state, status.step, status.images),
        "checkpoints": steps,
        "scores": [row["step"] for row in surviving(read_lines(run.scores)[0])],
        # the doctor's follow from the curves and scores, which are looked at themselves
        "verdicts": [row["step"] for row in read_lines(run.verdicts)[0] if row["kind"] == "diverged"],
        "header": header,
        "first grid": run.sample(0).read_bytes(),
        "real grid": run.real.read_bytes(),
        "compute": read_counters(run.checkpoint(steps[-1]))["compute"] if steps else None,
    }


def same(one: Any, other: Any, error: float = 0.0) -> bool:
    """Whether two observations are equal: bit for bit where no error is allowed."""
    if isinstance(one, dict):
        alike = one.keys() == other.keys()
        return alike and all(same(value, other[key], error) for key, value in one.items())
    if isinstance(one, torch.Tensor):
        return one.shape == other.shape and torch.allclose(one, other, rtol=0.0, atol=error)
    if isinstance(one, float):
        return abs(one - other) <= error
    return bool(one == other)


def differences(one: Observation, other: Observation, error: float) -> set[str]:
    """The places that are not the same; of curves the steps at which both have a point."""
    both = set(one["points"]) & set(other["points"])
    one, other = (run | {place: {step: run[place][step] for step in both} for place in BY_STEP}
                  for run in (one, other))  # fmt: skip
    return {place for place in one if not same(one[place], other[place], error)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.setting}-{row.value}")
def test_a_setting_changes_what_it_is_about_and_nothing_else(row: Row, observe: Observe) -> None:
    before, after = observe(row.base), observe({**row.base, row.setting: row.value})
    assert differences(before, after, 1e-5 if row.rounded else 0.0) == row.places


def test_every_setting_has_a_row() -> None:
    assert {row.setting for row in ROWS} == knobs().keys()
