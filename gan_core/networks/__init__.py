"""The pairs of networks, by name."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from gan_core.config import ModelConfig
from gan_core.networks import articles, points
from gan_core.networks.base import INITIALISATIONS, DiscriminatorOutput, Head, Network, init_weights
from gan_core.networks.dcgan import Discriminator, Generator, apply_spectral_norm
from gan_core.networks.dense import DenseFoldedDiscriminator, DenseFoldedGenerator
from gan_core.networks.folded import FoldedDiscriminator, FoldedGenerator
from gan_core.networks.labels import ClassNorms, LabelPlanes
from gan_core.networks.residual import (
    R3Discriminator,
    R3Generator,
    ResDiscriminator,
    ResGenerator,
    SnDiscriminator,
    SnGenerator,
)

__all__ = [
    "INITIALISATIONS",
    "NETWORKS",
    "DiscriminatorOutput",
    "Head",
    "Network",
    "bare_pair",
    "build_pair",
    "fixed_model",
    "init_weights",
]

NETWORKS: dict[str, Network] = {
    "dcgan": Network(
        Generator,
        Discriminator,
        sizes=(16, 32, 64, 128),
        paper="Radford, Metz, Chintala 2016, arXiv 1511.06434",
        summary="The textbook pair of convolutional networks.",
    ),
    "dcgan-s2d": Network(
        FoldedGenerator,
        FoldedDiscriminator,
        sizes=(16, 32, 64, 128),
        paper="Radford et al. 2016; folding as in Shi et al. 2016, arXiv 1609.05158",
        summary="The same on pictures folded to half their side: about three times as fast.",
    ),
    "dcgan-dense": Network(
        DenseFoldedGenerator,
        DenseFoldedDiscriminator,
        sizes=(16, 32, 64, 128),
        paper="after Chen et al. 2016, arXiv 1606.03657, appendix C.1",
        summary="That pair with a hidden dense layer in each: for codes that must find kinds by themselves.",
    ),
    "sndcgan": Network(
        SnGenerator,
        SnDiscriminator,
        sizes=(16, 32, 64, 128),
        paper="after Miyato et al. 2018, arXiv 1802.05957, table 3",
        summary="Deeper, with spectral normalisation: slow to start, steady for hours.",
        fixed={"g_norm": "batch", "d_norm": "spectral", "d_dropout": 0.0},
    ),
    "resnet": Network(
        ResGenerator,
        ResDiscriminator,
        sizes=(16, 32, 64, 128),
        paper="after Miyato et al. 2018, arXiv 1802.05957, table 4, with widths that double",
        summary="Residual blocks with spectral normalisation: for a GPU.",
        fixed={"g_norm": "batch", "d_norm": "spectral", "d_dropout": 0.0},
    ),
    "r3": Network(
        R3Generator,
        R3Discriminator,
        sizes=(16, 32, 64, 128),
        paper="Huang et al. 2024, arXiv 2501.05441, section 4",
        summary="Residual blocks without any norm: for the relativistic game with R1 and R2.",
        fixed={"g_norm": "none", "d_norm": "none", "d_dropout": 0.0},
    ),
    "mlp-28": Network(
        articles.mlp_28,
        articles.mlp_28_discriminator,
        sizes=(28,),
        paper="Goodfellow et al. 2014, arXiv 1406.2661, in its smallest form",
        summary="One hidden layer each, sigmoid pixels: the shortest GAN there is, and a speckled one.",
        fixed={"g_norm": "none", "d_norm": "none", "d_dropout": 0.0},
    ),
    "mlp-64": Network(
        articles.mlp_64,
        articles.mlp_64_discriminator,
        sizes=(64,),
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        summary="Fully connected at 64 pixels, dropout in D: it does not know which pixels are neighbours.",
        fixed={"g_norm": "none", "d_norm": "none", "d_dropout": 0.3},
    ),
    "mlp-32-rgb": Network(
        articles.mlp_32,
        articles.mlp_32_discriminator,
        sizes=(32,),
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        summary="Fully connected for small colour pictures, four layers with batch norm.",
        fixed={"g_norm": "batch", "d_norm": "none", "d_dropout": 0.0},
    ),
    "convnet-28": Network(
        articles.ConvGenerator,
        articles.ConvDiscriminator,
        sizes=(28,),
        paper="after Radford et al. 2016, arXiv 1511.06434",
        summary="The tutorials' 28-pixel net: three transposed convolutions against two with pooling.",
        fixed={"g_norm": "batch", "d_norm": "none", "d_dropout": 0.3},
    ),
    "mlp-2d": Network(
        points.PointGenerator,
        points.PointDiscriminator,
        sizes=(1,),
        paper="after Metz et al. 2017, arXiv 1611.02163, appendix A",
        summary="A few small layers each, for points in the plane: forgetting can be watched and counted.",
        fixed={"d_norm": "none"},
    ),
}


def build_pair(
    model: ModelConfig, seed: int | None = None, initialisation: str = "dcgan"
) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator with fresh weights, drawn from `seed` where one is given."""
    G, D = bare_pair(model)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    for net in (G, D):
        init_weights(net, generator, initialisation)
    apply_spectral_norm(D, fixed_model(model))  # after the first weights are drawn: it wraps them
    return G, D


def bare_pair(model: ModelConfig) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator whose weights nobody has drawn yet, and which have no spectral norm."""
    row, model = NETWORKS[model.network], fixed_model(model)
    return _generator(row, model), _discriminator(row, model)


def fixed_model(model: ModelConfig) -> ModelConfig:
    """`model` with the settings that belong to its network's definition."""
    return replace(model, **NETWORKS[model.network].fixed)


def _generator(row: Network, model: ModelConfig) -> nn.Module:
    if model.classes and model.g_conditioning == "batch-norm":
        return ClassNorms(row.generator(replace(model, classes=0)), model.classes)
    return row.generator(model)


def _discriminator(row: Network, model: ModelConfig) -> nn.Module:
    """One that looks at packs of pictures has that many times the channels."""
    if model.classes and model.conditioning == "concatenation":
        channels = model.pack * (model.channels + model.classes)
        return LabelPlanes(row.discriminator(replace(model, channels=channels, classes=0)), model.classes)
    return row.discriminator(replace(model, channels=model.pack * model.channels))
