"""Weights on disk: safetensors with a header that explains itself. No pickle is ever opened."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from gan_core import safe_read
from gan_core.config import KINDS, ModelConfig, kind, knobs
from gan_core.errors import WeightsError
from gan_core.files import write_bytes
from gan_core.knobs import range_problem
from gan_core.latent import NOISES
from gan_core.networks import NETWORKS, build_pair
from gan_core.old_names import FORMATS, tensor_name

FORMAT = "gan_core.generator"
SCHEMA = 1
TEXT_MOST = 200  # letters of a name
LIMITS = {"channels": 3, "classes": 1000, "latent": 1152, "g_width": 512, "d_width": 512, "code_classes": 100,
          "code_numbers": 20}  # fmt: skip
MAY_BE_ZERO = ("classes", "code_classes", "code_numbers")
CHOSEN = ("conditioning", "g_conditioning", "d_norm", "g_norm", "d_dropout", "d_minibatch_std", "pack")
Layout = Mapping[str, tuple[str, tuple[int, ...]]]  # name of a tensor -> type, shape


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write tensors and header to `path` atomically."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(plain, dict(header)))


def read_header(path: Path, root: Path | None = None) -> dict[str, str]:
    """The text header of a safetensors file; with `root` only of one that lies below it, all links followed.

    Raises:
        WeightsError: the file is missing, truncated, or not safetensors.
    """
    header, _ = _read(path, root)
    told = header.get("format", "")
    return header | ({"format": FORMATS[told]} if told in FORMATS else {})


def read_tensors(path: Path, root: Path | None = None) -> dict[str, Tensor]:
    """All tensors of a safetensors file by the names of today, on the CPU. Arguments and errors as above."""
    _read(path, root)
    try:
        with safe_open(path, framework="pt") as file:
            return {tensor_name(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError("weights-torn", file=path.name, reason=_reason(error)) from error


def _read(path: Path, root: Path | None) -> tuple[dict[str, str], Layout]:
    try:
        with safe_read.open_regular(path, root) as stream:
            return safe_read.read_layout(stream)
    except FileNotFoundError as error:
        raise WeightsError("weights-missing", path=path) from error
    except OSError as error:
        raise WeightsError("weights-unreadable", file=path.name, reason=error.strerror or error) from error
    except ValueError as error:
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


def read_generator_header(path: Path, root: Path | None = None) -> tuple[ModelConfig, dict[str, Any]]:
    """(shape of the networks, info) of an exported generator, without reading its weights.

    All that anybody may have written there is checked: types, sizes, names of layers, numbers that are none.

    Raises:
        WeightsError: not an exported generator, from a newer version, or with impossible sizes.
    """
    header = read_header(path, root)
    if header.get("format") != FORMAT:
        raise WeightsError("weights-foreign", file=path.name)
    try:
        if int(header["schema"][:9]) > SCHEMA:
            raise WeightsError("weights-newer", file=path.name)
        told = safe_read.parse_json(header["model"])
        drawn = "points" if told["size"] == 1 else "pictures"  # files of old do not say
        model = ModelConfig(**{"kind": drawn, **told})
        info = dict(safe_read.parse_json(header.get("info", "{}")))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError("weights-header", file=path.name, reason=_reason(error)) from error
    _check_model(path, model)
    if wrong := [name for name, value in info.items() if not _is_info(name, value)]:
        raise WeightsError("weights-header", file=path.name, reason=f"{wrong[0][:40]!r} is not sound")
    return model, info


def load_generator(path: Path, root: Path | None = None) -> tuple[nn.Module, ModelConfig, dict[str, Any]]:
    """A generator in eval mode, rebuilt from its header, with its `ModelConfig` and info.

    Raises:
        WeightsError: as `read_generator_header`, the tensors do not fit the network, or are not all finite.
    """
    model, info = read_generator_header(path, root)
    with torch.device("meta"):
        G, _ = build_pair(model)
    own = G.state_dict()
    shapes = {tensor_name(name): shape for name, (_, shape) in _read(path, root)[1].items()}
    if shapes != {name: tuple(tensor.shape) for name, tensor in own.items()}:
        raise WeightsError("weights-fit", file=path.name)  # and not read: they might fill all memory
    tensors = read_tensors(path, root)
    if any(tensors[name].dtype != tensor.dtype for name, tensor in own.items()):
        raise WeightsError("weights-fit", file=path.name)
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise WeightsError("weights-nonfinite", file=path.name)
    G.load_state_dict(tensors, assign=True)
    return G.eval().requires_grad_(False), model, info


def _is_info(name: str, value: object) -> bool:
    """Whether `value` can be what an exported generator says of itself as `name`."""
    if name in ("step", "images", "seconds", "seed"):
        return safe_read.is_finite(value) and value >= 0
    if name == "class_names":
        return value is None or (isinstance(value, list) and all(map(_is_text, value)))
    if name in ("dataset", "preset", "run", "licence"):
        return _is_text(value)
    return safe_read.is_plain(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= TEXT_MOST


def _check_model(path: Path, model: ModelConfig) -> None:
    """Raise `WeightsError` for networks that are not known, too large, or told in values of other types."""
    row = NETWORKS.get(str(model.network))
    whole = all(type(getattr(model, name)) is int for name in (*LIMITS, "size"))  # True is no number here
    known = row is not None and model.size in row.sizes
    known = known and str(model.noise) in NOISES and model.kind in KINDS
    fits = model.kind != "points" or (model.size, model.channels) == (1, 2)
    if not (known and fits and whole):
        raise WeightsError("weights-network", file=path.name, network=str(model.network)[:40])
    least = {name: int(name not in MAY_BE_ZERO) for name in LIMITS}
    within = all(least[name] <= getattr(model, name) <= LIMITS[name] for name in LIMITS)
    if not within or model.code_classes + model.code_numbers >= model.latent:
        raise WeightsError("weights-size", file=path.name)
    for name in CHOSEN:
        value, usual = getattr(model, name), kind(name)[0]
        number = usual is float and safe_read.is_finite(value)
        if not (number or type(value) is usual) or range_problem(name, value, knobs()[name]):
            raise WeightsError("weights-header", file=path.name, reason=f"{name} is {str(value)[:40]!r}")
