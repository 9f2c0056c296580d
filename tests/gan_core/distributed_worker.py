"""One process of a run by two, as torchrun starts it: `test_distributed` says what it does."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from gan_core.config import TrainConfig, from_mapping
from gan_core.runs import RunWriter, create_run
from gan_core.runs.writer import NullRunWriter
from gan_core.training.distributed import SINGLE_PROCESS, DistributedContext, distributed_context
from gan_core.training.loop import _steps
from gan_core.training.session import Session, open_session

PLAIN = {"dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4, "latent": 8, "batch": 8, "steps": 6,
         "precision": "fp32", "memory_format": "contiguous", "threads": 1, "seed": 3, "dataset_limit": 50,
         "d_norm": "none", "g_norm": "none", "lr_g": 0.05, "lr_d": 0.05, "initialisation": "xavier",
         "optimiser": "sgd", "beta1": 0.5, "conditional": False}  # fmt: skip
CASES: dict[str, dict[str, object]] = {
    "plain": {},
    "labels": {"conditional": True},
    "r1": {"penalty": "r1", "penalty_weight": 2.0, "d_steps": 2},
    "lazy r1": {"penalty": "r1", "penalty_weight": 2.0, "penalty_every": 2, "conditional": True},
    "adam, relativistic, clipped": {"optimiser": "adam", "lr_g": 1e-3, "lr_d": 1e-3, "loss": "relativistic",
                                    "clip_norm": 0.1},
    "spectral norm": {"d_norm": "spectral"},
    "thermostats": {"augment": "translation", "ada_target": 0.6, "schedule": "dynamic"},
}  # fmt: skip


def settings(case: str) -> TrainConfig:
    """The settings of one case; SGD where nothing else is asked for: Adam would hide a gradient's size."""
    return from_mapping({**PLAIN, **CASES[case]})


def trained(case: str, root: Path, distributed: DistributedContext = SINGLE_PROCESS) -> Session:
    """A session after its last step."""
    config = settings(case)
    run = distributed.broadcast_object(lambda: create_run(root, config))
    session = open_session(
        config, (RunWriter if distributed.is_main else NullRunWriter)(run), False, distributed
    )
    for _ in _steps(session):
        pass
    return session


def weights(session: Session) -> dict[str, torch.Tensor]:
    """The weights of both networks and of the EMA, and what the controllers have come to."""
    nets = {"G": session.state.G, "D": session.state.D, "ema": session.state.ema}
    learned = {f"{name}.{key}": v for name, net in nets.items() for key, v in net.state_dict().items()}
    return learned | {
        name: torch.tensor(numbers) for name, numbers in session.controllers.state_dict().items()
    }


def main(root: Path) -> None:
    """Train all cases; `CASE.RANK.pt` holds what each process has in the end, `threads.RANK` the names of the
    threads that are left when the group is gone (where the system tells)."""
    with distributed_context() as distributed:
        for case in CASES:
            session = trained(case, root / "runs", distributed)
            torch.save([weights(session), torch.rand(4)], root / f"{case}.{distributed.rank}.pt")
    names = sorted(path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm"))
    (root / f"threads.{distributed.rank}").write_text("\n".join(names))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
