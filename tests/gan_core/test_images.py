"""Bytes, numbers, grids and files of pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core.images import png, to_bytes, to_grid, to_unit, webp

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)


def test_bytes_to_numbers_and_back() -> None:
    unit = to_unit(EVERY_BYTE)
    assert unit.dtype == torch.float32
    assert (unit.min(), unit.max()) == (-1, 1)
    assert unit.flatten()[51] == pytest.approx(51 / 127.5 - 1)
    assert (to_bytes(unit) == EVERY_BYTE).all()
    assert (to_unit(torch.from_numpy(EVERY_BYTE.copy())) == unit).all()


def test_read_only_maps_become_numbers_without_a_warning() -> None:
    frozen = EVERY_BYTE.copy()
    frozen.setflags(write=False)
    assert to_unit(frozen).shape == (1, 1, 16, 16)


def test_numbers_outside_the_range_are_clipped_and_rounded() -> None:
    numbers = torch.tensor([-9.0, -1.0, 0.0, 0.004, 1.0, 9.0])
    assert to_bytes(numbers).tolist() == [0, 0, 128, 128, 255, 255]
    assert to_bytes(torch.tensor([1.0], dtype=torch.bfloat16)).tolist() == [255]
    assert to_bytes(torch.zeros(1, requires_grad=True)).tolist() == [128]


@pytest.mark.parametrize("channels, mode", [(1, "L"), (3, "RGB")])
def test_a_grid_goes_row_by_row(channels: int, mode: str) -> None:
    pictures = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones((1, channels, 4, 6), np.uint8)
    pictures[:, 0, 0, 0] += 100  # the top left corner of each, in its first channel
    grid = to_grid(pictures, columns=3, pad=1)
    assert (grid.mode, grid.size) == (mode, (3 * 7 - 1, 2 * 5 - 1))
    sheet = np.asarray(grid).reshape(9, 20, channels)
    assert [[int(sheet[y + 1, x + 1, -1]) for x in (0, 7, 14)] for y in (0, 5)] == [[1, 2, 3], [4, 5, 0]]
    assert sheet[5, 7, 0] == 105
    assert sheet[4].max() == 0 and sheet[:, 6].max() == 0


def test_no_pictures_no_grid() -> None:
    with pytest.raises(ValueError, match="at least one"):
        to_grid(np.zeros((0, 1, 4, 4), np.uint8), 2)
    with pytest.raises(ValueError, match="one column"):
        to_grid(np.zeros((1, 1, 4, 4), np.uint8), 0)


@pytest.mark.parametrize("encode", [webp, png])
@pytest.mark.parametrize("channels", [1, 3])
def test_files_lose_nothing(encode: object, channels: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, channels, 8, 8), np.uint8)
    grid = to_grid(pictures, 2)
    data = encode(grid)  # type: ignore[operator]
    opened = Image.open(io.BytesIO(data))
    assert opened.format == ("WEBP" if encode is webp else "PNG")
    assert (np.asarray(opened.convert(grid.mode)) == np.asarray(grid)).all()
