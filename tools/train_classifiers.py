"""Train the classifiers that are shipped in weights/: a few minutes each on two CPU cores.

    python tools/train_classifiers.py mnist --epochs 12 [--data-root DIR]
    python tools/train_classifiers.py fashion-mnist --epochs 18

Only the training pictures are learned from; the test pictures are looked at once, at the end, for the
accuracy written into the file's header.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gan_core.data import Pictures, load
from gan_core.metrics.classifier import (
    SIDE,
    WEIGHTS,
    ClassifierNetwork,
    ClassifierShape,
    read_classifier,
    save_classifier,
)

BATCH = 256
LEARNING_RATE = 5e-3
WEIGHT_DECAY = 0.02
SHIFT = 2  # pixels
TURN = math.radians(10)
STRETCH = 0.1
MIRRORED = ("fashion-mnist", "cifar10")  # a mirrored shirt is a shirt; a mirrored 2 is nothing

log = logging.getLogger("classifiers")


def augment(pictures: Tensor, mirror: bool) -> Tensor:
    """Shift each picture by whole pixels, and turn and stretch every second one a little.

    pictures: (N, C, 32, 32), black is 0.
    """
    count = len(pictures)
    some = (torch.arange(count) % 2).float()
    angle = (torch.rand(count) * 2 - 1) * TURN * some
    scale = 1 + (torch.rand(2, count) * 2 - 1) * STRETCH * some
    flip = 1 - 2 * torch.randint(0, 2, (count,)).float() if mirror else torch.ones(count)
    shift = torch.randint(-SHIFT, SHIFT + 1, (2, count)) * (2 / SIDE)
    rows = [
        scale[0] * flip * angle.cos(),
        -angle.sin(),
        shift[0],
        flip * angle.sin(),
        scale[1] * angle.cos(),
        shift[1],
    ]
    transform = torch.stack(rows, dim=1).view(count, 2, 3)
    grid = functional.affine_grid(transform, list(pictures.shape), align_corners=False)  # (N, 32, 32, 2)
    return functional.grid_sample(pictures, grid, align_corners=False)


def train(pictures: Pictures, epochs: int, seed: int) -> tuple[ClassifierNetwork, ClassifierShape]:
    """A classifier of these pictures: AdamW, one cycle of the learning rate, cross-entropy."""
    torch.manual_seed(seed)
    images, labels = torch.from_numpy(np.array(pictures.images)), torch.from_numpy(np.array(pictures.labels))
    shape = ClassifierShape(channels=images.shape[1], classes=len(pictures.source.classes))
    network = ClassifierNetwork(shape).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    steps = len(images) // BATCH
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=epochs * steps)
    mirror = pictures.source.name in MIRRORED
    began = time.perf_counter()
    for epoch in range(epochs):
        total = torch.zeros(())
        for index in torch.randperm(len(images))[: steps * BATCH].view(steps, BATCH):
            batch = augment(images[index].float() / 255, mirror).to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(batch)[1]
            loss = functional.cross_entropy(logits.float(), labels[index])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            cycle.step()
            total += loss.detach()
        log.info(
            "epoch %d of %d: loss %.4f, %.0f s", epoch + 1, epochs, total / steps, time.perf_counter() - began
        )
    return network.eval(), shape


def main() -> None:
    """Train, test, save, and read back what was saved."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-root", default="")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    for name in options.datasets:
        network, shape = train(load(name, root=options.data_root), options.epochs, options.seed)
        test = load(name, split="test", root=options.data_root)
        path = options.out / f"classifier-{name}.safetensors"
        info = {
            "dataset": name,
            "classes": list(test.source.classes),
            "seed": options.seed,
            "epochs": options.epochs,
        }
        save_classifier(network, shape, info, path)
        accuracy = float((read_classifier(path)(test.images)[1].argmax(axis=1) == test.labels).mean())
        save_classifier(network, shape, {**info, "test_accuracy": round(accuracy, 4)}, path)
        log.info("%s: test accuracy %.2f %%, %d bytes", name, 100 * accuracy, path.stat().st_size)


if __name__ == "__main__":
    main()
