"""The tutorial DCGAN, as a beginner copies it today: the baseline.

64 pixels, width 64, z of 100, binary cross-entropy on a sigmoid, Adam 2e-4 with betas (0.5, 0.999), fp32, a
DataLoader over pictures resized by torchvision, N(0, 0.02). Nothing is tuned and nothing is slowed down.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from gan_core.images import to_bytes

SIDE, Z, WIDTH, BATCH = 64, 100, 64, 128


def generator() -> nn.Sequential:
    """(N, 100, 1, 1) to (N, 1, 64, 64)."""
    widths = [8 * WIDTH, 4 * WIDTH, 2 * WIDTH, WIDTH]
    layers: list[nn.Module] = [nn.ConvTranspose2d(Z, widths[0], 4, 1, 0, bias=False)]
    for a, b in zip(widths, widths[1:]):
        layers += [nn.BatchNorm2d(a), nn.ReLU(True), nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False)]
    layers += [
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(True),
        nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1, bias=False),
        nn.Tanh(),
    ]
    return nn.Sequential(*layers)


def discriminator() -> nn.Sequential:
    """(N, 1, 64, 64) to (N, 1, 1, 1) in 0 to 1."""
    layers: list[nn.Module] = [nn.Conv2d(1, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    for k in (1, 2, 4):
        layers += [nn.Conv2d(k * WIDTH, 2 * k * WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * k * WIDTH),
                   nn.LeakyReLU(0.2, True)]  # fmt: skip
    return nn.Sequential(*layers, nn.Conv2d(8 * WIDTH, 1, 4, 1, 0, bias=False), nn.Sigmoid())


def _init(layer: nn.Module) -> None:
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)


def train(data_root: Path, checkpoints: tuple[float, ...]) -> Iterator[tuple[float, int, np.ndarray]]:
    """Train on MNIST; at each of `checkpoints` (seconds of training) yield (seconds, pictures seen, 10,000
    samples as uint8 (N, 1, 32, 32), see `samples`). Sampling does not count as training time."""
    torch.manual_seed(0)
    to_tensor = transforms.Compose([transforms.Resize(SIDE), transforms.ToTensor(),
                                    transforms.Normalize(0.5, 0.5)])  # fmt: skip
    loader = DataLoader(datasets.MNIST(data_root, transform=to_tensor), BATCH, shuffle=True, num_workers=2)
    G, D = generator().apply(_init), discriminator().apply(_init)
    g_adam, d_adam = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (G, D))
    bce, waiting = nn.BCELoss(), list(checkpoints)
    seconds, seen = 0.0, 0
    while waiting:
        begin = time.perf_counter()
        for real, _ in loader:
            ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
            fake = G(torch.randn(len(real), Z, 1, 1))
            d_adam.zero_grad()
            (bce(D(real).flatten(), ones) + bce(D(fake.detach()).flatten(), zeros)).backward()
            d_adam.step()
            g_adam.zero_grad()
            bce(D(fake).flatten(), ones).backward()
            g_adam.step()
            seen += len(real)
            now = seconds + time.perf_counter() - begin
            if now >= waiting[0]:
                waiting.pop(0)
                yield now, seen, samples(G)
                seconds, begin = now, time.perf_counter()
                if not waiting:
                    return
        seconds += time.perf_counter() - begin


def samples(G: nn.Module, count: int = 10_000) -> np.ndarray:
    """Pictures in eval mode, uint8 (count, 1, 32, 32): the classifier's own size, by averaging 2x2 pixels."""
    G.eval()
    parts = []
    with torch.inference_mode():
        for _ in range(count // 250):
            parts.append(to_bytes(F.avg_pool2d(G(torch.randn(250, Z, 1, 1)), 2)))
    G.train()
    return np.concatenate(parts)
