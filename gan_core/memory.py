"""How much memory a run will need, from its settings alone: nothing of that size is made.

One training iteration is taken, as the run will take it, by tensors that have a shape and no numbers (torch's
"meta" device). Each of their storages counts from when it is made until nothing holds it any more: weights,
gradients, activations kept for the way back, second derivatives of penalties, all in their turn. On top come
what the optimisers keep, the copies of the networks that the first seconds time the machine with, the data
set, and what Python and torch take by themselves.
"""

from __future__ import annotations

import copy
import weakref
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gan_core.config import ModelConfig, TrainConfig
from gan_core.data import DATASETS
from gan_core.latent import noise_transform
from gan_core.networks import bare_pair, fixed_model
from gan_core.networks.dcgan import apply_spectral_norm
from gan_core.sampling import CHUNK
from gan_core.training.batch_sampler import Batch
from gan_core.training.compute import ComputeConfig
from gan_core.training.controllers import Controllers, batch_at
from gan_core.training.iteration import train_iteration
from gan_core.training.objective import objective_of
from gan_core.training.setup import model_config
from gan_core.training.state import State

BASE = 735_000_000  # bytes of a worker that has imported everything and made one step: half are libraries
GAPS = 1.2  # what an allocator takes for each byte that it gives
GRID = 100  # pictures of a sample grid
NOWHERE = torch.device("meta")
MOMENTS = {"adam": 2, "adamw": 2, "rmsprop": 2, "sgd": 1}  # numbers that an optimiser keeps for each weight
IDLE = (  # settings that change no shape
    "data_root", "start_from", "seed", "lr_g", "lr_d", "beta1", "beta2", "schedule", "lr_end", "weight_decay",
    "ema_rampup", "ema_half_life", "log_every", "checkpoint_seconds", "checkpoint_steps", "disk_mb",
    "retries", "threads", "memory_format", "device", "d_steps", "g_steps", "steps", "images", "ada_images",
)  # fmt: skip
SHORT = 0.6  # of the activations in fp32, those in bf16 with all that stays in fp32


@dataclass(frozen=True, slots=True)
class Need:
    """The parts of an estimate, in bytes.

    weights: of both networks and of the EMA. gradients, moments: of both networks. iteration: the most that
    is held at once while one is taken, these three included. sampling: to draw pictures. data: the data set,
    mapped from its file, so that the system may take it back.
    """

    weights: int
    gradients: int
    moments: int
    iteration: int
    sampling: int
    data: int

    @property
    def state(self) -> int:
        """What is held between two iterations."""
        return self.weights + self.gradients + self.moments

    @property
    def peak(self) -> int:
        """The most at once. While the machine is timed a second state lives beside the first one's weights; a
        checkpoint is there three times over while it is written: laid out, as bytes, and as one file."""
        timing = self.iteration + self.state + self.weights
        saving = self.state + 3 * (self.weights + self.moments)
        return BASE + self.data + int(GAPS * max(timing, saving, self.state + self.sampling))


def estimate_memory(config: TrainConfig) -> int:
    """Bytes that a run with these settings will need at most, its process all in all.

    Measured peaks lie within a factor of 1.5 of it either way. It takes a tenth of a second, up to about one
    for networks of many layers, and is remembered for settings that differ in nothing that matters here.
    """
    plain = TrainConfig(steps=1)
    scores = {"score_seconds": plain.score_seconds if _scored(config) else 0.0, "seconds": None}
    return memory_need(replace(config, **{name: getattr(plain, name) for name in IDLE} | scores)).peak


@lru_cache(maxsize=256)
def memory_need(config: TrainConfig) -> Need:
    """`estimate_memory` by parts."""
    model = model_config(config)
    count = batch_at(config, 1.0)  # the largest
    tally = _Tally()
    with NOWHERE, tally:
        state = _state(config, model)
        nets = sum(_bytes(net) for net in (state.G, state.D))
        moments = MOMENTS[config.optimiser] * nets
        weights = tally.now
        objective, _ = objective_of(config)
        shapes: Any = _Shapes(model)
        once = replace(config, d_steps=1, g_steps=1)  # further steps need no more at once
        train_iteration(state, shapes, once, objective, Controllers(), count)
        iteration, kept = tally.peak + moments, weights + nets + moments
        sampling = _sampling(state, shapes, CHUNK if _scored(config) else GRID, tally)
    if config.precision == "bf16":
        iteration = int(kept + SHORT * (iteration - kept))
    return Need(weights, nets, moments, iteration, sampling, _data(config, model))


def _sampling(state: State, shapes: Any, count: int, tally: _Tally) -> int:
    """Bytes on top of the state while the EMA of the generator draws `count` pictures."""
    for net in (state.G, state.D):
        net.zero_grad()
    tally.peak = before = tally.now
    with torch.no_grad():
        state.ema(state.draw_z(count), shapes.batch(0, count).labels)
    return tally.peak - before


class _Tally(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all storages alive, and the most there ever were."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """One operation; nothing is drawn, and a generator belongs to a real device."""
        known = kwargs or {}
        out = func(*args, **(known | {"generator": None} if "generator" in known else known))
        for one in tree_leaves(out):
            if isinstance(one, Tensor):
                self._count(one.untyped_storage())
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._alive:
            self._alive.add(key)
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.now -= size


@dataclass(slots=True)
class _Still:
    """An optimiser that moves nothing: what it would keep is counted by hand."""

    parameters: list[nn.Parameter] = field(default_factory=list)

    def zero_grad(self, set_to_none: bool = True) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Shapes:
    """A `BatchSampler` of pictures that nobody can see."""

    model: ModelConfig

    def batch(self, position: int, count: int, share: slice = slice(None)) -> Batch:
        """`count` of them."""
        side = (self.model.channels, self.model.size, self.model.size)
        labels = torch.zeros(count, dtype=torch.int64) if self.model.classes else None
        return Batch(torch.empty(count, *side), labels)


def _state(config: TrainConfig, model: ModelConfig) -> State:
    """`build_state`, by tensors without numbers."""
    G, D = bare_pair(model)
    apply_spectral_norm(D, fixed_model(model), _divide)
    g_optimizer, d_optimizer = (_Still(list(net.parameters())) for net in (G, D))
    return State(
        G=G, D=D, ema=copy.deepcopy(G).eval().requires_grad_(False),
        g_optimizer=g_optimizer, d_optimizer=d_optimizer,  # type: ignore[arg-type]
        noise=torch.Generator(), latent=model.latent,
        noise_transform=noise_transform(model.noise, model.code_classes, model.code_numbers),
        compute=ComputeConfig(device="meta"),
    )  # fmt: skip


class _Divided(nn.Module):
    """What spectral norm holds: a weight and, beside it, the weight divided."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight / 2.0


def _divide(layer: nn.Module) -> object:
    """In place of spectral norm, whose first fifteen power iterations take longer than all else here."""
    return register_parametrization(layer, "weight", _Divided())


def _bytes(net: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in net.parameters())


def _scored(config: TrainConfig) -> bool:
    """Whether the run is long enough for a score."""
    return bool(config.score_seconds) and (config.seconds or float("inf")) > config.score_seconds


def _data(config: TrainConfig, model: ModelConfig) -> int:
    """Bytes of the prepared pictures, float32 where they are points."""
    source = DATASETS[config.dataset]
    count = min(source.count, config.dataset_limit or source.count)
    return count * model.channels * model.size**2 * (4 if source.kind == "points" else 1)
