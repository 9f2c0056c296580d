"""Fixtures of the library's tests."""

from jobs_tools import open_jobs

__all__ = ["open_jobs"]
