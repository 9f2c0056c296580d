"""Weights files: round trip, and every way in which a file can be wrong."""

import dataclasses
import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from gan_core.checkpoints import (
    export_generator,
    load_generator,
    read_generator_header,
    read_header,
    read_tensors,
    save_tensors,
)
from gan_core.config import ModelConfig
from gan_core.errors import WeightsError
from gan_core.networks import build_pair
from gan_core.sampling import Sampler
from gan_core.training.snapshot import FILE, FORMAT, read_counters

MODEL = ModelConfig(network="dcgan-s2d", size=16, channels=1, classes=2, latent=4, g_width=4, d_width=4,
                    conditioning="class-logits")  # fmt: skip


@pytest.fixture
def weights(tmp_path):
    G, _ = build_pair(MODEL, seed=0)
    path = tmp_path / "small.safetensors"
    export_generator(path, G, MODEL, {"dataset": "glyphs", "class_names": ["a", "b"], "step": 7})
    return path, G


def test_the_header_alone_rebuilds_the_generator(weights):
    path, G = weights
    loaded, model, info = load_generator(path)
    assert model == MODEL and info["step"] == 7
    for name, tensor in G.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert not loaded.training and Sampler.load(path).class_names == ["a", "b"]


@pytest.mark.parametrize("told", [None, ["a"], []])
def test_classes_without_names_are_numbered(weights, told):
    path, G = weights
    export_generator(path, G, MODEL, {"class_names": told})
    assert Sampler.load(path).class_names == ["0", "1"]


def test_a_run_directory_serves_as_well(weights, tmp_path):
    path, _ = weights
    path.rename(tmp_path / "generator.safetensors")
    assert Sampler.load(tmp_path).model == MODEL


def refused(path, words):
    with pytest.raises(WeightsError) as error:
        Sampler.load(path)
    text = str(error.value)
    assert words in text and "\n" not in text
    return text


def test_every_truncation_is_refused(weights, tmp_path):
    data = weights[0].read_bytes()
    for length in (0, 1, 7, 8, 9, 100, 600, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.safetensors").write_bytes(data[:length])
        refused(tmp_path / "cut.safetensors", "not a whole safetensors file")


def test_a_pickle_is_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "opened"), "w"))

    path = tmp_path / "evil.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    refused(path, "never opened")
    torch.save({"w": torch.zeros(2)}, path)
    refused(path, "never opened")
    assert not (tmp_path / "opened").exists()


def test_missing_file(tmp_path):
    refused(tmp_path / "none.safetensors", "no weights file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    refused(tmp_path / "pipe.safetensors", "is no regular file")


def test_a_header_without_end_is_not_read(weights, tmp_path):
    path, G = weights
    save_file(G.state_dict(), tmp_path / "long.safetensors", read_header(path) | {"more": "x" * (1 << 20)})
    refused(tmp_path / "long.safetensors", "its header is too long")


def test_somebody_elses_safetensors(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "other.safetensors")
    refused(tmp_path / "other.safetensors", "no generator of DCGAN Studio")


@pytest.mark.parametrize(("change", "words"), [
    ({"size": 1 << 20}, "not known"), ({"network": "zebra"}, "not known"), ({"g_width": 10**6}, "too large"),
    ({"network": []}, "not known"), ({"g_width": 0}, "too small"),
    ({"latent": 10**9}, "too large"), ({"g_width": 8}, "do not fit"), ({"surprise": 1}, "damaged"),
    ({"classes": "many"}, "not known"), ({"kind": "smells"}, "not known"), ({"kind": None}, "not known"),
    ({"kind": "points"}, "not known"), ({"noise": "zebra"}, "not known"), ({"noise": []}, "not known"),
])  # fmt: skip
def test_lying_headers(weights, tmp_path, change, words):
    path, G = weights
    header = read_header(path)
    header["model"] = json.dumps(json.loads(header["model"]) | change)
    save_file(G.state_dict(), tmp_path / "lying.safetensors", header)
    refused(tmp_path / "lying.safetensors", words)


@pytest.mark.parametrize(("network", "size", "channels", "kind"), [
    ("dcgan-s2d", 16, 2, "pictures"), ("mlp-2d", 1, 2, "points"),
])  # fmt: skip
def test_weights_of_old_do_not_say_what_they_draw(tmp_path, network, size, channels, kind):
    model = dataclasses.replace(MODEL, network=network, size=size, channels=channels, kind=kind)
    path = tmp_path / "old.safetensors"
    export_generator(path, build_pair(model, seed=0)[0], model, {})
    header, tensors = read_header(path), read_tensors(path)
    told = json.loads(header["model"])
    assert told.pop("kind") == kind
    save_file(tensors, path, header | {"model": json.dumps(told)})
    assert Sampler.load(path).model == model


def test_newer_version(weights, tmp_path):
    path, G = weights
    save_file(G.state_dict(), tmp_path / "new.safetensors", read_header(path) | {"schema": "99"})
    assert "newer version" in refused(tmp_path / "new.safetensors", "newer")


def test_reading_the_header_reads_no_weights(weights, monkeypatch):
    monkeypatch.setattr("gan_core.checkpoints.read_tensors", lambda path: pytest.fail("read the weights"))
    assert read_generator_header(weights[0])[0] == MODEL


COUNTED = {"compute": ["cpu", "fp32", "contiguous", 1], "step": 3, "images": 48, "seconds": 0.5}
UNCOUNTED = [{k: v for k, v in COUNTED.items() if k != name} for name in COUNTED]
MISCOUNTED = [COUNTED | {name: wrong} for name in ("step", "images", "seconds")
              for wrong in ("3", None, -1, float("nan"), True)]  # fmt: skip


def test_counters_are_read_as_they_were_saved(tmp_path):
    save_tensors(
        tmp_path / FILE, {"noise": torch.zeros(1)}, {"format": FORMAT, "counters": json.dumps(COUNTED)}
    )
    assert {name: read_counters(tmp_path)[name] for name in ("step", "images", "seconds")} == {
        "step": 3, "images": 48, "seconds": 0.5
    }  # fmt: skip


@pytest.mark.parametrize("header", [
    {}, {"counters": "{"}, {"counters": "[]"}, {"counters": "{}"}, {"counters": "[" * 100_000},
    {"counters": '{"compute": [1, 2, 3, 4, 5]}'},
    *({"counters": json.dumps(counters)} for counters in [*UNCOUNTED, *MISCOUNTED]),
    {"counters": json.dumps(COUNTED | {"step": 3.5})}, {"counters": json.dumps(COUNTED | {"images": 10**30})},
    {"counters": json.dumps(COUNTED | {"controllers": {"a": [float("inf")]}})},
])  # fmt: skip
def test_counters_that_are_none_are_one_sentence(tmp_path, header):
    save_tensors(tmp_path / FILE, {"noise": torch.zeros(1)}, {"format": FORMAT, **header})
    with pytest.raises(WeightsError, match="holds no training state"):
        read_counters(tmp_path)
