"""A small classifier that reads pictures as a person would, and so can score a generator.

A classifier was trained on the real training pictures (`tools/train_classifiers.py`) and is shipped as
`weights/classifier-<data set>.safetensors`, whose header alone suffices to rebuild the network. The 128
numbers before its last layer are the space in which pictures are compared; its class probabilities say
whether a picture is readable, and as what.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gan_core.checkpoints import read_header, read_tensors, save_tensors
from gan_core.data.prepare import bordered
from gan_core.errors import WeightsError
from gan_core.knobs import unknown_names

FORMAT = "gan_core.classifier"
SCHEMA = 1
WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
SIDE = 32  # pixels; pictures of 28 get a border, those of another size are resized
BATCH = 500


@dataclass(frozen=True, slots=True)
class ClassifierShape:
    """All that is needed to rebuild a classifier's network."""

    channels: int
    classes: int
    width: int = 32
    features: int = 128


class ClassifierNetwork(nn.Module):
    """Six convolutions and two linear layers, 0.36 million numbers, 10 million products a picture."""

    def __init__(self, shape: ClassifierShape) -> None:
        super().__init__()
        w = shape.width
        self.convolutions = nn.Sequential(
            *_block(shape.channels, w, kernel=4, stride=2),  # (N, w, 16, 16)
            *_block(w, w),
            nn.MaxPool2d(2),  # (N, w, 8, 8)
            *_block(w, 2 * w),
            *_block(2 * w, 2 * w),
            nn.MaxPool2d(2),  # (N, 2w, 4, 4)
            *_block(2 * w, 4 * w),
            *_block(4 * w, 4 * w),
            nn.MaxPool2d(2),  # (N, 4w, 2, 2)
            nn.Flatten(),  # (N, 16w)
        )
        self.features = nn.Sequential(
            nn.Linear(16 * w, shape.features, bias=False), nn.BatchNorm1d(shape.features), nn.ReLU()
        )
        self.dropout = nn.Dropout(0.2)
        self.classes = nn.Linear(shape.features, shape.classes)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, 32, 32) in [0, 1] to features (N, 128), each >= 0, and class logits (N, K)."""
        features = self.features(self.convolutions(pictures))
        return features, self.classes(self.dropout(features))


def _block(before: int, after: int, kernel: int = 3, stride: int = 1) -> Iterator[nn.Module]:
    yield nn.Conv2d(before, after, kernel, stride, padding=1, bias=False)
    yield nn.BatchNorm2d(after)
    yield nn.ReLU()


class FeatureExtractor:
    """A trained classifier in evaluation mode on the CPU; may be called from several threads."""

    def __init__(self, shape: ClassifierShape, info: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """`info` is the file's header: data set, class names, test accuracy, seed, epochs.

        Raises:
            WeightsError: when `tensors` are not those of a network of this shape.
        """
        self.shape = shape
        self.info = info
        with torch.device("meta"):  # no first weights are drawn: a run that trains keeps its random numbers
            self._network = ClassifierNetwork(shape).eval()
        try:
            self._network.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            raise WeightsError("classifier-fit", shape=shape, reason=error) from None
        self._network.requires_grad_(False).to(memory_format=torch.channels_last)
        digest = hashlib.sha256()
        for name in sorted(tensors):
            digest.update(tensors[name].contiguous().numpy().tobytes())
        self.fingerprint = digest.hexdigest()[:16]

    @staticmethod
    def load(dataset: str, folder: Path = WEIGHTS) -> FeatureExtractor:
        """The classifier of a data set; read once and kept.

        Raises:
            WeightsError: there is none for this data set, or its file is damaged.
        """
        if problems := unknown_names([dataset], classifiers(folder), "classifiers"):
            raise WeightsError.of(problems)
        return _load(_path(dataset, folder))

    @staticmethod
    def untrained(channels: int) -> FeatureExtractor:
        """An untrained classifier, for data sets that have no other: its features only, always the same.

        Weights as in He et al. 2015, arXiv 1502.01852, eq. 10, so that no layer drowns another.
        """
        chance = torch.Generator().manual_seed(0)
        shape = ClassifierShape(channels, classes=2)
        with torch.random.fork_rng(devices=[]):
            network = ClassifierNetwork(shape)
        for layer in network.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(layer.weight, generator=chance)
        nn.init.zeros_(network.classes.bias)
        return FeatureExtractor(shape, {"trained": False}, network.state_dict())

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features float64 (N, 128) and probabilities float64 (N, K) of `images`, uint8 (N, C, H, W).

        Raises:
            WeightsError: the pictures have another number of channels than those the classifier has learned.
        """
        if images.ndim != 4 or images.shape[1] != self.shape.channels or images.dtype != np.uint8:
            found = f"{images.dtype} {images.shape}"
            raise WeightsError("classifier-pictures", channels=self.shape.channels, found=found)
        features = np.empty((len(images), self.shape.features))
        probabilities = np.empty((len(images), self.shape.classes))
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                part = slice(start, start + BATCH)
                found, logits = self._network(_prepare(images[part]))
                features[part] = found.double().numpy()
                probabilities[part] = logits.double().softmax(dim=1).numpy()
        return features, probabilities


def classifiers(folder: Path = WEIGHTS) -> list[str]:
    """Names of the data sets that have a classifier."""
    return sorted(path.stem.removeprefix("classifier-") for path in folder.glob("classifier-*.safetensors"))


def save_classifier(
    network: ClassifierNetwork, shape: ClassifierShape, info: dict[str, Any], path: Path
) -> None:
    """Write a classifier atomically; `info` (plain JSON values) goes into the header."""
    header = {"schema": SCHEMA, "architecture": dataclasses.asdict(shape), **info}
    words = {key: json.dumps(value, ensure_ascii=False) for key, value in header.items()}
    save_tensors(path, network.state_dict(), {"format": FORMAT, **words})


def read_classifier(path: Path) -> FeatureExtractor:
    """The classifier in a file, with its header as `info`.

    Raises:
        WeightsError: missing, truncated, not a safetensors file, not a classifier, or from a newer version.
    """
    words = read_header(path)
    if words.pop("format", "") != FORMAT:
        raise WeightsError("classifier-foreign", file=path.name)
    try:
        info = {key: json.loads(value) for key, value in words.items()}
        newer, shape = info["schema"] > SCHEMA, ClassifierShape(**info["architecture"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError("classifier-header", file=path.name, reason=repr(error)) from error
    if newer:
        raise WeightsError("classifier-newer", file=path.name, schema=info["schema"])
    return FeatureExtractor(shape, info, read_tensors(path))


def _prepare(images: np.ndarray) -> Tensor:
    """uint8 (n, C, H, W) to float (n, C, 32, 32) in [0, 1]; 28 pixels get the border that real ones get."""
    pictures = torch.from_numpy(bordered(images, SIDE).astype(np.float32)) / 255
    if pictures.shape[2:] != (SIDE, SIDE):
        pictures = functional.interpolate(pictures, (SIDE, SIDE), mode="bilinear", antialias=True)
    return pictures.to(memory_format=torch.channels_last)


@lru_cache(maxsize=8)
def _load(path: Path) -> FeatureExtractor:
    return read_classifier(path)


def _path(dataset: str, folder: Path) -> Path:
    return folder / f"classifier-{dataset}.safetensors"
