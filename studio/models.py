"""The shelf of models that can be explored: shipped weights, and every run that has a generator.

Public names: `mnist` for weights/mnist.safetensors, `run:ID` for a run. A sampler is loaded once a version of
its file and shared by all visitors, which is safe: what it draws depends on its arguments alone.
"""

from __future__ import annotations

import json
import struct
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_core.data import DATASETS
from gan_core.errors import RunError, WeightsError
from gan_core.knobs import unknown_names
from gan_core.runs.layout import RunPaths, find_run
from gan_core.runs.reader import ACTIVE, Status, glance, list_runs, read_status

if TYPE_CHECKING:
    import torch

    from gan_core.sampling import Sampler

FORMAT = "gan_core.generator"
FIRST = "mnist"  # stands first among the shipped ones
RUN = "run:"
HEADER_LIMIT = 1 << 20
DIRECTIONS = 5


@dataclass(frozen=True)
class Model:
    """One row of the list. `version` changes whenever the file does, so pictures can be cached by it."""

    name: str
    path: Path
    version: str
    classes: tuple[str, ...]
    info: Mapping[str, Any]
    state: str = ""  # of its run; empty for shipped weights
    interpolation: str = "spherical"  # from one sample to another, as suits its noise

    @property
    def live(self) -> bool:
        """Whether it is still being trained."""
        return self.state in ACTIVE


class ModelRegistry:
    """Finds models by name and keeps the few that were used last in memory."""

    def __init__(self, weights: Path, runs: Path, *, kept: int = 6) -> None:
        self._weights, self._runs, self._kept = weights, runs, kept
        self._lock = threading.Lock()
        self._loaded: OrderedDict[tuple[str, str], tuple[Sampler, torch.Tensor]] = OrderedDict()

    def models(self) -> list[Model]:
        """All of them: the shipped ones, then the runs, newest first."""
        shipped = [model for path in self._weights.glob("*.safetensors") if (model := _shipped(path))]
        shipped.sort(key=lambda model: (model.name != FIRST, model.name))
        runs = [self._run(status) for status in list_runs(self._runs)]
        return shipped + [model for model in runs if model]

    def model(self, name: str) -> Model:
        """The model named `name`, without looking at any other.

        Raises:
            WeightsError: there is none, with the nearest name that there is.
        """
        found = None
        if name.startswith(RUN):
            try:
                found = self._run(glance(find_run(self._runs, name[len(RUN) :])))
            except RunError as error:
                raise WeightsError.of(error.messages) from error
        elif Path(name).name == name:
            found = _shipped(self._weights / f"{name}.safetensors")
        if found is None:
            known = [model.name for model in self.models()]
            raise WeightsError.of(unknown_names([name[:60]], known, "model"))
        return found

    def load(self, model: Model) -> tuple[Sampler, torch.Tensor]:
        """The model's sampler and its strongest directions, (DIRECTIONS or fewer, latent).

        Raises:
            WeightsError: the file is damaged.
        """
        key = (model.name, model.version)
        with self._lock:
            if key not in self._loaded:
                for old in [k for k in self._loaded if k[0] == model.name]:
                    del self._loaded[old]
                self._loaded[key] = _load(model.path)
            self._loaded.move_to_end(key)
            while len(self._loaded) > self._kept:
                self._loaded.popitem(last=False)
            return self._loaded[key]

    def _run(self, status: Status) -> Model | None:
        path = self._runs / status.id / "generator.safetensors"
        return _described(RUN + status.id, path, status)


def explorable(run: RunPaths) -> bool:
    """Whether the run has a generator of pictures: points are not offered to walk through."""
    source = DATASETS.get(read_status(run).dataset)
    return run.generator.exists() and not (source and source.mixture)


def _load(path: Path) -> tuple[Sampler, torch.Tensor]:
    from gan_core.directions import principal_directions
    from gan_core.sampling import Sampler

    sampler = Sampler.load(path)
    return sampler, principal_directions(sampler, min(DIRECTIONS, sampler.model.latent))[0]


def _shipped(path: Path) -> Model | None:
    return _described(path.stem, path, None)


def _described(name: str, path: Path, run: Status | None) -> Model | None:
    """What the header of `path` says; None when it is no generator of ours, or draws points, which have
    nothing to walk through but a plane. Reads no weights."""
    from gan_core.latent import suitable_interpolation

    try:
        about = path.stat()
        header = _header(path)
        info = json.loads(header["info"])
        model = json.loads(header["model"])
        classes, points = int(model["classes"]), model["channels"] == 2
        codes = int(model.get("code_classes", 0)) + int(model.get("code_numbers", 0))
        interpolation = suitable_interpolation(
            model.get("noise", "gaussian"), codes
        )  # files of old name no noise
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None
    if header.get("format") != FORMAT or not isinstance(info, dict) or points:
        return None
    names = [str(n) for n in info.get("class_names") or range(classes)][:classes]
    if run is not None:
        info |= {"preset": run.preset}
    version, state = f"{about.st_mtime_ns:x}", run.state if run else ""
    return Model(name, path, version, tuple(names), info, state, interpolation)


def _header(path: Path) -> dict[str, Any]:
    """The text header of a safetensors file: 8 bytes of length, then JSON."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > HEADER_LIMIT:
            raise ValueError("not a header")
        return dict(json.loads(file.read(length))["__metadata__"])
