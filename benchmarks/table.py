"""A row of a results table, and how it is printed."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Row:
    """What was measured, what was aimed at, what came out."""

    what: str
    aim: str
    result: str


def machine() -> str:
    """One line on where this was measured."""
    cores = torch.get_num_threads()
    bf16 = torch.cpu._is_avx512_bf16_supported() if hasattr(torch.cpu, "_is_avx512_bf16_supported") else "?"
    fp32, half = (ceiling(dtype) for dtype in (torch.float32, torch.bfloat16))
    return (f"{cores} cores, {platform.machine()}, AVX512-BF16 {bf16}, a matrix product reaches {fp32:.0f} "
            f"(fp32) and {half:.0f} (bf16) GFLOP/s, Python {platform.python_version()}, "
            f"torch {torch.__version__}")  # fmt: skip


def ceiling(dtype: torch.dtype, side: int = 1024) -> float:
    """GFLOP/s of the best of ten products of two square matrices."""
    a, b = torch.randn(2, side, side).to(dtype)
    seconds = []
    for _ in range(10):
        begin = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - begin)
    return float(2 * side**3 / min(seconds) / 1e9)


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | aim | measured |", "|---|---|---|"]
    return "\n".join(lines + [f"| {row.what} | {row.aim} | {row.result} |" for row in rows])


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Several seeds as "mean (least to most)"."""
    mean = sum(values) / len(values)
    return f"{mean:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
