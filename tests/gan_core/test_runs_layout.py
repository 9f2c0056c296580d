"""Run directories: their names, and that no name leads out of the folder of runs."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from gan_core.config import TrainConfig
from gan_core.errors import RunError
from gan_core.runs import create_run, find_run, list_runs, read_settings, read_status
from gan_core.runs.branch import rewrite_settings
from gan_core.runs.layout import run_paths
from gan_core.runs.reader import read_owner

CONFIG = TrainConfig(dataset="glyphs", steps=100, seed=7)


def test_a_new_run_is_complete_and_named_by_time_data_and_preset(tmp_path: Path) -> None:
    run = create_run(tmp_path / "runs", CONFIG, "digits")
    assert re.fullmatch(r"\d{8}-\d{6}-glyphs-digits-[0-9a-f]{4}", run.id)
    assert read_settings(run) == ("digits", CONFIG)
    status = read_status(run)
    assert (status.state, status.step, status.preset, status.dataset) == ("running", 0, "digits", "glyphs")
    assert status.pid == os.getpid() and abs(status.heartbeat - time.time()) < 5
    assert status.budget == {"seconds": None, "steps": 100, "images": None}
    assert sorted(p.name for p in run.path.iterdir()) == [
        "checkpoints",
        "config.json",
        "samples",
        "status.json",
    ]


def test_a_queued_run_belongs_to_no_process(tmp_path: Path) -> None:
    status = read_status(create_run(tmp_path, CONFIG, state="queued"))
    assert (status.state, status.pid, status.heartbeat) == ("queued", 0, 0.0)


def test_a_run_knows_whose_it_is_and_one_without_an_owner_is_nobody_s(tmp_path: Path) -> None:
    mine, nobodys = create_run(tmp_path, CONFIG, owner="a-mark"), create_run(tmp_path, CONFIG)
    assert (read_owner(mine), read_owner(nobodys)) == ("a-mark", "")
    rewrite_settings(mine, CONFIG)
    assert read_owner(mine) == "a-mark"
    mine.config.write_text('{"schema": 1, "owner": 7}')
    nobodys.config.write_text("half of i")
    assert (read_owner(mine), read_owner(nobodys)) == ("", "")


def test_strange_words_stay_out_of_the_name(tmp_path: Path) -> None:
    run = create_run(tmp_path, TrainConfig(dataset="../../etc/../My Folder", steps=1), "a/b\\c:é")
    assert run.path.parent == tmp_path
    assert re.fullmatch(r"\d{8}-\d{6}-etc-my-folder-a-b-c-[0-9a-f]{4}", run.id)


def test_many_runs_in_one_second_do_not_meet(tmp_path: Path) -> None:
    assert len({create_run(tmp_path, CONFIG).id for _ in range(40)}) == 40 == len(list_runs(tmp_path))


def test_find_run_says_what_else_there_is(tmp_path: Path) -> None:
    run = create_run(tmp_path, CONFIG, "digits")
    assert find_run(tmp_path, run.id) == run
    with pytest.raises(RunError, match=f"no run named.*Did you mean {run.id}"):
        find_run(tmp_path, run.id[:-1])


@pytest.mark.parametrize(
    "id",
    ["", ".", "..", "../outside", "x/../../outside", "/etc", "..\\outside", "C:\\x", "C:x", "a\0b", "a\nb",
     "-rf", ".hidden", "outside.", "~", "a" * 400, "é", "a b", "x:stream"],
)  # fmt: skip
def test_no_name_leads_out_of_the_folder(tmp_path: Path, id: str) -> None:
    root = tmp_path / "runs"
    outside = create_run(tmp_path, CONFIG)
    outside.path.rename(tmp_path / "outside")
    create_run(root, CONFIG)
    with pytest.raises(RunError, match="There is no run named") as caught:
        find_run(root, id)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("id", [None, 3, ["a"], {"a": 1}])
def test_what_is_no_text_is_no_name(tmp_path: Path, id: object) -> None:
    with pytest.raises(RunError, match="There is no run named"):
        find_run(tmp_path, id)  # type: ignore[arg-type]


def test_a_directory_still_being_made_is_no_run_yet(tmp_path: Path) -> None:
    run = create_run(tmp_path, CONFIG)
    (tmp_path / f".{run.id}.0123abcd.part").mkdir()
    (tmp_path / "20261121-015900-mnist-0000").mkdir()
    (tmp_path / "notes.txt").write_text("not a run")
    assert [found.id for found in run_paths(tmp_path)] == [run.id]
    assert [status.id for status in list_runs(tmp_path)] == [run.id]
    assert list_runs(tmp_path / "missing") == []


def test_a_run_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match=r"No run can be made in .*No space left on device"):
        create_run(tmp_path, CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_settings_of_an_older_run_take_defaults(tmp_path: Path) -> None:
    run = create_run(tmp_path, CONFIG)
    data = json.loads(run.config.read_text())
    del data["settings"]["beta1"]
    run.config.write_text(json.dumps(data))
    assert read_settings(run)[1] == CONFIG
