"""Digits drawn here: no download, so that everything can be tried on a plane.

A few hand-made pen strokes for each digit are bent, drawn by Pillow with pens of many widths, and each
picture is one such drawing slanted, scaled, shifted and warped like handwriting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from gan_core.data.source import Arrays, DataSource

SIZE = 32
COUNTS = {"train": 20_000, "test": 4_000}
DRAWINGS = 30  # for each digit; every picture is a warp of one of them
CANVAS = 256  # side in pixels of a drawing
HEIGHT = 0.64  # of a digit, as a share of the canvas
BUMPS = 4  # along each side, whose mixture is the elastic warp
CHUNK = 500

# Way of writing -> strokes -> (x, y) passed through, y down, 1 high. A point given twice is a corner.
Stroke = list[tuple[float, float]]
PENS: dict[int, list[list[Stroke]]] = {
    0: [
        [[(0.36, 0), (0.11, 0.17), (0, 0.52), (0.1, 0.85), (0.32, 1), (0.55, 0.83), (0.64, 0.48),
          (0.56, 0.14), (0.36, 0)]],
        [[(0.46, 0.07), (0.3, 0), (0.1, 0.16), (0, 0.54), (0.11, 0.88), (0.33, 1), (0.56, 0.83),
          (0.63, 0.47), (0.55, 0.14), (0.38, 0.01), (0.3, 0.05)]],
    ],
    1: [
        [[(0.3, 0), (0.3, 0.5), (0.3, 1)]],
        [[(0.06, 0.25), (0.2, 0.14), (0.32, 0), (0.32, 0), (0.32, 0.5), (0.32, 1)]],
        [[(0.06, 0.25), (0.2, 0.14), (0.32, 0), (0.32, 0), (0.32, 0.5), (0.32, 1)], [(0.06, 1),
          (0.58, 1)]],
    ],
    2: [
        [[(0.03, 0.24), (0.12, 0.06), (0.33, 0), (0.54, 0.09), (0.58, 0.3), (0.43, 0.57), (0.2, 0.82),
          (0, 1), (0, 1), (0.3, 0.98), (0.66, 1)]],
        [[(0.04, 0.2), (0.18, 0.03), (0.4, 0.01), (0.57, 0.17), (0.52, 0.45), (0.3, 0.76), (0.1, 0.97),
          (0.01, 0.92), (0.09, 0.81), (0.28, 0.88), (0.47, 0.98), (0.68, 0.92)]],
    ],
    3: [
        [[(0.04, 0.14), (0.24, 0), (0.48, 0.05), (0.57, 0.23), (0.45, 0.41), (0.2, 0.47), (0.2, 0.47),
          (0.48, 0.53), (0.62, 0.74), (0.5, 0.94), (0.25, 1), (0, 0.88)]],
        [[(0.04, 0.02), (0.3, 0.02), (0.57, 0.02), (0.57, 0.02), (0.26, 0.4), (0.26, 0.4), (0.5, 0.46),
          (0.62, 0.7), (0.5, 0.93), (0.25, 1), (0.02, 0.88)]],
    ],
    4: [
        [[(0.44, 0), (0.22, 0.34), (0, 0.66), (0, 0.66), (0.34, 0.66), (0.68, 0.66)], [(0.44, 0),
          (0.45, 0.5), (0.45, 1)]],
        [[(0.1, 0.02), (0.05, 0.3), (0.02, 0.52), (0.02, 0.52), (0.3, 0.54), (0.6, 0.5)], [(0.57, 0),
          (0.53, 0.5), (0.49, 1)]],
    ],
    5: [
        [[(0.6, 0), (0.34, 0), (0.1, 0), (0.1, 0), (0.05, 0.43), (0.05, 0.43), (0.3, 0.37),
          (0.55, 0.47), (0.62, 0.69), (0.5, 0.92), (0.25, 1), (0, 0.9)]],
        [[(0.1, 0.03), (0.04, 0.44), (0.04, 0.44), (0.3, 0.37), (0.54, 0.47), (0.61, 0.69),
          (0.48, 0.92), (0.22, 1), (0, 0.9)], [(0.1, 0.03), (0.36, 0.05), (0.64, 0)]],
    ],
    6: [
        [[(0.5, 0), (0.24, 0.19), (0.06, 0.5), (0.03, 0.78), (0.17, 0.97), (0.4, 1), (0.59, 0.84),
          (0.55, 0.61), (0.34, 0.52), (0.13, 0.6), (0.03, 0.78)]],
        [[(0.3, 0), (0.11, 0.28), (0.02, 0.62), (0.06, 0.88), (0.26, 1), (0.5, 0.95), (0.6, 0.77),
          (0.5, 0.59), (0.3, 0.56), (0.1, 0.67), (0.04, 0.8)]],
    ],
    7: [
        [[(0, 0.03), (0.32, 0.04), (0.62, 0.02), (0.62, 0.02), (0.4, 0.46), (0.24, 1)]],
        [[(0, 0.03), (0.32, 0.04), (0.62, 0.02), (0.62, 0.02), (0.4, 0.46), (0.24, 1)], [(0.14, 0.5),
          (0.56, 0.48)]],
        [[(0, 0.18), (0.01, 0.02), (0.01, 0.02), (0.32, 0.04), (0.62, 0.02), (0.62, 0.02), (0.42, 0.46),
          (0.3, 1)]],
    ],
    8: [
        [[(0.53, 0.13), (0.33, 0), (0.11, 0.1), (0.13, 0.32), (0.34, 0.48), (0.56, 0.65), (0.58, 0.88),
          (0.32, 1), (0.06, 0.88), (0.1, 0.65), (0.33, 0.48), (0.53, 0.32), (0.53, 0.13)]],
        [[(0.32, 0), (0.11, 0.1), (0.11, 0.34), (0.32, 0.46), (0.53, 0.34), (0.53, 0.1), (0.32, 0)],
          [(0.32, 0.46), (0.06, 0.6), (0.05, 0.88), (0.32, 1), (0.59, 0.88), (0.58, 0.6),
          (0.32, 0.46)]],
    ],
    9: [
        [[(0.57, 0.2), (0.42, 0.02), (0.17, 0.03), (0.02, 0.23), (0.12, 0.45), (0.34, 0.48),
          (0.52, 0.34), (0.58, 0.14)], [(0.58, 0.14), (0.56, 0.5), (0.48, 1)]],
        [[(0.57, 0.22), (0.42, 0.02), (0.17, 0.03), (0.02, 0.24), (0.13, 0.46), (0.37, 0.47),
          (0.57, 0.22), (0.6, 0.48), (0.53, 0.8), (0.33, 1), (0.08, 0.93)]],
    ],
}  # fmt: skip


def read(folder: Path, split: str) -> Arrays:
    """The pictures of `split`, uint8 (N, 32, 32, 1), white on black, and their digits, int64 (N,).

    Always the same for a split; every digit equally often. `folder` is not looked at.
    """
    return make(COUNTS[split], seed=list(COUNTS).index(split))


def make(count: int, seed: int) -> Arrays:
    """`count` pictures, uint8 (count, 32, 32, 1), and digits, int64 (count,), in random order."""
    random = np.random.default_rng(seed)
    ways = {digit: [[_curve(stroke) for stroke in way] for way in PENS[digit]] for digit in PENS}
    drawings = np.stack([_draw(ways[digit], random) for digit in sorted(ways) for _ in range(DRAWINGS)])
    labels = random.permutation(np.arange(count, dtype=np.int64) % 10)  # (count,)
    choice = labels * DRAWINGS + random.integers(DRAWINGS, size=count)  # (count,)
    warps, across = _handwriting(count, random), _across()
    images = np.empty((count, SIZE, SIZE, 1), np.uint8)
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        places = across.T @ (warps[part] @ across)  # (n, 2, 32, 32): x and y to look at for each pixel
        x, y = np.clip(places, 0, CANVAS - 1).astype(np.int64).swapaxes(0, 1)
        pixels = x + CANVAS * (y + CANVAS * choice[part, None, None])  # (n, 32, 32)
        images[part, :, :, 0] = drawings.reshape(-1)[pixels]
    return images, labels


def _draw(ways: list[list[Any]], random: np.random.Generator) -> Any:
    """A digit written in one of `ways`, bent a little, with a pen of random width: uint8 (256, 256)."""
    curves = ways[random.integers(len(ways))]
    points = np.concatenate(curves)
    middle = (points.min(0) + points.max(0)) / 2
    bend = random.normal(0, 0.22, (3, 2))
    pen = int(random.integers(15, 29))
    canvas = Image.new("L", (CANVAS, CANVAS))
    ink = ImageDraw.Draw(canvas)
    for curve in curves:
        x, y = (curve - middle).T
        bent = np.stack([x, y], 1) + np.stack([x * x, x * y, y * y], 1) @ bend  # (points, 2)
        path = [(u, v) for u, v in (CANVAS * (0.5 + HEIGHT * bent)).tolist()]
        ink.line(path, fill=255, width=pen, joint="curve")
        for u, v in (path[0], path[-1]):  # round ends
            ink.ellipse((u - pen / 2, v - pen / 2, u + pen / 2, v + pen / 2), fill=255)
    return np.asarray(canvas.filter(ImageFilter.BoxBlur(CANVAS / SIZE / 2 - 0.5)))  # a pixel's share of ink


def _curve(stroke: Stroke) -> Any:
    """A smooth line through the points of `stroke` (Catmull and Rom 1974), float (points, 2)."""
    p = np.array(stroke)
    closed = bool((p[0] == p[-1]).all())
    before, after = (p[-2], p[1]) if closed else (2 * p[0] - p[1], 2 * p[-1] - p[-2])
    p = np.concatenate([before[None], p, after[None]])
    t = np.linspace(0, 1, 6)[:, None]
    spans = [
        b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True)
        if (b != c).any()
    ]
    return np.concatenate([spans[0][:1], *(span[1:] for span in spans)])


def _handwriting(count: int, random: np.random.Generator) -> Any:
    """Random slant, turn, scale, shift and elastic warp, float32 (count, 2, 6, 6).

    Entry [n, :, i, j] is what function i of the row times function j of the column (see `_across`) adds
    to the x and the y that picture n looks at.
    """
    slant = random.normal(0.1, 0.16, count)
    turn = random.normal(0, 0.07, count)
    scale = random.uniform(0.84, 1.16, (count, 2)) * [0.95, 1.0]
    cos, sin = np.cos(turn), np.sin(turn)
    warps = np.zeros((count, 2, 2 + BUMPS, 2 + BUMPS))
    warps[:, :, 0, 0] = random.normal(1, 0.035, (count, 2))  # 1: the middle of the drawing
    warps[:, :, 0, 1] = np.stack([cos + slant * sin, sin], 1) / scale
    warps[:, :, 1, 0] = np.stack([slant * cos - sin, cos], 1) / scale
    warps[:, :, 2:, 2:] = random.normal(0, 0.055, (count, 2, BUMPS, BUMPS))
    return (warps * CANVAS / 2).astype(np.float32)


def _across() -> Any:
    """Functions of a pixel's place in its row or column: 1, itself (-1 to 1), and four bumps, (6, 32)."""
    place = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    bumps = [np.exp(-(((place - middle) / 0.5) ** 2)) for middle in np.linspace(-0.75, 0.75, BUMPS)]
    return np.array([np.ones(SIZE), place, *bumps], np.float32)


SOURCE = DataSource(
    name="glyphs",
    title="Drawn digits",
    channels=1,
    native_size=SIZE,
    count=COUNTS["train"],
    classes=tuple("0123456789"),
    licence="made by this program; no restrictions",
    origin="drawn on this machine",
    summary="20,000 digits drawn here with a wobbly pen: nothing to download.",
    downloads=False,
    read=read,
    recipe="1",
    classifier_of="mnist",
)
