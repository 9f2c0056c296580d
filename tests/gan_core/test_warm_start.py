"""First weights from an earlier run: what fits is taken over, the rest is listed and stays as drawn."""

import pickle
import re

import pytest
import torch

from gan_core.checkpoints import read_tensors
from gan_core.config import from_mapping, knobs
from gan_core.errors import WeightsError
from gan_core.runs import create_run
from gan_core.training import model_config, train
from gan_core.training.compute import ComputeConfig
from gan_core.training.state import build_state
from gan_core.training.warm_start import warm_start


def settings(**changes):
    return from_mapping({"steps": 2, "batch": 8, "dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4,
                         "latent": 4, "threads": 1, "precision": "fp32", "memory_format": "contiguous",
                         **changes})  # fmt: skip


def fresh(config):
    return build_state(config, model_config(config), ComputeConfig())


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    run = create_run(tmp_path_factory.mktemp("runs"), settings(), "glyphs")
    list(train(settings(), run))
    return run


@pytest.fixture(scope="module")
def saved(parent):
    return read_tensors(parent.checkpoint(2) / "state.safetensors")


def same(net, saved, name):
    return [torch.equal(value, saved[f"{name}.{key}"]) for key, value in net.state_dict().items()]


@pytest.mark.parametrize("what", ["run", "checkpoint", "file"])
def test_all_of_both_networks_where_the_state_has_them(parent, saved, what):
    checkpoint = parent.checkpoint(2)
    path = {"run": parent.path, "checkpoint": checkpoint, "file": checkpoint / "state.safetensors"}[what]
    state = fresh(settings(seed=5))
    said = str(warm_start(state, str(path)))
    assert all(same(state.G, saved, "G")) and all(same(state.D, saved, "D"))
    assert all(same(state.ema, saved, "G")), "the smoothed one begins as G does"
    both = sum(len(net.state_dict()) for net in (state.G, state.D))
    assert said.endswith(f": {both} tensors taken over; left as initialised: none.") and both > 10
    assert state.step == 0 and not state.g_optimizer.state


def test_an_exported_generator_gives_g_alone(parent, saved):
    state, drawn = fresh(settings(seed=5)), fresh(settings(seed=5))
    said = str(warm_start(state, str(parent.generator)))
    assert all(same(state.G, saved, "ema")), "what is exported is the smoothed one"
    for own, other in zip(state.D.parameters(), drawn.D.parameters()):
        assert torch.equal(own, other)
    assert "left as initialised: D." in said and "G." not in said.split("left as initialised")[1]


def test_what_has_another_shape_stays_as_drawn_and_is_listed(parent, saved):
    wider = settings(seed=5, d_width=8)
    state, drawn = fresh(wider), fresh(wider)
    said = str(warm_start(state, str(parent.path)))
    assert all(same(state.G, saved, "G"))
    assert torch.equal(state.D.head.linear.weight, drawn.D.head.linear.weight)
    assert torch.equal(state.D.head.linear.bias, saved["D.head.linear.bias"]), "the bias has the same shape"
    assert "D.head.linear.weight" in said and "D.head.linear.bias" not in said and "\n" not in said


def test_of_many_that_stay_the_first_eight_are_named(parent):
    state = fresh(settings(seed=5, g_width=8))
    said = str(warm_start(state, str(parent.path)))
    named, more = re.search(r"left as initialised: (.+) and (\d+) more\.$", said).groups()
    own = [f"{name}.{key}" for name, net in (("G", state.G), ("D", state.D)) for key in net.state_dict()]
    taken = int(re.search(r"(\d+) tensors taken over", said)[1])
    assert len(named.split(", ")) == 8 and taken + 8 + int(more) == len(own)
    assert set(named.split(", ")) < set(own)


def test_a_run_begins_there_and_says_so(parent, saved, tmp_path):
    config = settings(seed=5, start_from=str(parent.path), lr_g=1e-6, lr_d=1e-6)
    run = create_run(tmp_path, config, "glyphs")
    list(train(config, run))
    assert f"Begun from {parent.checkpoint(2)}" in run.log.read_text("utf-8")
    now = read_tensors(run.checkpoint(2) / "state.safetensors")
    for name, value in saved.items():
        if name.startswith(("G.", "D.")) and name.endswith("weight"):
            assert torch.allclose(now[name], value, atol=1e-5), name
    list(train(config, run, resume=True))  # what goes on does not begin again
    assert run.log.read_text("utf-8").count("Begun from") == 1


def test_what_cannot_be_used_is_said_in_one_sentence(parent, tmp_path):
    state = fresh(settings())
    with pytest.raises(WeightsError, match="no run, checkpoint or weights file to start from"):
        warm_start(state, str(tmp_path / "nowhere"))
    with pytest.raises(WeightsError, match="no run, checkpoint or weights file to start from"):
        warm_start(state, str(tmp_path))
    (tmp_path / "x.safetensors").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(WeightsError, match="a pickle, which is never opened"):
        warm_start(state, str(tmp_path / "x.safetensors"))
    other = fresh(settings(network="mlp-28", size=28, conditional=False))
    with pytest.raises(WeightsError, match="fits these networks"):
        warm_start(other, str(parent.generator))


def test_counters_and_offsets_that_happen_to_fit_are_no_fit(parent, saved):
    """Twice as wide: no weight fits, but the counters of batch norm do, and the last offsets."""
    wide = settings(g_width=8, d_width=8, latent=5)
    state = fresh(wide)
    nets = {"G": state.G, "D": state.D}
    own = {f"{name}.{key}": value for name, net in nets.items() for key, value in net.state_dict().items()}
    alike = {key for key, value in own.items() if key in saved and saved[key].shape == value.shape}
    assert alike and all(own[key].ndim < 2 for key in alike)
    with pytest.raises(WeightsError, match="fits these networks"):
        warm_start(state, str(parent.path))


def test_a_visitor_may_not_name_a_path():
    assert knobs()["start_from"].local
