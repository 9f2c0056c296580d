"""Everything gan_core raises on purpose.

    GanError                what is wrong, as `messages`; str(error) is their English
    ├── ConfigError         settings that cannot be used; `.problems` is a message for every one of them
    ├── DataError           a data set that is missing, unreadable or too small
    ├── WeightsError        a weights file that is not ours, truncated, or does not fit
    ├── RunError            a run directory that is missing, damaged, or from a newer version
    ├── JobError            a run that cannot be queued, paused, continued or stopped
    ├── TrainingDiverged    a loss, gradient, weight or moment is no longer finite
    └── ProcessLost         another process of the same run died or fell silent

A `GanError` is caught in two places only: the command line's `main` (exit code 2, one line) and the
studio's handler wrapper (a sentence on the page). Anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gan_core.messages import Message, render


class GanError(Exception):
    """Base of all expected errors: `raise DataError("data-empty", title=..., folder=...)`.

    messages: what is wrong and what to do, a code and its values each; `further` ones follow the first.
    """

    def __init__(self, code: str, /, *further: Message, **values: object) -> None:
        super().__init__(code)
        self.messages = (Message(code, **values), *further)

    @classmethod
    def of(cls, messages: Iterable[Message]) -> GanError:
        """An error of this kind that says `messages`, at least one."""
        first, *further = messages
        return cls(first.code, *further, **first.values)

    @property
    def code(self) -> str:
        """The code of the first message."""
        return self.messages[0].code

    @property
    def values(self) -> Mapping[str, Any]:
        """The values of the first message."""
        return self.messages[0].values

    def __str__(self) -> str:
        return render(self.messages)


class ConfigError(GanError):
    """One or more settings cannot be used; each message names its setting as `field`."""

    @property
    def problems(self) -> tuple[Message, ...]:
        """What is wrong, setting by setting."""
        return self.messages


class DataError(GanError):
    """A data set is missing, unreadable or too small."""


class WeightsError(GanError):
    """A weights file is not ours, truncated, or does not fit the network."""


class RunError(GanError):
    """A run directory is missing, damaged, or written by a newer version."""


class JobError(GanError):
    """A run cannot be queued, paused, continued or stopped."""


class TrainingDiverged(GanError):
    """A number of the training (a curve, a weight, a moment) is no longer finite."""


class ProcessLost(GanError):
    """Another process of the same run died or fell silent."""
