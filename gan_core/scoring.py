"""Scores of a generator, and of the codes that its discriminator reads, before real pictures."""

from __future__ import annotations

import numpy as np
import torch

from gan_core import metrics
from gan_core.codes import guessed, matched_accuracy
from gan_core.data import DATASETS, load
from gan_core.errors import RunError, WeightsError
from gan_core.images import to_unit
from gan_core.runs import RunPaths, read_settings
from gan_core.runs.reader import best_steps, checkpoint_steps
from gan_core.sampling import Sampler
from gan_core.training import model_config
from gan_core.training.snapshot import load_discriminator

CHUNK = 500  # pictures looked at in one pass


def score_generator(
    sampler: Sampler, *, count: int = 10_000, seed: int = 1, dataset: str = "", root: str = ""
) -> dict[str, float]:
    """All metrics of `count` pictures by name, against the data set it was trained on or `dataset`.

    A conditional generator is asked for each class as often as it occurs among real pictures: asking evenly
    would make any generator look uneven.

    Points and the classes of Stacked MNIST are counted instead, see `metrics.modes` and `stacked`.

    Raises:
        WeightsError: no classifier for the data set, or one of another kind.
        DataError: its files are not there.
    """
    dataset = dataset or str(sampler.info.get("dataset", ""))
    source = DATASETS.get(dataset)
    if source:
        drawn, held = (_named(about.kind, about.channels) for about in (sampler.model, source))
        if drawn != held:
            raise WeightsError("score-kind", drawn=drawn, dataset=dataset, held=held)
    if source and source.mixture:
        return metrics.score_points(sampler.numbers(sampler.latents(count, seed)), source.mixture)
    if dataset == "stacked-mnist":
        return metrics.stacked_modes(metrics.read_stacked(sampler.pictures(sampler.latents(count, seed))))
    labels = metrics.real_labels(dataset, count, root) if sampler.model.classes else None
    pictures = sampler.pictures(sampler.latents(count, seed), labels)
    return metrics.score(pictures, labels, dataset, root)


def _named(kind: str, channels: int) -> str:
    """What there is to look at: the words of `score-kind` know all four."""
    return {1: "grey", 3: "colour"}.get(channels, "other") if kind == "pictures" else kind


def classes_found(run: RunPaths, root: str = "", best: bool = False) -> dict[str, float]:
    """`score_codes` by its name, of an InfoGAN whose code can stand for the classes; else nothing."""
    if not run.config.is_file():  # a folder with a generator alone
        return {}
    _, config = read_settings(run)
    kinds = len(DATASETS[config.dataset].classes)
    fits = config.code_classes == kinds and not config.conditional
    return {"matched_accuracy": score_codes(run, root, best)} if fits else {}


def score_codes(run: RunPaths, root: str = "", best: bool = False) -> float:
    """How well an InfoGAN has found the classes by itself: `matched_accuracy` of its code on test pictures.

    The discriminator of the newest checkpoint, or of the `best`, in eval mode, guesses the code of each real
    test picture; nobody ever told it a label.

    Raises:
        RunError: the run has no code with as many values as its data set has classes, or no checkpoint.
        DataError: the pictures are not there.
    """
    _, config = read_settings(run)
    model, steps = model_config(config), best_steps(run) if best else checkpoint_steps(run)
    pictures = load(config.dataset, size=config.size, root=root, split="test")
    assert pictures.labels is not None
    classes = int(pictures.labels.max()) + 1
    if not steps or model.classes or model.code_classes != classes:
        raise RunError("run-no-codes", run=run.id, count=classes)
    D = load_discriminator(model, run.checkpoint(steps[-1]))
    guesses = []
    with torch.inference_mode():
        for start in range(0, len(pictures.images), CHUNK):
            pixels = torch.from_numpy(np.array(pictures.images[start : start + CHUNK]))
            guesses.append(guessed(D(to_unit(pixels)).codes, classes))
    return matched_accuracy(np.concatenate(guesses), pictures.labels, classes)
