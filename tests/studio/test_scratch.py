"""Scratch folders and half-made files of servers that were killed go at the next start; others' stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.scratch import LOCK, NEW, PREFIX, YOUNG, scratch_folder, sweep_parts

HOLD = """
import sys, time
from studio.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "picture.png").touch()
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary things."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_folder_is_there_and_then_not(temporary: Path) -> None:
    with scratch_folder() as folder:
        assert folder.parent == temporary and folder.name.startswith(PREFIX)
        (folder / "x").touch()
    assert not folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")
def test_that_of_a_killed_server_goes_and_that_of_a_living_one_stays(temporary: Path) -> None:
    servers = [subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True,
                                env={**os.environ, "TMPDIR": str(temporary)}) for _ in range(2)]  # fmt: skip
    folders = []
    for server in servers:
        assert server.stdout is not None
        folders.append(Path(server.stdout.readline().strip()))
        server.stdout.close()
        age(folders[-1] / LOCK, NEW + 1)
    foreign = temporary / f"{PREFIX}foreign"  # without a lock it may be anybody's
    foreign.mkdir()
    os.kill(servers[0].pid, signal.SIGKILL)
    servers[0].wait()
    try:
        with scratch_folder():
            assert not folders[0].exists()
            assert folders[1].joinpath("picture.png").exists() and foreign.exists()
    finally:
        servers[1].kill()
        servers[1].wait()


def test_half_made_files_go_once_nobody_can_be_making_them(tmp_path: Path) -> None:
    run = tmp_path / "20261121-010203-x"
    for folder in ("checkpoints", "samples"):
        (run / folder).mkdir(parents=True)
    old = [tmp_path / ".20261121-x.1.part", run / ".status.json.1.part", run / "samples" / ".a.1.part",
           run / "checkpoints" / ".step.1.part"]  # fmt: skip
    for path in old:
        path.mkdir()
        (path / "inside").touch()
        age(path, YOUNG + 60)
    kept = [run / ".status.json.2.part", run / "status.json", tmp_path / "a.part"]
    for path in kept:
        path.touch()
    for path in kept[1:]:
        age(path, YOUNG + 60)
    elsewhere = tmp_path.parent / "elsewhere"
    elsewhere.mkdir()
    (link := run / ".link.3.part").symlink_to(elsewhere)
    os.utime(link, (1, 1), follow_symlinks=False)
    (theirs := elsewhere / ".theirs.4.part").touch()
    age(theirs, YOUNG + 60)
    (tmp_path / "20261121-010204-y").mkdir()
    (tmp_path / "20261121-010204-y" / "samples").symlink_to(elsewhere)
    sweep_parts(tmp_path)
    assert theirs.exists(), "a folder is not swept through a link"
    assert not any(path.exists() for path in old) and not link.is_symlink()
    assert all(path.exists() for path in [*kept, elsewhere])
