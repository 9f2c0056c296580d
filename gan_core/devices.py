"""Where this machine can compute."""

from __future__ import annotations

import torch

from gan_core.errors import ConfigError


def devices() -> dict[str, bool]:
    """Every kind of device, and whether this machine has one."""
    return {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}


def choose_device(asked: str) -> str:
    """The device asked for; `auto` is a CUDA GPU where there is one, else the processor.

    Raises:
        ConfigError: this machine has none of the kind asked for.
    """
    here = devices()
    if asked == "auto":
        return "cuda" if here["cuda"] else "cpu"
    if not here[asked]:
        there = [name for name in here if here[name]]
        raise ConfigError("device-missing", field="device", device=asked, known=there)
    return asked
