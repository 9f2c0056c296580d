"""Pictures between bytes, numbers and files.

Bytes are uint8 (N, C, H, W), C 1 or 3; numbers are float32 tensors of the same shape in [-1, 1].
"""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_unit(pictures: np.ndarray | Tensor) -> Tensor:
    """uint8 (N, C, H, W) to float32 in [-1, 1]: 0 becomes -1, 255 becomes 1."""
    if isinstance(pictures, np.ndarray):  # copied: torch warns of arrays that it may not write to
        pictures = torch.from_numpy(pictures.astype(np.float32))
    return pictures.float() / 127.5 - 1.0


def to_bytes(pictures: Tensor) -> np.ndarray:
    """Numbers in [-1, 1] (N, C, H, W) to uint8 of the same shape, rounded and clipped."""
    array: np.ndarray = ((pictures.float() + 1.0) * 127.5).round().clamp(0, 255).byte().cpu().numpy()
    return array


def to_grid(pictures: np.ndarray, columns: int, pad: int = 0) -> Image.Image:
    """uint8 (N, C, H, W) as one picture, row by row, `pad` black pixels between; L for C = 1, RGB for 3.

    Raises:
        ValueError: no pictures, or columns < 1.
    """
    count, channels, height, width = pictures.shape
    if count == 0 or columns < 1:
        raise ValueError("a grid needs at least one picture and one column")
    rows = -(-count // columns)
    sheet = np.zeros((rows * (height + pad) - pad, columns * (width + pad) - pad, channels), np.uint8)
    for index, picture in enumerate(pictures):
        top, left = (index // columns) * (height + pad), (index % columns) * (width + pad)
        sheet[top : top + height, left : left + width] = picture.transpose(1, 2, 0)
    return Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet)


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
