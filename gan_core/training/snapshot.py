"""The whole training state on disk and back, so that a resumed run goes on as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_core.checkpoints import read_header, read_tensors, save_tensors
from gan_core.config import ModelConfig
from gan_core.errors import WeightsError
from gan_core.networks import build_pair
from gan_core.old_names import CONTROLLERS, COUNTERS, renamed
from gan_core.safe_read import is_finite, is_plain, parse_json
from gan_core.seeds import VERSION, stream_seed
from gan_core.training.compute import ComputeConfig
from gan_core.training.state import State

FILE = "state.safetensors"
FORMAT = "gan_core.state"


def save_state(state: State, folder: Path, controllers: Mapping[str, Sequence[float]]) -> None:
    """Write both networks, the EMA, both optimisers, all random generators, the counters and the
    controllers' numbers into `folder`."""
    tensors: dict[str, Tensor] = {"noise": state.noise.get_state(), "torch": torch.get_rng_state()}
    if state.compute.device == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state()
    if state.lazy_penalty is not None:
        tensors["lazy_penalty"] = state.lazy_penalty
    for name, net in _networks(state).items():
        tensors |= {f"{name}.{key}": value for key, value in net.state_dict().items()}
    for name, optimizer in _optimizers(state).items():
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}.{index}.{key}": value for key, value in moments.items() if value is not None}
    compute = state.compute
    counters = {
        "streams": VERSION, "step": state.step, "images": state.images_seen, "seconds": state.seconds,
        "compute": [compute.device, compute.precision, compute.memory_format, compute.threads],
        "optimisers": {name: _kind(optimizer) for name, optimizer in _optimizers(state).items()},
        "controllers": {name: list(numbers) for name, numbers in controllers.items()},
    }  # fmt: skip
    save_tensors(folder / FILE, tensors, {"format": FORMAT, "counters": json.dumps(counters)})


def read_counters(folder: Path) -> dict[str, Any]:
    """Step, images, seconds, `ComputeConfig`, kinds of optimiser, controllers' numbers and version of the
    seeds of a saved state.

    Raises:
        WeightsError: the file is damaged or not a saved state.
    """
    header = read_header(folder / FILE)
    if header.get("format") != FORMAT:
        raise WeightsError("checkpoint-empty", file=folder.name)
    try:
        saved = renamed(parse_json(header["counters"]), COUNTERS)
        counters: dict[str, Any] = {"optimisers": {}, "controllers": {}, "streams": 1} | saved
        counters["controllers"] = renamed(counters["controllers"], CONTROLLERS)
        counters["compute"] = ComputeConfig(*counters["compute"])
        counted = [counters[name] for name in ("step", "images", "seconds")]
        whole = isinstance(counters["step"], int) and isinstance(counters["images"], int)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError("checkpoint-empty", file=folder.name) from error
    if not (whole and is_plain(saved) and all(is_finite(value) and value >= 0 for value in counted)):
        raise WeightsError("checkpoint-empty", file=folder.name)
    return counters


def load_state(state: State, folder: Path) -> dict[str, list[float]]:
    """Put what `save_state` wrote into a state built from the same settings; gives the controllers'
    numbers.

    The moments of another optimiser mean nothing to this one, which then begins afresh; so do the random
    numbers of another device, by seed and step.

    Raises:
        WeightsError: the file is damaged or belongs to other networks.
    """
    counters, tensors = read_counters(folder), read_tensors(folder / FILE)
    try:
        for name, net in _networks(state).items():
            net.load_state_dict(_below(tensors, name))
        for name, optimizer in _optimizers(state).items():
            if counters["optimisers"].get(name, _kind(optimizer)) == _kind(optimizer):
                saved = optimizer.state_dict()
                saved["state"] = _moments(_below(tensors, name))
                optimizer.load_state_dict(saved)
                _lay_out(optimizer)
        torch.set_rng_state(tensors["torch"])
        if counters["compute"].device == state.compute.device:
            state.noise.set_state(tensors["noise"])
            if state.compute.device == "cuda":
                torch.cuda.set_rng_state(tensors["cuda"])
        else:
            _draw_afresh(state, counters["step"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise WeightsError("checkpoint-fit", file=folder.name) from error
    if "lazy_penalty" in tensors:
        state.lazy_penalty = tensors["lazy_penalty"].to(state.compute.device)
    state.step, state.images_seen, state.seconds = (counters[key] for key in ("step", "images", "seconds"))
    controllers: dict[str, list[float]] = counters["controllers"]
    return controllers


def _draw_afresh(state: State, step: int) -> None:
    """Random numbers of the device by seed and step: one kind of device cannot go on with another's.

    Those that the processor draws for all devices go on as they were.
    """
    seed = state.noise.initial_seed()  # as the run's own seed gave it
    state.noise.manual_seed(stream_seed(seed, "latents", step))
    if state.compute.device == "cuda":
        torch.cuda.manual_seed(stream_seed(seed, "training", step))


def _kind(optimizer: torch.optim.Optimizer) -> str:
    """By what its moments are told: SGD's differ with and without momentum."""
    momentum = optimizer.param_groups[0].get("momentum", 0) > 0
    return type(optimizer).__name__ + (" with momentum" if momentum else "")


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Give each moment the memory layout of its weight: in another one sums are rounded in another order."""
    for weight, moments in optimizer.state.items():
        for name, moment in moments.items():
            if torch.is_tensor(moment) and moment.shape == weight.shape:
                moments[name] = torch.empty_like(weight, requires_grad=False).copy_(moment)


def load_discriminator(model: ModelConfig, folder: Path) -> torch.nn.Module:
    """The discriminator of a saved state, in eval mode, on the CPU.

    Raises:
        WeightsError: the file is damaged or belongs to other networks.
    """
    _, D = build_pair(model)
    try:
        D.load_state_dict(_below(read_tensors(folder / FILE), "D"))
    except RuntimeError as error:
        raise WeightsError("checkpoint-fit", file=folder.name) from error
    return D.eval().requires_grad_(False)


def _networks(state: State) -> dict[str, torch.nn.Module]:
    return {"G": state.G, "D": state.D, "ema": state.ema}


def _optimizers(state: State) -> dict[str, torch.optim.Optimizer]:
    return {"g_optimizer": state.g_optimizer, "d_optimizer": state.d_optimizer}


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    start = name + "."
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}


def _moments(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        moments.setdefault(int(index), {})[name] = value
    return moments
