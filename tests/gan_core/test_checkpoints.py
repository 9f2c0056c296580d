"""Weights files: round trip, and every way in which a file can be wrong."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from gan_core.checkpoints import export_generator, load_generator, read_generator_header, read_header
from gan_core.config import ModelConfig
from gan_core.errors import WeightsError
from gan_core.networks import build_pair
from gan_core.sampling import Sampler

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


def test_somebody_elses_safetensors(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "other.safetensors")
    refused(tmp_path / "other.safetensors", "no generator of DCGAN Studio")


@pytest.mark.parametrize(("change", "words"), [
    ({"size": 1 << 20}, "not known"), ({"network": "zebra"}, "not known"), ({"g_width": 10**6}, "too large"),
    ({"network": []}, "not known"), ({"g_width": 0}, "too small"),
    ({"latent": 10**9}, "too large"), ({"g_width": 8}, "do not fit"), ({"surprise": 1}, "damaged"),
    ({"classes": "many"}, "not known"),
])  # fmt: skip
def test_lying_headers(weights, tmp_path, change, words):
    path, G = weights
    header = read_header(path)
    header["model"] = json.dumps(json.loads(header["model"]) | change)
    save_file(G.state_dict(), tmp_path / "lying.safetensors", header)
    refused(tmp_path / "lying.safetensors", words)


def test_newer_version(weights, tmp_path):
    path, G = weights
    save_file(G.state_dict(), tmp_path / "new.safetensors", read_header(path) | {"schema": "99"})
    assert "newer version" in refused(tmp_path / "new.safetensors", "newer")


def test_reading_the_header_reads_no_weights(weights, monkeypatch):
    monkeypatch.setattr("gan_core.checkpoints.read_tensors", lambda path: pytest.fail("read the weights"))
    assert read_generator_header(weights[0])[0] == MODEL
