"""Random streams: what is drawn for one purpose says nothing of what is drawn for another."""

import itertools
import json
import time

import numpy as np
import pytest
import torch

from gan_core.checkpoints import read_header, read_tensors, save_tensors
from gan_core.config import from_mapping
from gan_core.latent import sample_latents
from gan_core.networks import build_pair
from gan_core.runs import create_run
from gan_core.runs.writer import RunWriter
from gan_core.seeds import STREAMS, stream_seed
from gan_core.training import evaluator, state, train
from gan_core.training.distributed import DistributedContext
from gan_core.training.session import open_session
from gan_core.training.snapshot import FILE

SETTINGS = {"dataset": "glyphs", "size": 16, "g_width": 16, "d_width": 16, "latent": 16, "batch": 16,
            "d_norm": "spectral", "precision": "fp32", "memory_format": "contiguous", "threads": 1,
            "steps": 2, "score_seconds": 0.0}  # fmt: skip
COUNT = 8192


def test_streams_of_a_seed_differ_and_so_do_their_places():
    """In their lower 32 bits alone, which is all that torch's generator takes on the processor."""
    places = ((), (0,), (1,), (0, 1))
    asked = [(seed, name, *place) for seed in range(8) for name in STREAMS for place in places]
    seeds = {stream_seed(*one) for one in asked}
    assert len({seed % 2**32 for seed in seeds}) == len(asked)
    assert all(0 <= seed < 2**63 for seed in seeds) and stream_seed(3, "latents") == stream_seed(3, "latents")
    with pytest.raises(ValueError):
        stream_seed(0, "something else")


@pytest.mark.parametrize("seed", [0, 1, 2024])
def test_nothing_that_a_run_draws_correlates_with_anything_else(seed, tmp_path):
    """At no shift: with one seed for two of them, one is the other, begun elsewhere."""
    config = from_mapping({**SETTINGS, "seed": seed})
    session = open_session(config, RunWriter(create_run(tmp_path, config)), False)
    draws = {"first weights": weights(session.state.G)}
    draws["chance of the steps"] = torch.randn(COUNT)
    DistributedContext(1, 2).seed_rank(seed, 0)
    draws["chance of another process"] = torch.randn(COUNT)
    draws["noise"] = torch.cat([session.state.draw_z(16).flatten() for _ in range(COUNT // 256)])
    draws["sample grid"] = session.sample_grid.z.flatten()
    draws["scores"] = sample_latents(COUNT // 16, 16, evaluator.SEED).flatten()
    for one, other in itertools.combinations(draws, 2):
        assert likeness(draws[one], draws[other]) < 7, f"{one} and {other}"


def test_generators_of_one_kind_begin_with_seeds_of_their_own(tmp_path, monkeypatch):
    """Where shifts no longer line up numbers that are drawn in blocks, the seeds alone tell."""
    built, config = [], from_mapping(SETTINGS)

    def spied(model, seed, how):
        built.append(seed)
        return build_pair(model, seed, how)

    monkeypatch.setattr(state, "build_pair", spied)
    session = open_session(config, RunWriter(create_run(tmp_path, config)), False)
    begun = [built[-1], torch.initial_seed(), session.state.noise.initial_seed()]
    DistributedContext(1, 2).seed_rank(0, 0)
    assert len({*begun, torch.initial_seed()}) == 4


def test_the_order_of_the_pictures_is_not_drawn_as_anything_else_is(tmp_path):
    config = from_mapping(SETTINGS)
    session = open_session(config, RunWriter(create_run(tmp_path, config)), False)
    total = len(session.batch_sampler.images)
    first, second = (session.batch_sampler._rows(epoch * total, total) for epoch in (0, 1))
    others = [0, *(stream_seed(0, name) for name in STREAMS)]
    orders = [torch.randperm(total, generator=torch.Generator().manual_seed(other)) for other in others]
    for one, other in itertools.combinations([first, second, *orders], 2):
        assert likeness(one.float(), other.float()) < 7


def test_a_seed_and_a_budget_in_steps_repeat_a_run_bit_for_bit(tmp_path):
    def trained(seed):
        config = from_mapping({**SETTINGS, "d_dropout": 0.2, "augment": "translation-cutout", "seed": seed})
        run = create_run(tmp_path, config)
        torch.manual_seed(time.time_ns() % 2**32)  # whatever was drawn before
        list(train(config, run))
        return read_tensors(run.checkpoint(2) / FILE)

    one, again, other = trained(5), trained(5), trained(6)
    assert one.keys() == again.keys() and len(one) > 30
    assert all(torch.equal(value, again[name]) for name, value in one.items())
    assert not any(
        torch.equal(one[name], other[name]) for name in ("noise", "torch", "G.projection.linear.weight")
    )


def test_a_run_of_an_earlier_version_goes_on_and_says_what_changes(tmp_path):
    config = from_mapping(SETTINGS)
    run = create_run(tmp_path, config)
    list(train(config, run))
    path = run.checkpoint(2) / FILE
    header, tensors = read_header(path), read_tensors(path)
    counters = json.loads(header["counters"])
    del counters["streams"]
    save_tensors(path, tensors, {**header, "counters": json.dumps(counters)})
    for steps in (4, 6):  # what it saves now is of this version
        longer = from_mapping({**SETTINGS, "steps": steps})
        assert list(train(longer, run, resume=True))[-1].step == steps
    assert run.log.read_text().count("begun by an earlier version") == 1


def weights(net):
    """Those drawn from a normal distribution, one after the other, each kind brought to deviation 1."""
    drawn = [p.detach().flatten() for p in net.parameters() if p.ndim > 1]
    return torch.cat([values / values.std() for values in drawn])


def likeness(one, other):
    """The largest correlation of the two at any shift of one against the other, in standard deviations."""
    a, b = (np.asarray((values - values.mean()) / values.std(), dtype=np.float64) for values in (one, other))
    size = len(a) + len(b)
    products = np.fft.irfft(np.fft.rfft(a, size) * np.fft.rfft(b, size).conj(), size)
    return np.abs(products).max() / min(len(a), len(b)) ** 0.5
