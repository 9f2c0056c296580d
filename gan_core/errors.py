"""Everything gan_core raises on purpose.

    GanError                one clear sentence for a person; str(error) is that sentence
    ├── ConfigError         settings that cannot be used; `.problems` lists every one of them
    ├── DataError           a data set that is missing, unreadable or too small
    ├── WeightsError        a weights file that is not ours, truncated, or does not fit
    ├── RunError            a run directory that is missing, damaged, or from a newer version
    ├── JobError            a run that cannot be queued, paused, continued or stopped
    ├── TrainingDiverged    a loss or gradient stopped being a finite number
    └── ProcessLost         another process of the same run died or fell silent

A `GanError` is caught in two places only: the command line's `main` (exit code 2, one line) and the
studio's handler wrapper (a sentence on the page). Anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class GanError(Exception):
    """Base of all expected errors; the message says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting that cannot be used: its name, the value given, and a sentence about it."""

    field: str
    value: object
    message: str


class ConfigError(GanError):
    """One or more settings cannot be used."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problem.message for problem in problems))

    @classmethod
    def single(cls, field: str, value: object, message: str) -> ConfigError:
        """About one setting."""
        return cls([Problem(field, value, message)])


class DataError(GanError):
    """A data set is missing, unreadable or too small."""


class WeightsError(GanError):
    """A weights file is not ours, truncated, or does not fit the network."""


class RunError(GanError):
    """A run directory is missing, damaged, or written by a newer version."""


class JobError(GanError):
    """A run cannot be queued, paused, continued or stopped."""


class TrainingDiverged(GanError):
    """A loss or a gradient is no longer a finite number."""


class ProcessLost(GanError):
    """Another process of the same run died or fell silent."""
