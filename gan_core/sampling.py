"""The only way from a generator to pictures, for a trained one and for one in training."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gan_core.checkpoints import load_generator
from gan_core.config import ModelConfig
from gan_core.errors import ConfigError, WeightsError
from gan_core.images import to_bytes
from gan_core.latent import ASTRAY, INTERPOLATIONS, sample_latents, suitable_interpolation

CHUNK = 500  # pictures drawn at a time, so that memory stays small however many are asked for


def latents(model: ModelConfig, count: int, seed: int) -> Tensor:
    """(count, latent) of the noise and codes of `model`; row i depends on (seed, i) only."""
    codes = (model.code_classes, model.code_numbers)
    return sample_latents(count, model.latent, seed, model.noise, codes)


def class_names(model: ModelConfig, info: Mapping[str, Any]) -> list[str]:
    """Names of the labels as `info` has them, else their numbers; none for an unconditional generator."""
    told = info.get("class_names")
    names = told if isinstance(told, list) and len(told) >= model.classes else range(model.classes)
    return [str(name) for name in names][: model.classes]


class Sampler:
    """A generator in eval mode: each picture depends on its own z and label alone. Safe among threads.

    It draws on the device where the generator is; z and pictures are on the CPU. model: shape of the network.
    info: what the weights file says of its training.
    """

    def __init__(self, G: nn.Module, model: ModelConfig, info: dict[str, Any] | None = None) -> None:
        self.model, self.info, self.generator = model, info or {}, G.eval()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path | str, best: bool = False, root: Path | None = None) -> Sampler:
        """From a .safetensors file, or the newest generator of a run directory, or the `best` of it.

        With `root` only from a file that lies below it, all links followed.

        Raises:
            WeightsError: nothing there, or nothing that can be used.
        """
        path = Path(path)
        if best and not (path / "best.safetensors").is_file():
            raise WeightsError("run-no-best", file=path.name)
        if path.is_dir():
            path = path / ("best.safetensors" if best else "generator.safetensors")
        return cls(*load_generator(path, root))

    @property
    def class_names(self) -> list[str]:
        """Names of the labels, empty for an unconditional generator."""
        return class_names(self.model, self.info)

    def latents(self, count: int, seed: int) -> Tensor:
        """(count, latent) of the noise it was trained on; row i depends on (seed, i) only."""
        return latents(self.model, count, seed)

    @property
    def interpolation(self) -> str:
        """The interpolation that suits its noise: a row of `INTERPOLATIONS`."""
        return suitable_interpolation(self.model.noise, self.model.code_classes + self.model.code_numbers)

    def between(self, a: Tensor, b: Tensor, t: Tensor | float, interpolation: str = "") -> Tensor:
        """z at `t` (0 to 1) from a to b, (..., latent); by its own interpolation, or by the one asked for.

        Warns (`UserWarning`) where the spherical one is asked for and does not suit its noise.
        """
        if interpolation == "spherical" and self.interpolation != interpolation:
            warnings.warn(ASTRAY, stacklevel=2)
        return INTERPOLATIONS[interpolation or self.interpolation](a, b, t)

    def pictures(self, z: Tensor, labels: np.ndarray | Tensor | None = None) -> np.ndarray:
        """uint8 (N, C, H, W) for z (N, latent).

        Labels are whole numbers (N,), 0, 1, 2 ... in turn by default, or float shares (N, classes) for
        pictures between classes.
        """
        return np.concatenate([to_bytes(part) for part in self._parts(z, labels)])

    def numbers(self, z: Tensor, labels: np.ndarray | Tensor | None = None) -> np.ndarray:
        """The same as float32 in [-1, 1]: for points, for which bytes are too coarse."""
        return np.concatenate([part.float().cpu().numpy() for part in self._parts(z, labels)])

    def _parts(self, z: Tensor, labels: np.ndarray | Tensor | None) -> Iterator[Tensor]:
        device = next(self.generator.parameters()).device
        asked = self._labels(len(z), labels)
        for start in range(0, len(z), CHUNK):
            chunk = slice(start, start + CHUNK)
            with self._lock, torch.inference_mode():
                part = self.generator(z[chunk].to(device), None if asked is None else asked[chunk].to(device))
            yield part

    def sample(self, count: int, seed: int, label: int | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """`count` pictures, uint8 (N, C, H, W), and their labels (N,) where the generator has any."""
        labels = None
        if self.model.classes:
            labels = np.arange(count) % self.model.classes if label is None else np.full(count, label)
        return self.pictures(self.latents(count, seed), labels), labels

    def check_label(self, label: int | None) -> None:
        """Raise `ConfigError` when `label` is none of the generator's."""
        if label is None:
            return
        if not self.model.classes:
            raise ConfigError("no-labels", field="label", value=label)
        if not 0 <= label < self.model.classes:
            highest = self.model.classes - 1
            raise ConfigError("out-of-range", field="label", value=label, low=0, high=highest)

    def _labels(self, count: int, labels: np.ndarray | Tensor | None) -> Tensor | None:
        if not self.model.classes:
            return None
        if labels is None:
            return torch.arange(count) % self.model.classes
        asked = torch.as_tensor(labels)
        return asked.float() if asked.is_floating_point() else asked.to(torch.int64)
