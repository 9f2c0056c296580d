"""All that changes while a GAN trains."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_core.config import ModelConfig, TrainConfig
from gan_core.networks import build_pair
from gan_core.training.machine import Machine


@dataclass(slots=True)
class State:
    """Both networks, the smoothed generator, both optimisers, the noise, and how far the run has come."""

    G: nn.Module
    D: nn.Module
    ema: nn.Module
    g_optimizer: torch.optim.Optimizer
    d_optimizer: torch.optim.Optimizer
    noise: torch.Generator
    latent: int
    machine: Machine
    step: int = 0  # generator updates done
    images: int = 0  # real pictures seen
    seconds: float = 0.0  # spent training

    def draw_z(self, count: int) -> Tensor:
        """(count, latent) standard normal numbers from the run's own generator."""
        return torch.randn(count, self.latent, generator=self.noise, device=self.machine.device)

    def sound(self) -> bool:
        """Whether all weights are finite numbers: others are worth no place on disk."""
        weights = [p.detach() for net in (self.G, self.D, self.ema) for p in net.parameters()]
        return bool(torch.stack(torch._foreach_norm(weights)).isfinite().all())


def build_state(config: TrainConfig, model: ModelConfig, machine: Machine) -> State:
    """A fresh state, the same for the same seed and machine choice."""
    G, D = build_pair(model, seed=config.seed)
    ema = copy.deepcopy(G).eval().requires_grad_(False)
    G, D, ema = (machine.place(net) for net in (G, D, ema))
    return State(
        G=G, D=D, ema=ema,
        g_optimizer=_adam(G, config, config.lr_g),
        d_optimizer=_adam(D, config, config.lr_d),
        noise=torch.Generator(machine.device).manual_seed(config.seed),
        latent=model.latent, machine=machine,
    )  # fmt: skip


def set_rates(state: State, config: TrainConfig, progress: float) -> None:
    """Step sizes fall on a straight line to `lr_end` of themselves at the end of the budget."""
    share = 1.0 - (1.0 - config.lr_end) * min(1.0, progress)
    for optimizer, rate in ((state.g_optimizer, config.lr_g), (state.d_optimizer, config.lr_d)):
        for group in optimizer.param_groups:
            group["lr"] = rate * share


def follow(ema: nn.Module, G: nn.Module, half_life: float, batch: int) -> None:
    """Move `ema` towards G so that a difference halves every `half_life` pictures; 0 copies.

    Source: Karras et al. 2018, arXiv 1710.10196, section 4.1; half-life as a share of the pictures seen as in
    StyleGAN2-ADA, arXiv 2006.06676. Buffers (batch norm's statistics) are averaged alongside the weights they
    belong to; counters are copied.
    """
    weight = 1.0 - (0.5 ** (batch / half_life) if half_life > 0 else 0.0)
    pairs = list(zip([*ema.parameters(), *ema.buffers()], [*G.parameters(), *G.buffers()]))
    numbers = [(old, new.detach()) for old, new in pairs if old.is_floating_point()]
    with torch.no_grad():
        torch._foreach_lerp_([old for old, _ in numbers], [new for _, new in numbers], weight)
        for old, new in pairs:
            if not old.is_floating_point():
                old.copy_(new)


def _adam(net: nn.Module, config: TrainConfig, rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(net.parameters(), lr=rate, betas=(config.beta1, config.beta2), fused=True)
