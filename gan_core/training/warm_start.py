"""First weights from an earlier run: what fits by name and shape is taken over, the rest stays as drawn."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from gan_core.checkpoints import read_tensors
from gan_core.errors import WeightsError
from gan_core.messages import Message
from gan_core.runs import RunPaths
from gan_core.runs.reader import checkpoint_steps
from gan_core.training.snapshot import FILE
from gan_core.training.state import State

LISTED = 8  # names of weights that are written out


def warm_start(state: State, source: str) -> Message:
    """Take over into G and D what `source` has of the same name and shape; says what it had not.

    source: a run's directory (its newest checkpoint, else its generator), a checkpoint's, or a safetensors
    file: a training state has both networks, an exported generator G alone. The EMA begins as G does.
    Optimisers, noise and counters begin anew.

    Raises:
        WeightsError: nothing is there, it cannot be read, or nothing of it fits.
    """
    path = weights_at(Path(source))
    tensors = read_tensors(path)
    if not any(name.startswith("G.") and f"ema.{name[2:]}" in tensors for name in tensors):
        tensors = {f"G.{name}": value for name, value in tensors.items()}  # an exported generator
    left: list[str] = []
    taken = weighty = 0
    for name, net in (("G", state.G), ("D", state.D)):
        missing = take_over(net, tensors, name)
        own = net.state_dict()
        taken += len(own) - len(missing)
        weighty += sum(own[key].ndim > 1 and f"{name}.{key}" not in missing for key in own)
        left += missing
    if weighty == 0:  # offsets and counters alone have a place in almost any network
        raise WeightsError("start-nothing", file=path.name)
    state.ema.load_state_dict(copy.deepcopy(state.G.state_dict()))
    if (more := len(left) - LISTED) > 0:
        return Message("log-begun-more", path=path, taken=taken, left=left[:LISTED], more=more)
    return Message("log-begun", path=path, taken=taken, left=left)


def weights_at(path: Path) -> Path:
    """The file of weights that a run, a checkpoint or a file stands for.

    Raises:
        WeightsError: there is none.
    """
    if path.is_dir():
        run = RunPaths(path)
        steps = checkpoint_steps(run)
        choices = [path / FILE, *(run.checkpoint(step) / FILE for step in steps[-1:]), run.generator]
        path = next((choice for choice in choices if choice.is_file()), path)
    if not path.is_file():
        raise WeightsError("start-missing", path=path)
    return path


def take_over(net: nn.Module, tensors: dict[str, Tensor], prefix: str) -> list[str]:
    """Copy `prefix`.NAME into each tensor of `net` of that name and shape; the names of the others."""
    missing = []
    with torch.no_grad():
        for name, own in net.state_dict().items():  # shares its memory with the network
            other = tensors.get(f"{prefix}.{name}")
            if other is None or other.shape != own.shape:
                missing.append(f"{prefix}.{name}")
            else:
                own.copy_(other)
    return missing
