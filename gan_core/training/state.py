"""All that changes while a GAN trains."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_core.config import ModelConfig, TrainConfig
from gan_core.latent import noise_transform
from gan_core.networks import build_pair
from gan_core.optimisers import OPTIMISERS
from gan_core.penalties import in_force
from gan_core.seeds import stream_seed
from gan_core.training.compute import ComputeConfig
from gan_core.training.distributed import SINGLE_PROCESS, DistributedContext


@dataclass(slots=True)
class State:
    """Both networks, the EMA of the generator, both optimisers, the noise, and how far the run has come."""

    G: nn.Module
    D: nn.Module
    ema: nn.Module
    g_optimizer: torch.optim.Optimizer
    d_optimizer: torch.optim.Optimizer
    noise: torch.Generator
    latent: int
    noise_transform: Callable[[Tensor], Tensor]  # from normal numbers to those of the run's noise
    compute: ComputeConfig
    step: int = 0  # iterations done: `d_steps` of D, `g_steps` of G
    images_seen: int = 0  # real pictures seen
    seconds: float = 0.0  # spent training
    distributed: DistributedContext = SINGLE_PROCESS
    lazy_penalty: Tensor | None = None  # the last one, for the curves

    def draw_z(self, count: int) -> Tensor:
        """(N, latent) numbers of the run's noise, from its own generator: this process's share of `count`."""
        normal = torch.randn(count, self.latent, generator=self.noise, device=self.compute.device)
        return self.noise_transform(normal[self.distributed.share])

    def to(self, compute: ComputeConfig) -> None:
        """Move a state that has made no step yet to `compute`; its noise begins anew there."""
        for net in (self.G, self.D, self.ema):
            compute.place(net)
        self.noise = torch.Generator(compute.device).manual_seed(self.noise.initial_seed())
        self.compute = compute

    def is_finite(self) -> bool:
        """Whether all weights and moments are finite numbers: others are worth no place on disk."""
        return self.first_nonfinite() is None

    def first_nonfinite(self) -> str | None:
        """By "kind/whose" the weights, buffers or moments of an optimiser that are not all finite, if any.

        Infinite moments leave the weights as they are, finite, for good: Adam divides by them. Buffers, the
        statistics of batch norm and the vectors of spectral norm, spoil each picture while the weights are
        finite.
        """
        nets = {"G": self.G, "D": self.D, "EMA": self.ema}
        parts = {f"weights/{name}": [p.detach() for p in net.parameters()] for name, net in nets.items()}
        for name, net in nets.items():
            parts[f"buffers/{name}"] = [buffer for buffer in net.buffers() if buffer.is_floating_point()]
        for name, optimizer in (("G", self.g_optimizer), ("D", self.d_optimizer)):
            parts[f"moments/{name}"] = [
                moment for moments in optimizer.state.values() for key, moment in moments.items()
                if key != "step" and torch.is_tensor(moment)
            ]  # fmt: skip
        return next((name for name, tensors in parts.items() if not _finite(tensors)), None)


def _finite(tensors: list[Tensor]) -> bool:
    """Whether all numbers are finite: by their norms, cheap, which large ones alone make infinite as well."""
    if not tensors or bool(torch.stack(torch._foreach_norm(tensors)).isfinite().all()):
        return True
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def build_state(config: TrainConfig, model: ModelConfig, compute: ComputeConfig) -> State:
    """A fresh state, the same for the same seed and `compute`, whatever torch's random numbers are.

    Those of the processor stay as they were.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, "weights", 1))  # spectral norm begins with global numbers
        G, D = build_pair(model, stream_seed(config.seed, "weights"), config.initialisation)
    ema = copy.deepcopy(G).eval().requires_grad_(False)
    G, D, ema = (compute.place(net) for net in (G, D, ema))
    return State(
        G=G, D=D, ema=ema,
        g_optimizer=_optimiser(G, config, config.lr_g),
        d_optimizer=_optimiser(D, config, config.lr_d, lazy_share(config)),
        noise=torch.Generator(compute.device).manual_seed(stream_seed(config.seed, "latents")),
        latent=model.latent,
        noise_transform=noise_transform(model.noise, model.code_classes, model.code_numbers), compute=compute,
    )  # fmt: skip


LR_SCHEDULES: dict[str, Callable[[float, float], float]] = {  # (progress 0 to 1, last share) -> share now
    "linear": lambda progress, last: 1.0 - (1.0 - last) * progress,
    "cosine": lambda progress, last: last + (1.0 - last) * (1.0 + math.cos(math.pi * progress)) / 2,
    "constant": lambda progress, last: 1.0,
    "dynamic": lambda progress, last: 1.0 - (1.0 - last) * progress,  # times `DiscriminatorLrController`'s
}


def set_learning_rates(state: State, config: TrainConfig, progress: float, d_share: float = 1.0) -> None:
    """Learning rates fall to `lr_end` of themselves at the end of the budget, as the schedule says; D's is
    `d_share` of that."""
    share = LR_SCHEDULES[config.schedule](min(1.0, progress), config.lr_end)
    d_rate = config.lr_d * lazy_share(config) * d_share
    for optimizer, rate in ((state.g_optimizer, config.lr_g), (state.d_optimizer, d_rate)):
        for group in optimizer.param_groups:
            group["lr"] = rate * share


EMA_REACH = 25.0  # by trials of 350 to 7,000 steps: see README, below its table of quality


def half_life(config: TrainConfig, images_seen: int, budget: float) -> float:
    """Pictures in which the EMA of the generator forgets half of what it was.

    `ema_rampup` of all `images_seen` by now, `ema_half_life` at most; where that is left empty,
    `EMA_REACH` times the square root of all pictures of the `budget`. A reach r leaves noise as 1 / r
    and lags behind by a share r / budget of the run: both weigh the same where r grows as the root of the
    budget.
    """
    limit = EMA_REACH * math.sqrt(budget) if config.ema_half_life is None else config.ema_half_life
    return min(config.ema_rampup * images_seen, limit)


def update_ema(ema: nn.Module, G: nn.Module, half_life: float, batch: int) -> None:
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


def lazy_share(config: TrainConfig) -> float:
    """k / (k + 1) where D takes one step more for each k, so that all of them together reach as far.

    Source: Karras et al. 2020, arXiv 1912.04958, appendix B: learning rate times it, betas to its power.
    """
    k = config.penalty_every
    return k / (k + 1) if k > 1 and in_force(config.penalty, config.penalty_weight) else 1.0


def _optimiser(net: nn.Module, config: TrainConfig, rate: float, share: float = 1.0) -> torch.optim.Optimizer:
    betas = (config.beta1**share, config.beta2**share) if share < 1 else (config.beta1, config.beta2)
    build = OPTIMISERS[config.optimiser].build
    return build(net.parameters(), rate * share, betas, config.weight_decay)
