"""Pictures between bytes, numbers and files.

Bytes are uint8 (N, C, H, W), C 1 or 3; numbers are float32 tensors of the same shape in [-1, 1]. Points are
pictures of one pixel with two channels, x and y.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

PLOT = 256  # side in pixels of a scatter plot
DOTS = 2000  # points in it: enough to see a cloud


def to_unit(pictures: np.ndarray | Tensor) -> Tensor:
    """uint8 (N, C, H, W) to float32 in [-1, 1]: 0 becomes -1, 255 becomes 1; float32 stays as it is."""
    points = pictures.dtype in (np.float32, torch.float32)
    if isinstance(pictures, np.ndarray):  # copied: torch warns of arrays that it may not write to
        pictures = torch.from_numpy(pictures.astype(np.float32))
    return pictures if points else pictures.float() / 127.5 - 1.0


def to_bytes(pictures: Tensor) -> np.ndarray:
    """Numbers in [-1, 1] (N, C, H, W) to uint8 of the same shape, rounded and clipped."""
    array: np.ndarray = ((pictures.float() + 1.0) * 127.5).round().clamp(0, 255).byte().cpu().numpy()
    return array


def preview(samples: np.ndarray, kind: str, columns: int) -> Image.Image:
    """Samples of a data kind as one picture: pictures as a grid, points as a scatter plot."""
    return to_plot(samples) if kind == "points" else to_grid(samples, columns)


def to_grid(pictures: np.ndarray, columns: int, pad: int = 0) -> Image.Image:
    """uint8 (N, C, H, W) as one picture, row by row, `pad` black pixels between; L for C = 1, RGB for 3.

    Two channels are red and green.

    Raises:
        ValueError: no pictures, or columns < 1.
    """
    count, channels, height, width = pictures.shape
    if count == 0 or columns < 1:
        raise ValueError("a grid needs at least one picture and one column")
    rows = -(-count // columns)
    depth = 1 if channels == 1 else 3
    sheet = np.zeros((rows * (height + pad) - pad, columns * (width + pad) - pad, depth), np.uint8)
    for index, picture in enumerate(pictures):
        top, left = (index // columns) * (height + pad), (index % columns) * (width + pad)
        sheet[top : top + height, left : left + width, :channels] = picture.transpose(1, 2, 0)
    return Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet)


def to_plot(points: np.ndarray | Tensor) -> Image.Image:
    """Points (N, 2, 1, 1), float32 in [-1, 1] or bytes, as dots on black: x to the right, y upwards, each dot
    two pixels wide and brighter where many fall."""
    x, y = to_unit(points).reshape(-1, 2).clamp(-1, 1).cpu().numpy().T
    column, row = ((PLOT - 2) * (x + 1) / 2).astype(int), ((PLOT - 2) * (1 - y) / 2).astype(int)
    hits = np.zeros((PLOT, PLOT))
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        np.add.at(hits, (row + down, column + right), 1)
    return Image.fromarray(np.where(hits > 0, 135 + 30 * hits, 0).clip(0, 255).astype(np.uint8))


def webp(picture: Image.Image) -> bytes:
    """The picture as lossless WebP."""
    return _encoded(picture, format="WEBP", lossless=True, quality=20, method=1)


def png(picture: Image.Image) -> bytes:
    """The picture as PNG."""
    return _encoded(picture, format="PNG")


def _encoded(picture: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()
