"""The pairs of networks, by name."""

from __future__ import annotations

import torch
from torch import nn

from gan_core.config import ModelConfig
from gan_core.networks.base import INITIALISATIONS, Head, Judgement, Network, init_weights
from gan_core.networks.dcgan import Discriminator, Generator, measured
from gan_core.networks.folded import FoldedDiscriminator, FoldedGenerator

__all__ = ["INITIALISATIONS", "NETWORKS", "Head", "Judgement", "Network", "build_pair", "init_weights"]

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
}


def build_pair(
    model: ModelConfig, seed: int | None = None, initialisation: str = "dcgan"
) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator with fresh weights, drawn from `seed` where one is given."""
    row = NETWORKS[model.network]
    G, D = row.generator(model), row.discriminator(model)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    for net in (G, D):
        init_weights(net, generator, initialisation)
    measured(D, model)  # after the first weights are drawn: it wraps them
    return G, D
