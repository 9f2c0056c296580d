"""How a run is: what its status.json says, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from gan_core.messages import Message, render

STATES = ("queued", "running", "paused", "finished", "stopped", "failed")
ACTIVE = frozenset({"queued", "running", "paused"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a run is; times are unix seconds, `seconds` is time spent training."""

    id: str
    state: str
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0
    budget: dict[str, float | None] = field(default_factory=dict)  # seconds, steps, images
    pid: int = 0
    born: str = ""
    host: str = ""
    heartbeat: float = 0.0
    created: float = 0.0
    messages: tuple[Message, ...] = ()  # why it failed or was stopped
    preset: str = ""
    dataset: str = ""
    grid_step: int | None = None
    rewinds: int = 0  # how often it went back to a checkpoint and lost what came after

    @property
    def parked(self) -> bool:
        """Whether it is paused and no process keeps it: its last checkpoint does."""
        return self.state == "paused" and self.pid == 0

    @property
    def idle(self) -> bool:
        """Whether it is active and no process keeps it: its turn has yet to come, or it is parked."""
        return self.state == "queued" or self.parked

    @property
    def message(self) -> str:
        """`messages` in English."""
        return render(self.messages)

    @property
    def progress(self) -> float | None:
        """Share of the budget used, 0 to 1; None without a budget."""
        if self.state == "finished":
            return 1.0
        shares = [done / limit for done, limit in self._used() if limit]
        return min(1.0, max(shares)) if shares else None

    @property
    def remaining(self) -> float | None:
        """Seconds of training left at the present pace; None when over or not yet known."""
        if self.state not in ACTIVE:
            return None
        shares = [(limit - done) * self.seconds / done for done, limit in self._used() if limit and done]
        return max(0.0, min(shares)) if shares else self.budget.get("seconds")

    def _used(self) -> list[tuple[float, float | None]]:
        done = {"seconds": self.seconds, "steps": self.step, "images": self.images}
        return [(done[name], self.budget.get(name)) for name in done]
