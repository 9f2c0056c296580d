"""The models that can be explored: shipped weights, and every run that has a generator.

Public names: `mnist` for weights/mnist.safetensors, `run:ID` for a run. A sampler is loaded once a version of
its file and shared by all visitors, which is safe: what it draws depends on its arguments alone.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gan_core.checkpoints import read_generator_header
from gan_core.data import DATASETS
from gan_core.directions import principal_directions
from gan_core.errors import RunError, WeightsError
from gan_core.knobs import unknown_names
from gan_core.latent import suitable_interpolation
from gan_core.runs.layout import RunPaths, find_run
from gan_core.runs.reader import ACTIVE, Status, glance, list_runs
from gan_core.sampling import Sampler, class_names

FIRST = "mnist"  # stands first among the shipped ones
RUN = "run:"
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


Place = tuple[str, Path, Status | None]  # a model's name, its file, the run that made it


class ModelRegistry:
    """Finds models by name and keeps the few that were used last in memory."""

    def __init__(self, weights: Path, runs: Path, *, kept: int = 6) -> None:
        self._weights, self._runs, self._kept = weights, runs, kept
        self._lock = threading.Lock()
        self._loaded: OrderedDict[tuple[str, str], tuple[Sampler, torch.Tensor]] = OrderedDict()

    def models(self) -> list[Model]:
        """All of them that can be read: the shipped ones, then the runs, newest first."""
        shipped = [self._shipped(path.stem) for path in self._weights.glob("*.safetensors")]
        shipped.sort(key=lambda place: (place[0] != FIRST, place[0]))
        places = shipped + [self._run(status) for status in list_runs(self._runs)]
        return [model for place in places if (model := self._readable(*place))]

    def model(self, name: str) -> Model:
        """The model named `name`, without looking at any other.

        Raises:
            WeightsError: there is none, with the nearest name that there is, or its file is damaged.
        """
        place = None
        if name.startswith(RUN):
            try:
                place = self._run(glance(find_run(self._runs, name[len(RUN) :])))
            except RunError as error:
                raise WeightsError.of(error.messages) from error
        elif Path(name).name == name:
            place = self._shipped(name)
        found = self._described(*place) if place else None
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
                sampler = Sampler.load(model.path, root=self._root(model.name))
                directions = principal_directions(sampler, min(DIRECTIONS, sampler.model.latent))[0]
                self._loaded[key] = sampler, directions
            self._loaded.move_to_end(key)
            while len(self._loaded) > self._kept:
                self._loaded.popitem(last=False)
            return self._loaded[key]

    def _shipped(self, name: str) -> Place:
        return name, self._weights / f"{name}.safetensors", None

    def _run(self, status: Status) -> Place:
        return RUN + status.id, RunPaths(self._runs / status.id).generator, status

    def _root(self, name: str) -> Path | None:
        """The folder that the file of the model `name` must lie in, wherever links lead; none for the shipped
        ones, which some installers put in place as links."""
        return self._runs if name.startswith(RUN) else None

    def _readable(self, name: str, path: Path, run: Status | None) -> Model | None:
        with contextlib.suppress(WeightsError):
            return self._described(name, path, run)
        return None

    def _described(self, name: str, path: Path, run: Status | None) -> Model | None:
        """What the header of `path` says; None when there is no such file, or it draws points, which have
        nothing to walk through but a plane. Reads no weights.

        Raises:
            WeightsError: it is no generator of ours, or damaged.
        """
        try:
            version = f"{path.stat().st_mtime_ns:x}"
        except (OSError, ValueError):  # ValueError: no system has a name with a 0 in it
            return None
        model, info = read_generator_header(path, self._root(name))
        if model.kind != "pictures":
            return None
        if run is not None:
            info |= {"preset": run.preset}
        interpolation = suitable_interpolation(model.noise, model.code_classes + model.code_numbers)
        classes = tuple(class_names(model, info))
        return Model(name, path, version, classes, info, run.state if run else "", interpolation)


def explorable(run: RunPaths) -> bool:
    """Whether the run has a generator of pictures: points are not offered to walk through."""
    source = DATASETS.get(glance(run).dataset)
    return run.generator.is_file() and (source is None or source.kind == "pictures")
