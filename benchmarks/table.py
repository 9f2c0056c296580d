"""A row of a results table, and how it is printed."""

from __future__ import annotations

import platform
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
    return (f"{cores} cores, {platform.machine()}, AVX512-BF16 {bf16}, Python {platform.python_version()}, "
            f"torch {torch.__version__}")  # fmt: skip


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | aim | measured |", "|---|---|---|"]
    return "\n".join(lines + [f"| {row.what} | {row.aim} | {row.result} |" for row in rows])


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Several seeds as "mean (least to most)"."""
    mean = sum(values) / len(values)
    return f"{mean:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
