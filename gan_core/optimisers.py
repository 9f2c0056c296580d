"""Ways to turn gradients into steps. A row of `OPTIMISERS` builds torch's own optimiser for a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

Parameters = Iterable[nn.Parameter]


@dataclass(frozen=True, slots=True)
class Optimiser:
    """A row of `OPTIMISERS`: `build(parameters, rate, (beta1, beta2), decay)`.

    beta1 is the share of the previous direction that is kept (momentum), beta2 that of the squared gradients.
    """

    build: Callable[[Parameters, float, tuple[float, float], float], torch.optim.Optimizer]
    paper: str
    summary: str


def adam(
    parameters: Parameters, rate: float, betas: tuple[float, float], decay: float
) -> torch.optim.Optimizer:
    """Adam; decay is L2: it is added to the gradient, and so divided by its size like the rest of it."""
    return torch.optim.Adam(parameters, lr=rate, betas=betas, weight_decay=decay, fused=True)


def adamw(
    parameters: Parameters, rate: float, betas: tuple[float, float], decay: float
) -> torch.optim.Optimizer:
    """Adam with decay taken off the weights themselves, rate * decay of each at a step."""
    return torch.optim.AdamW(parameters, lr=rate, betas=betas, weight_decay=decay, fused=True)


def rmsprop(
    parameters: Parameters, rate: float, betas: tuple[float, float], decay: float
) -> torch.optim.Optimizer:
    """RMSProp: beta2 averages squared gradients, beta1 is momentum of the divided ones."""
    return torch.optim.RMSprop(parameters, lr=rate, alpha=betas[1], momentum=betas[0], weight_decay=decay)


def sgd(
    parameters: Parameters, rate: float, betas: tuple[float, float], decay: float
) -> torch.optim.Optimizer:
    """Plain gradient steps with momentum beta1; needs far larger rates than Adam."""
    return torch.optim.SGD(parameters, lr=rate, momentum=betas[0], weight_decay=decay)


OPTIMISERS: dict[str, Optimiser] = {
    "adam": Optimiser(
        adam, "Kingma and Ba 2015, arXiv 1412.6980", "Steps of even length for all weights: the usual choice."
    ),
    "adamw": Optimiser(
        adamw, "Loshchilov and Hutter 2019, arXiv 1711.05101", "Adam whose weight decay acts on its own."
    ),
    "rmsprop": Optimiser(
        rmsprop, "Hinton 2012, lecture 6e", "Adam without its start-up correction: the Wasserstein paper's."
    ),
    "sgd": Optimiser(
        sgd, "Robbins and Monro 1951; Polyak 1964", "Plain gradient steps with momentum: rarely enough."
    ),
}
