"""A disk in a model: what of a folder is sure to survive a power cut, by what was waited for with fsync.

A file's contents are safe as they were when it was waited for last, a folder's names as they were when the
folder was. Of the rest a power cut leaves, at worst, either of two things: the names of before (`forgetful`),
or the new names with nothing in them (`hasty`), as file systems do that put names on the disk first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class LossyDisk:
    """Watches every fsync while it is in force."""

    contents: dict[int, bytes] = field(default_factory=dict)  # a file's number -> its bytes when waited for
    names: dict[int, dict[str, int]] = field(default_factory=dict)  # a folder's number -> its entries then
    kept: list[int] = field(default_factory=list)  # open for good: a number is not given to another file

    def watch(self, patch: pytest.MonkeyPatch, root: Path) -> None:
        """From now on; what is in `root` by now is safe."""
        fsync = os.fsync

        def recorded(descriptor: int) -> None:
            fsync(descriptor)
            self._note(descriptor)

        patch.setattr(os, "fsync", recorded)
        for path in [root, *root.rglob("*")]:
            descriptor = os.open(path, os.O_RDONLY)
            self._note(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in self.kept:
            os.close(descriptor)

    def forgetful(self, root: Path, image: Path) -> None:
        """What is left of `root`, as `image`, where only what was waited for is on the disk."""
        self._restore(root.stat().st_ino, image)

    def hasty(self, root: Path, image: Path) -> None:
        """The same where all names are on the disk, and of each file what was waited for last, or nothing."""
        image.mkdir()
        for path in root.iterdir():
            if path.is_dir():
                self.hasty(path, image / path.name)
            else:
                (image / path.name).write_bytes(self.contents.get(path.stat().st_ino, b""))

    def _note(self, descriptor: int) -> None:
        about: Any = os.fstat(descriptor)
        self.kept.append(os.dup(descriptor))
        place = Path(f"/proc/self/fd/{descriptor}").resolve()
        if place.is_dir():
            self.names[about.st_ino] = {one.name: one.stat().st_ino for one in place.iterdir()}
        else:
            self.contents[about.st_ino] = place.read_bytes()

    def _restore(self, number: int, image: Path) -> None:
        if number in self.names:
            image.mkdir()
            for name, inner in self.names[number].items():
                self._restore(inner, image / name)
        else:
            image.write_bytes(self.contents.get(number, b""))
