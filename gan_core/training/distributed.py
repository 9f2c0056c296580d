"""Several processes that train one run: each takes its share of every batch, all make the same step.

No wrapper around the networks: what is equal at the start and moves by equal gradients stays equal. The
first process alone writes, and decides whatever a clock, a file or a measurement decides; the others are
told. One process by itself does nothing of all this. Source of the scheme: Karras et al. 2021, the code of
StyleGAN3, which gave up DistributedDataParallel for it.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gan_core.errors import ConfigError, ProcessLost
from gan_core.seeds import stream_seed

PATIENCE = 300.0  # seconds that one process waits for the others: a machine may fall silent without a word
ORDERS = ("run", "pause", "stop", "diverged", "park")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DistributedContext:
    """The processes of a run: which of how many this one is, and how many share its machine.

    The methods from `broadcast_object` on are calls that all processes make together. Each raises
    `ProcessLost` when another one died or fell silent.
    """

    rank: int = 0
    world_size: int = 1
    local_world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the first process: the one that writes and decides."""
        return self.rank == 0

    @property
    def share(self) -> slice:
        """The rows of a whole batch that are this process's."""
        return slice(self.rank, None, self.world_size)

    def check(self, batch: int) -> None:
        """Whether a batch can be shared out evenly, as a mean of means must be, and with two for each.

        Raises:
            ConfigError: it cannot.
        """
        if batch % self.world_size or batch < 2 * self.world_size:
            near = max(2, round(batch / self.world_size)) * self.world_size
            raise ConfigError("batch-shared", field="batch", value=batch, count=self.world_size, near=near)

    def seed_rank(self, seed: int, step: int) -> None:
        """Chance of its own for each further process (dropout, augmentation), by seed, step and rank alone.

        A checkpoint then need not hold it. The first process keeps the chance of a run by itself.
        """
        if self.rank:
            torch.manual_seed(stream_seed(seed, "training", step, self.rank))

    def broadcast_object(self, decide: Callable[[], T]) -> T:
        """What `decide` gives in the first process; the others end silently where it fails there."""
        if self.world_size == 1:
            return decide()
        message: list[Any] = [None, None]
        try:
            if self.is_main:
                message = ["told", decide()]
        finally:  # an error here is said once, and nobody is left waiting
            with _together():
                dist.broadcast_object_list(message, src=0, device=torch.device("cpu"))
        if message[0] is None:
            sys.exit(2)
        return cast(T, message[1])

    def broadcast_control(self, order: str, seconds: float) -> tuple[str, float]:
        """The first process's order, one of `ORDERS`, and its clock."""
        if self.world_size == 1:
            return order, seconds
        numbers = torch.tensor([ORDERS.index(order), seconds], dtype=torch.float64)
        with _together():
            dist.broadcast(numbers, src=0)
        return ORDERS[int(numbers[0])], float(numbers[1])

    def broadcast_parameters(self, *nets: nn.Module) -> None:
        """Take over the first process's weights and buffers."""
        if self.world_size > 1:
            with _together(), torch.no_grad():
                for value in (v for net in nets for v in [*net.parameters(), *net.buffers()]):
                    dense = value.detach().contiguous()
                    dist.broadcast(dense, src=0)
                    value.copy_(dense)

    def average_gradients(self, net: nn.Module) -> None:
        """Replace the gradients of `net` by their mean over all processes, in one message."""
        grads = [p.grad for p in net.parameters() if p.grad is not None]
        if self.world_size > 1 and grads:
            means = self.mean(torch.cat([grad.reshape(-1) for grad in grads]))
            parts = torch.split(means, [grad.numel() for grad in grads])
            torch._foreach_copy_(grads, [part.view(grad.shape) for part, grad in zip(parts, grads)])

    def mean(self, values: Tensor) -> Tensor:
        """The mean of each entry over all processes; `values` itself in a process by itself."""
        if self.world_size == 1:
            return values
        total = values.detach().clone()
        with _together():
            dist.all_reduce(total)
        return total / self.world_size


SINGLE_PROCESS = DistributedContext()


@contextlib.contextmanager
def distributed_context() -> Iterator[DistributedContext]:
    """The context that torchrun, or whatever sets its variables, made; `SINGLE_PROCESS` without one.

    On GPUs gradients go by nccl, words by gloo; where processes share a GPU, which nccl refuses, all by gloo.

    Raises:
        ProcessLost: the others did not come.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield SINGLE_PROCESS
        return
    context = DistributedContext(int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    backend, gpus = "gloo", torch.cuda.device_count()
    if gpus:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % gpus)
        backend = "cpu:gloo,cuda:nccl" if context.local_world_size <= gpus else "gloo"
    # Optimisers import it; imported after the group is made it holds on to it (torch 2.14), and the group's
    # threads, not ended by `destroy_process_group`, now and then abort the process at its very end.
    importlib.import_module("torch._dynamo")
    with _together():
        dist.init_process_group(backend, timeout=datetime.timedelta(seconds=PATIENCE))
    yield context
    dist.destroy_process_group()  # after an error there is nobody to say goodbye to


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """One sentence in place of what the network says when a process is gone."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessLost("process-lost") from error
