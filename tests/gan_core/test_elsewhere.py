"""A run begun on a GPU goes on where there is none: only a GPU reads the random numbers in its checkpoint."""

import json

import pytest
import torch

from gan_core.checkpoints import read_header, read_tensors, save_tensors
from gan_core.cli import main
from gan_core.config import from_mapping
from gan_core.errors import ConfigError
from gan_core.runs import branch, create_run, read_settings, read_status
from gan_core.runs.branch import rewrite_settings
from gan_core.training import train
from gan_core.training.compute import ComputeConfig
from gan_core.training.setup import model_config
from gan_core.training.snapshot import FILE, load_state, read_counters
from gan_core.training.state import build_state

SMALL = {"dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4, "latent": 8, "batch": 16, "steps": 4,
         "precision": "fp32", "memory_format": "contiguous", "threads": 1, "d_dropout": 0.2}  # fmt: skip
NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="it would go on on the GPU that is here")
SAID = "It was computed on cuda and continues on cpu: random numbers of the device begin afresh"


def from_a_gpu(root, steps=4):
    """A run of so many steps whose checkpoint is as a GPU writes it: 16 bytes for each of its generators."""
    config = from_mapping({**SMALL, "steps": steps})
    run = create_run(root, config, "glyphs")
    list(train(config, run))
    path = run.checkpoint(steps) / FILE
    header, tensors = read_header(path), read_tensors(path)
    counters = json.loads(header["counters"])
    counters["compute"][0] = "cuda"
    sixteen = torch.arange(16, dtype=torch.uint8)
    save_tensors(path, tensors | {"noise": sixteen, "cuda": sixteen.clone()},
                 {**header, "counters": json.dumps(counters)})  # fmt: skip
    return run


def restored(run, steps=4):
    """On the processor: the noise of a first step, the noise drawn next, and torch's random numbers."""
    _, config = read_settings(run)
    state = build_state(config, model_config(config), ComputeConfig())
    begun = state.draw_z(4)
    load_state(state, run.checkpoint(steps))
    return begun, state.draw_z(4), torch.get_rng_state()


def test_the_devices_random_numbers_begin_afresh_by_seed_and_step(tmp_path):
    run, other = from_a_gpu(tmp_path), from_a_gpu(tmp_path, 5)
    begun, z, chance = restored(run)
    assert torch.equal(z, restored(run)[1]), "chosen by seed and step, not by the clock"
    assert not torch.equal(z, begun), "the noise of the first steps would be learned twice"
    assert not torch.equal(z, restored(other, 5)[1])
    assert torch.equal(chance, read_tensors(run.checkpoint(4) / FILE)["torch"])


def test_a_branch_on_the_processor_goes_on_and_says_so(tmp_path, capsys):
    parent = from_a_gpu(tmp_path)
    _, old = read_settings(parent)
    new = from_mapping({**SMALL, "steps": 7, "device": "cpu"})
    child = branch(parent, 4, old, new, "")
    assert list(train(new, child, resume=True))[-1].step == 7
    assert child.log.read_text().count(SAID) == 1
    assert read_counters(child.checkpoint(7))["compute"].device == "cpu"


@NO_GPU
def test_resume_takes_the_device_that_is_there(tmp_path, capsys):
    run = from_a_gpu(tmp_path)
    assert main(["resume", str(run.path), "--steps", "6", "--quiet"]) == 0
    assert read_status(run).step == 6 and run.log.read_text().count(SAID) == 1
    assert main(["resume", str(run.path), "--steps", "8", "--quiet"]) == 0
    assert run.log.read_text().count(SAID) == 1, "from the processor to the processor all goes on as it was"


@NO_GPU
def test_a_device_that_the_settings_name_is_changed_by_resume(tmp_path, capsys):
    run = from_a_gpu(tmp_path)
    asked = from_mapping({**SMALL, "device": "cuda"})
    rewrite_settings(run, asked)
    with pytest.raises(ConfigError, match="There is no cuda here; choose one of auto, cpu"):
        list(train(asked, run, resume=True))
    assert main(["resume", str(run.path), "--device", "cpu", "--steps", "6", "--quiet"]) == 0
    assert read_status(run).step == 6 and SAID in run.log.read_text()
    _, now = read_settings(run)
    assert (now.device, now.steps, now.batch) == ("cpu", 6, 16)
