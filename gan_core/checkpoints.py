"""Weights on disk: safetensors with a header that explains itself. No pickle is ever opened."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from gan_core.config import ModelConfig
from gan_core.errors import WeightsError
from gan_core.files import write_bytes
from gan_core.networks import NETWORKS, build_pair
from gan_core.old_names import FORMATS, tensor_name

FORMAT = "gan_core.generator"
SCHEMA = 1
LIMITS = {"channels": 3, "classes": 1000, "latent": 1152, "g_width": 512, "d_width": 512, "code_classes": 100,
          "code_numbers": 20}  # fmt: skip
MAY_BE_ZERO = ("classes", "code_classes", "code_numbers")


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write tensors and header to `path` atomically."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(plain, dict(header)))


def read_header(path: Path) -> dict[str, str]:
    """The text header of a safetensors file.

    Raises:
        WeightsError: the file is missing, truncated, or not safetensors.
    """
    header: dict[str, str] = _open(path, lambda file: dict(file.metadata() or {}))
    kind = header.get("format", "")
    return header | ({"format": FORMATS[kind]} if kind in FORMATS else {})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file by the names of today, on the CPU."""
    tensors: dict[str, Tensor] = _open(path, lambda file: {k: file.get_tensor(k) for k in file.keys()})  # noqa: SIM118
    return {tensor_name(name): tensor for name, tensor in tensors.items()}


def _open(path: Path, read: Callable[[Any], Any]) -> Any:
    if not path.is_file():
        raise WeightsError("weights-missing", path=path)
    try:
        with safe_open(path, framework="pt") as file:
            return read(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError("weights-torn", file=path.name, reason=_reason(error)) from error


def _reason(error: Exception) -> str:
    return str(error).split("\n")[0][:120]


def export_generator(path: Path, G: nn.Module, model: ModelConfig, info: Mapping[str, Any]) -> None:
    """Write a generator that can be rebuilt from its own header.

    `info` is free JSON about where it comes from: dataset, class_names, step, images, seconds, seed ...
    """
    header = {
        "format": FORMAT,
        "schema": str(SCHEMA),
        "model": json.dumps(dataclasses.asdict(model)),
        "info": json.dumps(dict(info), ensure_ascii=False),
    }
    save_tensors(path, G.state_dict(), header)


def read_generator_header(path: Path) -> tuple[ModelConfig, dict[str, Any]]:
    """(shape of the networks, info) of an exported generator, without reading its weights.

    Raises:
        WeightsError: not an exported generator, from a newer version, or with impossible sizes.
    """
    header = read_header(path)
    if header.get("format") != FORMAT:
        raise WeightsError("weights-foreign", file=path.name)
    try:
        if int(header["schema"]) > SCHEMA:
            raise WeightsError("weights-newer", file=path.name)
        model = ModelConfig(**json.loads(header["model"]))
        info = dict(json.loads(header.get("info", "{}")))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError("weights-header", file=path.name, reason=_reason(error)) from error
    _check_model(path, model)
    return model, info


def load_generator(path: Path) -> tuple[nn.Module, ModelConfig, dict[str, Any]]:
    """A generator in eval mode, rebuilt from its header, with its `ModelConfig` and info.

    Raises:
        WeightsError: as `read_generator_header`, or the tensors do not fit the network.
    """
    model, info = read_generator_header(path)
    with torch.device("meta"):
        G, _ = build_pair(model)
    expected = {name: tuple(tensor.shape) for name, tensor in G.state_dict().items()}
    tensors = read_tensors(path)
    if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != expected:
        raise WeightsError("weights-fit", file=path.name)
    G.load_state_dict(tensors, assign=True)
    return G.eval().requires_grad_(False), model, info


def _check_model(path: Path, model: ModelConfig) -> None:
    row = NETWORKS.get(str(model.network))
    whole = all(isinstance(getattr(model, name), int) for name in LIMITS)
    if row is None or model.size not in row.sizes or not whole:
        raise WeightsError("weights-network", file=path.name, network=model.network)
    least = {name: int(name not in MAY_BE_ZERO) for name in LIMITS}
    within = all(least[name] <= getattr(model, name) <= LIMITS[name] for name in LIMITS)
    if not within or model.code_classes + model.code_numbers >= model.latent:
        raise WeightsError("weights-size", file=path.name)
