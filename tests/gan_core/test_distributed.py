"""Several processes train one run: equal to one, written by one, and ended in good order when one is lost."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from distributed_worker import CASES, PLAIN, settings, trained, weights
from torch import nn

from gan_core.cli import main
from gan_core.config import from_mapping
from gan_core.errors import ConfigError, ProcessLost
from gan_core.runs import NullRunWriter, RunPaths, create_run, read_lines, read_settings, read_status
from gan_core.runs.control import send
from gan_core.runs.reader import checkpoint_steps
from gan_core.training import distributed, iteration, loop, train
from gan_core.training.batch_sampler import BatchSampler
from gan_core.training.compute import ComputeConfig
from gan_core.training.distributed import SINGLE_PROCESS, DistributedContext
from gan_core.training.session import open_session
from gan_core.training.setup import model_config
from gan_core.training.state import build_state

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("distributed_worker.py")
TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in PLAIN.items()
         if name not in ("conditional", "steps")]  # fmt: skip
COMMAND = ["-m", "gan_core", "train", "--preset", "glyphs", "--quiet", "--no-conditional", *FLAGS,
           "--steps=1000000"]  # fmt: skip


def start(*command: object) -> subprocess.Popen[str]:
    """Two processes by torchrun on one thread each."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    return subprocess.Popen([*TWO, *map(str, command)], cwd=ROOT, env=surroundings, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def test_shares_of_a_batch_make_up_the_whole():
    pixels = np.zeros((20, 1, 1, 1), dtype=np.uint8)
    batch_sampler = BatchSampler(pixels, np.arange(20), seed=1, device="cpu")
    parts = [
        batch_sampler.batch(0, 6, DistributedContext(rank, 3).share).labels.tolist() for rank in range(3)
    ]
    assert [label for trio in zip(*parts) for label in trio] == batch_sampler.batch(0, 6).labels.tolist()
    model = model_config(settings("plain"))
    states = [build_state(settings("plain"), model, ComputeConfig()) for _ in range(3)]
    states[1].distributed, states[2].distributed = DistributedContext(0, 2), DistributedContext(1, 2)
    for _ in range(2):  # the noise stays in step
        whole, even, odd = (state.draw_z(6) for state in states)
        assert torch.equal(whole[::2], even) and torch.equal(whole[1::2], odd)


def test_gradients_are_averaged_whatever_their_layout(monkeypatch):
    net = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
    for parameter in net.parameters():
        parameter.grad = torch.randn_like(parameter)
    before = [parameter.grad.clone() for parameter in net.parameters()]
    sent = []
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda values: (sent.append(1), values.mul_(3)))
    DistributedContext(1, 2).average_gradients(net)
    assert sent == [1], "one message"
    for parameter, grad in zip(net.parameters(), before):
        assert torch.allclose(parameter.grad, grad * 1.5)


def test_one_process_by_itself_asks_nobody(monkeypatch):
    for name in ("all_reduce", "broadcast", "broadcast_object_list", "init_process_group"):
        monkeypatch.setattr(distributed.dist, name, lambda *a, **k: pytest.fail("there is nobody"))
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    net, values = nn.Linear(1, 1), torch.ones(2)
    before = torch.get_rng_state()
    with distributed.distributed_context() as alone:
        alone.seed_rank(0, 1)
        alone.broadcast_parameters(net)
        alone.average_gradients(net)
        assert alone.mean(values) is values
        assert alone.broadcast_object(lambda: 7) == 7 and alone.broadcast_control("pause", 1.5) == (
            "pause",
            1.5,
        )
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_that_cannot_be_shared_out_is_refused_in_a_sentence():
    SINGLE_PROCESS.check(7)
    DistributedContext(1, 4).check(8)
    with pytest.raises(ConfigError, match=r"batch is 7, which 4 processes cannot share evenly: 8 they can"):
        DistributedContext(1, 4).check(7)
    with pytest.raises(ConfigError, match="8 they can"):
        DistributedContext(0, 4).check(2)


def test_a_lost_process_fails_the_run_with_the_way_back(tmp_path, monkeypatch):
    config = settings("plain")
    run = create_run(tmp_path, config)

    def lose(state, *_):
        if state.step == 3:
            raise ProcessLost("Another process of this run died or fell silent.")
        return real(state, *_)

    real = iteration.g_step
    monkeypatch.setattr(iteration, "g_step", lose)
    with pytest.raises(ProcessLost):
        list(train(config, run))
    status = read_status(run)
    assert status.state == "failed" and "fell silent. No checkpoint" in status.message


