"""The loop as tutorials write it: the baseline for the speed of ours, with the same mathematics.

The same networks, game, optimiser and smoothing, in float32 and torch's own layout and settings: a DataLoader
that changes picture by picture, the generator run once for D and once for G, D's gradients made and thrown
away in G's step, Adam and the average as plain loops over the weights, two `.item()` a step. Nothing is
slowed down on purpose.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from gan_core.config import ModelConfig, TrainConfig
from gan_core.data import Pictures
from gan_core.losses import LOSSES
from gan_core.networks import build_pair
from gan_core.seeds import stream_seed


class Folder(Dataset[tuple[Tensor, int]]):
    """Pictures with the transform of the tutorials, one at a time."""

    def __init__(self, pictures: Pictures) -> None:
        self.images = np.array(pictures.images.transpose(0, 2, 3, 1), order="C")  # (N, H, W, C)
        self.labels = pictures.labels.tolist()
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


class PlainLoop:
    """A run of the plain loop; `step()` makes one update of D and one of G and returns both losses.

    order: which pictures come when; shuffled anew each epoch when not given.
    """

    def __init__(
        self, config: TrainConfig, model: ModelConfig, pictures: Pictures, device: str = "cpu",
        order: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        if config.optimiser != "adam" or config.penalty != "none" or config.d_steps != 1:
            raise ValueError("the plain loop knows Adam, no penalty and one step each")
        self.config, self.device, self.latent = config, device, model.latent
        self.loss, self.images = LOSSES[config.loss], 0
        torch.manual_seed(stream_seed(config.seed, "weights", 1))  # of spectral norm, as in a run of ours
        G, D = build_pair(model, stream_seed(config.seed, "weights"), config.initialisation)
        self.G, self.D = G.to(device), D.to(device)
        self.ema = copy.deepcopy(self.G).eval()
        betas = (config.beta1, config.beta2)
        self.g_adam = torch.optim.Adam(self.G.parameters(), lr=config.lr_g, betas=betas)
        self.d_adam = torch.optim.Adam(self.D.parameters(), lr=config.lr_d, betas=betas)
        self.noise = torch.Generator(device).manual_seed(stream_seed(config.seed, "latents"))
        chosen: dict[str, Any] = {"shuffle": True} if order is None else {"sampler": order}
        self.loader = DataLoader(Folder(pictures), config.batch, drop_last=True, **chosen)
        self.batches = chain.from_iterable(repeat(self.loader))

    def step(self) -> tuple[float, float]:
        """One update of both: (D's loss, G's loss)."""
        real, labels = (part.to(self.device) for part in next(self.batches))
        given = labels if self.config.conditional else None
        z = torch.randn(len(real), self.latent, generator=self.noise, device=self.device)

        self.d_adam.zero_grad()
        fake = self.G(z, given).detach()
        on_real, on_fake = self.D(real, given), self.D(fake, given)
        d_loss = self.loss.d(on_real.logits, on_fake.logits) + self._class_loss(on_real.classes, labels)
        d_loss.backward()
        self.d_adam.step()

        self.g_adam.zero_grad()
        on_fake = self.D(self.G(z, given), given)
        real_logits = self.D(real, given).logits.detach() if self.loss.g_compares else on_fake.logits
        g_loss = self.loss.g(real_logits, on_fake.logits) + self._class_loss(on_fake.classes, labels)
        g_loss.backward()
        self.g_adam.step()

        self.images += len(real)
        self._update_ema(len(real))
        return d_loss.item(), g_loss.item()

    def _class_loss(self, classes: Tensor | None, labels: Tensor) -> Tensor | float:
        if classes is None or self.config.class_weight == 0:
            return 0.0
        return self.config.class_weight * F.cross_entropy(classes, labels)

    def _update_ema(self, batch: int) -> None:
        half_life = min(self.config.ema_rampup * self.images, self.config.ema_half_life or math.inf)
        kept = 0.5 ** (batch / half_life) if half_life > 0 else 0.0
        for old, new in zip(_numbers(self.ema), _numbers(self.G)):
            old.mul_(kept).add_(new, alpha=1 - kept)


def _numbers(net: nn.Module) -> list[Tensor]:
    return [value.data for value in [*net.parameters(), *net.buffers()] if value.is_floating_point()]
