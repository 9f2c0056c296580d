"""The memory that a run will need is known before it begins, and a process is held to what it may take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch.nn.utils.parametrizations import spectral_norm

from gan_core.augment import AUGMENTS
from gan_core.config import TrainConfig, from_mapping, knobs, to_mapping
from gan_core.data import DATASETS, load
from gan_core.losses import LOSSES
from gan_core.memory import BASE, IDLE, estimate_memory, memory_need
from gan_core.memory_limit import (
    is_out_of_memory,
    limit_memory,
    machine_memory,
    oom_kills,
    says_out_of_memory,
)
from gan_core.networks import NETWORKS
from gan_core.optimisers import OPTIMISERS
from gan_core.penalties import PENALTIES
from gan_core.presets import PRESETS, settings

linux = pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
ROOT = Path(__file__).resolve().parents[2]
PEAK = """
import json, sys
from pathlib import Path
from gan_core.config import from_mapping
from gan_core.runs import create_run
from gan_core.training import train, warm_up
config = from_mapping(json.loads(sys.argv[1]))
warm_up()
for _ in train(config, create_run(Path(sys.argv[2]), config)):
    pass
status = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))  # kB; of this process alone
"""
QUICK = {"dataset": "glyphs", "steps": 1, "threads": 1, "device": "cpu", "score_seconds": 0.0}
FIXED = QUICK | {"precision": "fp32", "memory_format": "channels_last"}
MEASURED: dict[str, dict[str, Any]] = {
    "as it comes": QUICK,
    "large pictures": FIXED | {"network": "dcgan", "size": 64, "g_width": 64, "d_width": 64, "batch": 64},
    "wide": FIXED | {"network": "dcgan", "size": 32, "g_width": 192, "d_width": 192, "batch": 16},
    "second derivatives": FIXED | {
        "network": "r3", "size": 32, "batch": 64, "loss": "relativistic", "penalty": "r1-r2",
        "conditional": False, "g_width": 32, "d_width": 32,
    },
    "a large batch": FIXED | {"network": "sndcgan", "size": 32, "batch": 192, "optimiser": "rmsprop"},
}  # fmt: skip


@linux
@pytest.mark.parametrize("name", MEASURED)
def test_the_estimate_is_within_half_of_what_is_measured(name: str, tmp_path: Path) -> None:
    config = from_mapping(MEASURED[name])
    said = subprocess.run(
        [sys.executable, "-c", PEAK, json.dumps(to_mapping(config)), str(tmp_path)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    peak = 1024 * int(said.stdout.split()[-1])
    assert 1 / 1.5 < estimate_memory(config) / peak < 1.5, f"{estimate_memory(config):,} for {peak:,}"


@linux
def test_the_largest_settings_are_estimated_without_being_built() -> None:
    before = in_use()
    largest = settings("glyphs", {"size": 128, "g_width": 512, "d_width": 512, "batch": 4096})
    assert estimate_memory(largest) > 200e9
    assert in_use() - before < 200e6


def in_use() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_every_preset_and_network_has_an_estimate() -> None:
    for name in PRESETS:
        assert estimate_memory(settings(name, {})) > BASE, name
    for name, row in NETWORKS.items():
        dataset = "ring" if row.sizes == (1,) else "cifar10" if name == "mlp-32-rgb" else "glyphs"
        sizes = [
            memory_need(TrainConfig(dataset=dataset, network=name, size=size, steps=1)).iteration
            for size in row.sizes
        ]
        assert sizes == sorted(set(sizes)), name


@pytest.mark.parametrize("row", [
    *({"loss": name} for name in LOSSES), *({"augment": name, "ada_target": 0.6} for name in AUGMENTS),
    *({"penalty": name, "penalty_every": 2, "d_norm": "none"} for name in PENALTIES),
    *({"conditioning": how} for how in ("class-logits", "auxiliary", "projection", "concatenation")),
    {"g_conditioning": "batch-norm"}, {"code_classes": 3, "code_numbers": 2, "conditional": False},
    {"d_norm": "spectral", "initialisation": "orthogonal"}, {"instance_noise": 0.1, "label_flip_prob": 0.1},
    {"clip_norm": 1.0, "clip_value": 1.0, "l1": 0.1, "clip_weights": 0.1}, {"mode_seeking": 1.0},
    {"pack": 2, "conditional": False, "d_minibatch_std": False}, {"d_minibatch_std": True, "d_dropout": 0.3},
    {"noise": "truncated"}, {"schedule": "dynamic", "d_steps": 2, "g_steps": 2}, {"real_augment": "rotation"},
], ids=str)  # fmt: skip
def test_every_way_to_train_can_be_estimated(row: dict[str, Any]) -> None:
    need = memory_need(from_mapping({"dataset": "glyphs", "steps": 1, "batch": 16, **row}))
    assert 0 < need.weights < need.state < need.iteration < need.peak - BASE


def test_the_estimate_follows_what_makes_a_run_larger() -> None:
    def iteration(**changed: Any) -> int:
        return memory_need(
            from_mapping({"dataset": "glyphs", "steps": 1, "network": "dcgan", **changed})
        ).iteration

    plain = iteration(d_norm="none")
    double = iteration(d_norm="none", batch=128)
    state = memory_need(
        from_mapping({"dataset": "glyphs", "steps": 1, "network": "dcgan", "d_norm": "none"})
    ).state
    assert double - state == pytest.approx(2 * (plain - state), rel=0.2)
    assert iteration(d_norm="none", batch=64, batch_end=128) == double, "a batch that grows counts at its end"
    assert iteration(d_norm="none", penalty="r1") > 1.2 * plain, "a second derivative keeps the first"
    assert iteration(d_norm="none", penalty="r1", penalty_every=16) > plain
    assert iteration(d_norm="none", precision="bf16") < plain


def test_the_state_is_weights_gradients_and_moments() -> None:
    needs = {name: memory_need(TrainConfig(dataset="glyphs", steps=1, optimiser=name)) for name in OPTIMISERS}
    adam, sgd = needs["adam"], needs["sgd"]
    nets = adam.state - sgd.state  # Adam keeps one number more for each weight
    assert adam.state == adam.weights + 3 * nets and needs["rmsprop"].state == adam.state
    assert adam.weights > 1.3 * nets, "the EMA is a third network, with as many weights as G"


def test_settings_that_change_no_shape_are_estimated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings("glyphs", {"batch": 48})
    need = estimate_memory(config)
    monkeypatch.setattr("gan_core.memory.train_iteration", lambda *_: pytest.fail("it is known"))
    changed = {"batch": 48, "lr_g": 0.001, "seed": 7, "d_steps": 3, "log_every": 50, "seconds": 31}
    assert estimate_memory(settings("glyphs", changed)) == need
    for name in IDLE:
        assert name in knobs(), name


def test_spectral_norm_is_counted_by_a_stand_in_as_it_is_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    config = from_mapping(
        {"dataset": "glyphs", "steps": 1, "network": "dcgan", "d_norm": "spectral", "batch": 8}
    )
    memory_need.cache_clear()
    stand_in = memory_need(config)
    memory_need.cache_clear()
    monkeypatch.setattr("gan_core.memory._divide", spectral_norm)
    true = memory_need(config)
    memory_need.cache_clear()
    assert stand_in.iteration == pytest.approx(true.iteration, rel=0.15)
    assert stand_in.weights == pytest.approx(true.weights, rel=0.02)
    assert stand_in.iteration > memory_need(replace(config, d_norm="none")).iteration


def test_data_sets_say_how_many_they_hold() -> None:
    for name, source in DATASETS.items():
        assert source.count > 1000
        if not source.downloads:
            assert source.count == len(load(name, size=source.native_size).labels), name
    few = TrainConfig(dataset="mnist", steps=1, dataset_limit=1000)
    assert memory_need(few).data == 1000 * 32 * 32
    assert memory_need(TrainConfig(dataset="cifar10", steps=1, size=64)).data == 50_000 * 3 * 64 * 64
    ring = settings("ring", {})
    assert memory_need(ring).data == 100_000 * 2 * 4


LIMITED = """
from gan_core.memory_limit import is_out_of_memory, limit_memory
kept = bytearray(100_000_000)
assert limit_memory(200_000_000)
try:
    more = bytearray(int({more}))
