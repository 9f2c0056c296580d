"""What a run's settings ask for: pictures to learn from, networks of which shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gan_core.augment import REAL_AUGMENTS
from gan_core.config import ModelConfig, TrainConfig
from gan_core.data import DATASETS, Pictures, load
from gan_core.doctor import Doctor
from gan_core.runs import RunWriter
from gan_core.runs.history import history
from gan_core.runs.reader import read_verdicts
from gan_core.training.batch_sampler import BatchSampler
from gan_core.training.compute import ComputeConfig


def chosen(config: TrainConfig) -> Pictures:
    """The pictures to learn from: all of the data set, or as many of its first ones as asked for.

    Raises:
        DataError: they cannot be had.
    """
    every = load(config.dataset, size=config.size, root=config.data_root)
    few = config.dataset_limit
    return every if few is None else replace(every, images=every.images[:few], labels=every.labels[:few])


def held_out(config: TrainConfig) -> np.ndarray:
    """The pictures of the data set that `config` leaves out, uint8 (N, C, H, W); none where it takes all.

    Raises:
        DataError: they cannot be had.
    """
    every = load(config.dataset, size=config.size, root=config.data_root)
    return every.images[len(every.images) if config.dataset_limit is None else config.dataset_limit :]


def doctor_of(config: TrainConfig, writer: RunWriter, is_main: bool) -> Doctor:
    """A doctor who has seen what the run has recorded so far; in the first process, which alone has looks.

    Where the run has gone back to before its newest verdict, what holds there is said again.
    """
    doctor = Doctor(config, DATASETS[config.dataset].classes)
    for record in history(writer.run) if is_main else ():
        doctor.add(record)
    said = read_verdicts(writer.run)[-1:] if is_main else []
    if doctor.verdict is not None and any(verdict.kind != doctor.verdict.kind for verdict in said):
        writer.verdict(doctor.verdict)
    return doctor


def model_config(config: TrainConfig) -> ModelConfig:
    """The shape of the networks that `config` asks for, with channels and classes from its data set."""
    source = DATASETS[config.dataset]
    return ModelConfig(
        network=config.network, size=config.size, channels=source.channels,
        classes=len(source.classes) if config.conditional else 0,
        latent=config.latent + config.codes, g_width=config.g_width, d_width=config.d_width,
        conditioning=config.conditioning, noise=config.noise, d_norm=config.d_norm,
        g_norm=config.g_norm, d_dropout=config.d_dropout, g_conditioning=config.g_conditioning,
        code_classes=config.code_classes, code_numbers=config.code_numbers,
        d_minibatch_std=config.d_minibatch_std, pack=config.pack, kind=source.kind,
    )  # fmt: skip


def batch_sampler_of(config: TrainConfig, pictures: Pictures, compute: ComputeConfig) -> BatchSampler:
    """What gives batches of `pictures`, changed as `config` says, on the device of `compute`."""
    labels = pictures.labels if config.conditional else None
    return BatchSampler(
        pictures.images, labels, seed=config.seed, device=compute.device, layout=compute.layout,
        change=REAL_AUGMENTS[config.real_augment],
    )  # fmt: skip