def test_what_the_first_process_decides_is_told_and_its_errors_are_said_once(monkeypatch):
    sent = []
    monkeypatch.setattr(
        distributed.dist, "broadcast_object_list", lambda message, **_: sent.append(list(message))
    )
    assert DistributedContext(0, 2).broadcast_object(lambda: "here") == "here"
    with pytest.raises(ConfigError):
        DistributedContext(0, 2).broadcast_object(lambda: DistributedContext(0, 2).check(7))
    assert sent == [["told", "here"], [None, None]], "the others learn that nothing will come"
    with pytest.raises(SystemExit) as ending:
        DistributedContext(1, 2).broadcast_object(lambda: pytest.fail("not asked"))
    assert ending.value.code == 2

    def hear(message, **_):
        message[:] = ["told", 5]

    monkeypatch.setattr(distributed.dist, "broadcast_object_list", hear)
    assert DistributedContext(1, 2).broadcast_object(lambda: pytest.fail("not asked")) == 5


def test_orders_and_clock_are_the_first_process_s():
    told = SimpleNamespace(broadcast_control=lambda order, seconds: ("stop", 9.5))
    state = SimpleNamespace(distributed=told, seconds=1.0)
    session = SimpleNamespace(
        state=state, first_nonfinite=None, writer=SimpleNamespace(command=lambda: "run")
    )
    assert loop._order(session) == "stop" and state.seconds == 9.5


def test_further_processes_have_a_chance_of_their_own_that_a_checkpoint_need_not_hold():
    def drawn(rank, seed, step):
        torch.manual_seed(0)
        DistributedContext(rank, 3).seed_rank(seed, step)
        return torch.rand(3).tolist()

    assert drawn(1, 5, 8) == drawn(1, 5, 8), "the same after resume"
    different = [drawn(0, 5, 8), drawn(1, 5, 8), drawn(2, 5, 8), drawn(1, 5, 9), drawn(1, 6, 8)]
    assert len({tuple(numbers) for numbers in different}) == 5
    assert drawn(0, 5, 8) == drawn(0, 5, 9), "the first goes on as a run by itself"


def test_what_the_network_says_of_a_lost_process_becomes_a_sentence(monkeypatch):
    def closed(*_, **__):
        raise RuntimeError("Connection closed by peer [127.0.0.1]:4711")

    for name in ("all_reduce", "broadcast", "broadcast_object_list"):
        monkeypatch.setattr(distributed.dist, name, closed)
    calls = (
        lambda w: w.mean(torch.ones(1)), lambda w: w.broadcast_control("run", 0.0),
        lambda w: w.broadcast_object(lambda: 1), lambda w: w.broadcast_parameters(nn.Linear(1, 1)),
    )  # fmt: skip
    for call in calls:
        with pytest.raises(ProcessLost, match=r"^Another process of this run died or fell silent\.$"):
            call(DistributedContext(0, 2))


@pytest.fixture(scope="module")
def both(tmp_path_factory, environment) -> Path:
    """Each case trained by two processes, once."""
    folder = tmp_path_factory.mktemp("both")
    process = start(WORKER, folder)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    ours = [line for line in err.splitlines() if not re.match(r"\[?W", line)]  # torch warns of its sockets
    assert (out, ours) == ("", []), "processes that succeed say nothing of themselves"
    return folder


def test_no_thread_of_the_group_is_left_to_run_into_the_end_of_the_process(both):
    for rank in (0, 1):
        assert "gloo" not in (both / f"threads.{rank}").read_text()


@pytest.mark.parametrize("case", CASES)
def test_two_processes_with_half_batches_equal_one_with_the_whole(case, both, tmp_path):
    one = weights(trained(case, tmp_path))
    begin = build_state(settings(case), model_config(settings(case)), ComputeConfig()).D.state_dict()
    (first, chance), (second, other_chance) = (torch.load(both / f"{case}.{rank}.pt") for rank in (0, 1))
    assert max((one[f"D.{name}"] - value).abs().max() for name, value in begin.items()) > 1e-3, "it learned"
    for name, value in one.items():
        assert torch.allclose(value, first[name], rtol=0, atol=1e-5), name
        assert torch.equal(first[name], second[name]), f"{name}: both make the very same step"
    assert not torch.equal(chance, other_chance), "dropout and augmentation differ from half to half"