except BaseException as error:
    print("refused" if is_out_of_memory(error) else error)
else:
    print("given")
"""


@linux
@pytest.mark.parametrize(("more", "answer"), [(40e6, "given"), (150e6, "refused")])
def test_a_process_is_held_to_its_limit(more: float, answer: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", LIMITED.format(more=more)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert said.stdout.strip() == answer


@linux
def test_torch_is_held_to_it_too() -> None:
    code = """
import torch
from gan_core.memory_limit import is_out_of_memory, limit_memory
limit_memory(600_000_000)
torch.zeros(10_000_000)
try:
    torch.zeros(1_000_000_000)
except RuntimeError as error:
    print(is_out_of_memory(error))
"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert said.stdout.strip() == "True"


def test_a_lack_of_memory_is_told_from_other_ends() -> None:
    class OutOfMemoryError(RuntimeError):
        """As torch names it."""

    for error in (MemoryError(), OSError(12, "Cannot allocate memory"), OutOfMemoryError("CUDA"),
                  RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")):  # fmt: skip
        assert is_out_of_memory(error)
    assert not is_out_of_memory(ValueError("a bug")) and not says_out_of_memory("Segmentation fault")
    assert says_out_of_memory("terminate called after throwing an instance of 'std::bad_alloc'")


def test_the_machine_says_what_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = machine_memory()
    assert here > 500e6 or os.name == "nt"
    narrow = tmp_path / "memory.max"
    narrow.write_text("123456789\n")
    monkeypatch.setattr("gan_core.memory_limit.CGROUPS", (narrow, tmp_path / "missing"))
    assert machine_memory() == (123456789 if here else 0)
    narrow.write_text("max\n")
    assert machine_memory() >= here
    assert oom_kills() is None or oom_kills() >= 0
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not limit_memory(1)
