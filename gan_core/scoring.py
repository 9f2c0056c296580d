"""Scores of a generator: its own pictures, asked for in the shares of the real classes, before the judge."""

from __future__ import annotations

from gan_core import metrics
from gan_core.data import DATASETS
from gan_core.sampling import Sampler


def score_generator(
    sampler: Sampler, *, count: int = 10_000, seed: int = 1, dataset: str = "", root: str = ""
) -> dict[str, float]:
    """All metrics of `count` pictures by name, against the data set it was trained on or `dataset`.

    A conditional generator is asked for each class as often as it occurs among real pictures: asking evenly
    would make any generator look uneven.

    Points and the classes of Stacked MNIST are not judged but counted, see `metrics.modes` and `stacked`.

    Raises:
        WeightsError: no judge for the data set. DataError: its files are not there.
    """
    dataset = dataset or str(sampler.info.get("dataset", ""))
    source = DATASETS.get(dataset)
    if source and source.mixture:
        return metrics.score_points(sampler.numbers(sampler.latents(count, seed)), source.mixture)
    if dataset == "stacked-mnist":
        return metrics.stacked_modes(metrics.read_stacked(sampler.pictures(sampler.latents(count, seed))))
    labels = metrics.real_labels(dataset, count, root) if sampler.model.classes else None
    pictures = sampler.pictures(sampler.latents(count, seed), labels)
    return metrics.score(pictures, labels, dataset, root)
