"""Where the time of a training step goes, on a processor.

What stands by itself in a step (data, optimisers, smoothing) is timed in place. Layers are timed by
themselves afterwards, forward and backward, on the very pictures they were given, because hooks on a backward
pass change what they measure and torch's profiler adds to every operation with a large result.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmarks.table import ceiling
from gan_core.training import iteration
from gan_core.training.session import Session

MATRIX = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
NORM = (nn.BatchNorm1d, nn.BatchNorm2d)


class Timer:
    """Seconds spent in the functions it is put around."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            begin = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - begin

        return timed


@dataclass(frozen=True)
class Call:
    """A layer as it was called: its input, whether that wanted a gradient, and whether its weights did."""

    layer: nn.Module
    given: Tensor
    passes_on: bool
    learns: bool

    def products(self) -> int:
        """Multiplications of numbers, forward and backward."""
        weight = self.layer.weight
        assert isinstance(weight, Tensor)
        places = 1
        if isinstance(self.layer, nn.Conv2d):
            with torch.no_grad():
                places = self.layer(self.given[:1].float())[0, 0].numel()
        elif isinstance(self.layer, nn.ConvTranspose2d):
            places = self.given[0, 0].numel()
        return len(self.given) * places * weight.numel() * (1 + self.passes_on + self.learns)


def profile(session: Session, step: Callable[[], object], count: int) -> dict[str, float]:
    """Seconds of a step and of its parts, medians of `count`; "products" is what the arithmetic of the
    layers would take at the speed of a large matrix product."""
    calls = seen(session, step)
    timers = {name: Timer() for name in ("data", "optimisers", "smoothing")}
    state = session.state
    places: tuple[tuple[str, Any, str], ...] = (
        ("data", session.batch_sampler, "batch"), ("smoothing", iteration, "update_ema"),
        ("optimisers", state.g_optimizer, "step"), ("optimisers", state.d_optimizer, "step"),
    )  # fmt: skip
    with ExitStack() as stack:
        for name, place, function in places:
            timed = timers[name].around(getattr(place, function))
            stack.enter_context(patch.object(place, function, timed))
        whole = statistics.median(_seconds(step) for _ in range(count))
    parts = {"whole step": whole}
    for name, kind in (("convolutions", MATRIX), ("norms", NORM), ("activations", (nn.ReLU, nn.LeakyReLU))):
        both = [alone(session, call, count) for call in calls if isinstance(call.layer, kind)]
        parts[f"{name} forward"] = sum(forward for forward, _ in both)
        parts[f"{name} backward"] = sum(backward for _, backward in both)
    parts |= {name: timer.seconds / count for name, timer in timers.items()}
    parts["rest"] = whole - sum(seconds for name, seconds in parts.items() if name != "whole step")
    form = torch.float32 if state.compute.precision == "fp32" else torch.bfloat16
    products = sum(call.products() for call in calls if isinstance(call.layer, MATRIX))
    return parts | {"products": 2 * products / (1e9 * ceiling(form))}


def seen(session: Session, step: Callable[[], object]) -> list[Call]:
    """The layers that a step calls, one entry a call."""
    calls: list[Call] = []

    def note(layer: nn.Module, given: tuple[Tensor, ...], out: object) -> None:
        learns = any(parameter.requires_grad for parameter in layer.parameters())
        calls.append(Call(layer, given[0].detach().clone(), given[0].requires_grad, learns))

    layers = [part for net in (session.state.G, session.state.D) for part in net.modules()
              if isinstance(part, (*MATRIX, *NORM, nn.ReLU, nn.LeakyReLU))]  # fmt: skip
    hooks = [layer.register_forward_hook(note) for layer in layers]
    step()
    for hook in hooks:
        hook.remove()
    return calls


def alone(session: Session, call: Call, count: int) -> tuple[float, float]:
    """Seconds of a layer forward and backward, medians of `count`."""
    weights = list(call.layer.parameters())
    forward, backward = [], []
    for _ in range(count):
        given = call.given.clone().requires_grad_(call.passes_on)
        call.layer.requires_grad_(call.learns)
        wanted = [given] * call.passes_on + weights * call.learns
        begin = time.perf_counter()
        with session.state.compute.autocast():
            out = call.layer(given)
        forward.append(time.perf_counter() - begin)
        slope = torch.ones_like(out)
        begin = time.perf_counter()
        if wanted:
            torch.autograd.grad(out, wanted, slope)
        backward.append(time.perf_counter() - begin)
    call.layer.requires_grad_(True)
    return statistics.median(forward), statistics.median(backward)


def _seconds(step: Callable[[], object]) -> float:
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin
