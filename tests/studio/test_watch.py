"""Which run is shown, and what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import make_run
from test_training_api import FakeServices

from gan_core.presets import PRESETS
from gan_core.runs.reader import STATES, Status, read_status
from studio.tabs import watch
from studio.words import TABLE

RUNS = [Status(id="c", state="finished"), Status(id="b", state="running"), Status(id="a", state="finished")]


@pytest.mark.parametrize(
    ("wish", "own", "shown"),
    [("a", "b", "a"), ("", "b", "b"), ("", "a", "c"), ("gone", "", "c"), ("gone", "b", "b"), ("", "", "c")],
)
def test_the_run_wished_for_else_ones_own_live_one_else_the_newest(wish: str, own: str, shown: str) -> None:
    assert watch.choose(wish, own, RUNS) == shown


def test_without_runs_there_is_none_to_show(tmp_path: Path) -> None:
    assert watch.listing(FakeServices(tmp_path), "x", "y", "en") == ([], None)


def test_a_label_is_read_by_a_person() -> None:
    about = {"id": "x", "dataset": "mnist", "created": 1000.0}
    status = Status(state="finished", preset="digits", budget={"seconds": 10.0}, **about)
    assert watch.label(status, "en", 1190) == "MNIST · Digits, in seconds · 10 s · finished · 3 min ago"
    assert watch.label(status, "zh", 1000 + 7200) == "MNIST · 手写数字，几秒就好 · 10 秒 · 已完成 · 2 小时前"
    other = Status(state="queued", budget={"steps": 2000}, **about)
    assert watch.label(other, "en", 1000) == "MNIST · own settings · 2,000 steps · waiting · just now"


def test_a_recipe_called_after_its_data_set_is_named_once() -> None:
    about = {"id": "x", "state": "finished", "created": 1000.0, "budget": {"images": 60_000}}
    ring = Status(preset="ring", dataset="ring", **about)
    assert watch.label(ring, "en", 1000) == (
        "Ring of eight (points) · 60,000 pictures looked at · finished · just now"
    )
    assert watch.label(ring, "zh", 1000) == "八点环（点数据） · 看 60,000 张图片 · 已完成 · 刚刚"
    other = Status(preset="grid", dataset="ring", **about)
    assert watch.label(other, "en", 1000).startswith("Ring of eight · Grid of twenty-five (points)")


def test_a_new_preset_without_words_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, "bars", PRESETS["digits"])
    status = Status(id="x", state="queued", preset="bars", dataset="mnist", created=1000.0)
    assert watch.label(status, "en", 1000) == "MNIST · bars · no limit · waiting · just now"


def test_a_damaged_run_is_listed_under_its_id(tmp_path: Path) -> None:
    whole, broken = make_run(tmp_path), make_run(tmp_path)
    broken.status.write_text("{")
    offered, _ = watch.listing(FakeServices(tmp_path), "", "", "en")
    labels = {run: text for text, run in offered}
    assert set(labels) == {whole.id, broken.id}
    assert labels[broken.id].startswith(broken.id) and "failed" in labels[broken.id]


def test_a_long_list_is_cut_but_keeps_the_run_that_is_shown(tmp_path: Path, monkeypatch) -> None:
    runs = [make_run(tmp_path, steps=10) for _ in range(4)]
    oldest = min(runs, key=lambda run: (read_status(run).created, run.id))
    monkeypatch.setattr(watch, "OFFERED", 2)
    offered, chosen = watch.listing(FakeServices(tmp_path), oldest.id, "", "en")
    assert chosen == oldest.id and len(offered) == 3 and offered[-1][1] == oldest.id


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_word(state: str) -> None:
    assert f"watch.state.{state}" in TABLE


def test_the_routes_are_those_the_page_asks(tmp_path: Path) -> None:
    paths = [route.path for route in watch.routes(FakeServices(tmp_path))]
    assert paths == ["/studio/live", "/studio/sample", "/studio/real"]
