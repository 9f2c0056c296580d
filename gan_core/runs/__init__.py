"""A run is a directory: its layout, its one writer, and readers that need no torch."""

from gan_core.runs.branch import branch
from gan_core.runs.downsample import downsample
from gan_core.runs.layout import SCHEMA, RunPaths, create_run, find_run
from gan_core.runs.reader import ACTIVE, STATES, Status, list_runs, read_settings, read_status
from gan_core.runs.records import read_lines
from gan_core.runs.writer import NullRunWriter, RunWriter

__all__ = [
    "ACTIVE",
    "SCHEMA",
    "STATES",
    "NullRunWriter",
    "RunPaths",
    "RunWriter",
    "Status",
    "branch",
    "create_run",
    "downsample",
    "find_run",
    "list_runs",
    "read_lines",
    "read_settings",
    "read_status",
]  # fmt: skip