def test_a_run_of_two_is_written_once_and_by_the_first(both):
    runs = [RunPaths(path) for path in sorted((both / "runs").iterdir())]
    assert len(runs) == len(CASES)
    for run in runs:
        lines, _ = read_lines(run.metrics)
        assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
        assert checkpoint_steps(run)[0] == 0, "there is a way back from the first step on"


def test_the_curves_are_those_of_the_whole_batch(both, tmp_path):
    trained("plain", tmp_path)
    (run,) = map(RunPaths, tmp_path.iterdir())
    every = map(RunPaths, (both / "runs").iterdir())
    (same,) = [other for other in every if read_settings(other)[1] == settings("plain")]
    (expected, _), (found, _) = read_lines(run.metrics), read_lines(same.metrics)
    assert len(expected) == len(found) == 6
    for left, right in zip(expected, found):
        for name in ("loss/D", "loss/G", "accuracy/real", "score/D(x)", "gradient/D", "gradient/G"):
            assert left[name] == pytest.approx(right[name], abs=1e-4), name


def children(pid: int) -> set[int]:
    found: set[int] = set()
    for tasks in Path("/proc").glob(f"{pid}/task/*/children"):
        with contextlib.suppress(OSError):
            found |= set(map(int, tasks.read_text().split()))
    return found


def until(what, seconds: float = 60.0):
    """What `what()` gives, once it gives something."""
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return value


def under_way(root: Path) -> RunPaths | None:
    """The only run there, once it has made a step."""
    runs = [RunPaths(path) for path in root.iterdir() if not path.name.startswith(".")]
    return runs[0] if runs and read_status(runs[0]).step > 0 else None


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are found in Linux's /proc")
@pytest.mark.parametrize("lost", ["another", "the first"])
def test_a_killed_process_ends_the_run_in_words_and_it_can_be_resumed(lost, tmp_path):
    process = start(*COMMAND, "--runs", tmp_path)
    try:
        run = until(lambda: under_way(tmp_path))
        assert lost == "the first" or pauses(run)
        first = read_status(run).pid
        (second,) = children(process.pid) - {first}
        os.kill(first if lost == "the first" else second, signal.SIGKILL)
        killed = time.monotonic()
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert time.monotonic() - killed < 20 and process.returncode != 0
    assert out == "" and "Another process of this run died or fell silent." in err
    assert len(list(tmp_path.iterdir())) == 1, "one run directory"
    if lost == "another":
        status = read_status(run)
        assert status.state == "failed"
        assert "died or fell silent. The last good checkpoint is of step " in status.message
    step = checkpoint_steps(run)[-1]
    assert main(["resume", str(run.path), "--steps", str(step + 3), "--quiet"]) == 0
    assert (read_status(run).state, read_status(run).step) == ("finished", step + 3)


def test_being_asked_to_end_stops_all_in_good_order(tmp_path):
    """As Slurm and Kubernetes do before they take the machine away: torchrun passes the signal on to all."""
    process = start(*COMMAND, "--runs", tmp_path)
    try:
        run = until(lambda: under_way(tmp_path))
        process.terminate()
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert out == f"{run.path}\n", "the first process alone speaks"
    assert read_status(run).state == "stopped" and checkpoint_steps(run)[-1] == read_status(run).step > 0


def pauses(run: RunPaths) -> bool:
    """Whether pause holds all of them, and they go on together."""
    send(run, "pause")
    until(lambda: read_status(run).state == "paused")
    held = read_status(run).step
    time.sleep(0.3)
    assert read_status(run).step == held
    send(run, "run")
    return bool(until(lambda: read_status(run).step > held))


def test_what_a_share_cannot_be_is_refused_before_training(tmp_path):
    packs = from_mapping({"dataset": "glyphs", "size": 16, "conditional": False, "pack": 4, "batch": 12,
                          "steps": 1})  # fmt: skip
    with pytest.raises(ConfigError, match="4 pictures together, and 6 cannot"):
        open_session(packs, NullRunWriter(create_run(tmp_path, packs)), False, DistributedContext(1, 2, 2))
    with pytest.raises(ConfigError, match="4 they can"):
        DistributedContext(0, 2).check(2)
