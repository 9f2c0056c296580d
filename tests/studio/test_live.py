"""One reader a run: nothing is sent when nothing has changed, the file is read once however many watch."""

from __future__ import annotations

import dataclasses
import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from synthetic import make_run, metrics

from gan_core.config import from_mapping
from gan_core.messages import Message
from gan_core.runs.branch import rewrite_settings
from gan_core.runs.layout import RunPaths, create_run
from gan_core.runs.reader import STATES, Status, read_settings, read_status
from gan_core.runs.records import read_lines
from gan_core.runs.writer import RunWriter, amend_status
from gan_core.training import train
from studio import curves, live
from studio.live import FRESH, Live, Reader, pace, say
from studio.measured import _key
from studio.words import TABLE


def no_queue() -> list[str]:
    return []


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return make_run(tmp_path)


def client(root: Path, queue=no_queue) -> TestClient:
    return TestClient(Starlette(routes=Live(root, queue).routes()))


def ask(web: TestClient, run: RunPaths, rev: int = 0, charts: int = 1):
    return web.get("/studio/live", params={"run": run.id, "rev": rev, "charts": charts})


def test_an_answer_says_all_and_the_same_revision_is_not_sent_again(run: RunPaths) -> None:
    web = client(run.path.parent)
    first = ask(web, run)
    data = first.json()
    assert first.headers["cache-control"] == "no-store"
    assert (data["state"], data["say"], data["step"]) == ("finished", "finished", 200)
    assert data["samples"] == [0, 100, 200]
    assert data["real"] and not data["explorable"] and data["progress"] == 1.0
    groups = [chart["group"] for chart in data["charts"]]
    assert groups == ["loss", "score", "accuracy", "gradient", "speed", "learning_rate"]
    again = ask(web, run, data["rev"])
    assert (again.status_code, again.content) == (204, b"")


def test_charts_come_only_when_they_changed(run: RunPaths) -> None:
    web = client(run.path.parent)
    rev = ask(web, run).json()["rev"]
    assert "charts" not in ask(web, run, rev - 1, charts=0).json()
    amend_status(run, messages=[Message("prose", text="look")])
    time.sleep(FRESH * 1.5)
    data = ask(web, run, rev).json()
    assert data["rev"] > rev and data["message"] == "look" and "charts" not in data


def test_thirty_viewers_cost_one_read_a_change(tmp_path: Path) -> None:
    run = make_run(tmp_path, state="running")
    writer, board = RunWriter(run), Live(tmp_path, no_queue)
    with TestClient(Starlette(routes=board.routes())) as web, ThreadPoolExecutor(30) as viewers:
        for change in range(4):
            writer.record(metrics(210 + 10 * change))
            time.sleep(FRESH * 1.5)
            for _ in range(3):
                answers = list(viewers.map(lambda _: ask(web, run).json(), range(30)))
                assert {a["charts"][0]["curves"][0]["x"][-1] for a in answers} == {210 + 10 * change}
            assert board.reader(run.id).curves.reads == change + 1


def test_metrics_are_read_on_from_where_the_last_look_ended(run: RunPaths, monkeypatch) -> None:
    offsets = []
    real = curves.read_lines
    monkeypatch.setattr(
        curves, "read_lines", lambda path, offset: offsets.append(offset) or real(path, offset)
    )
    reader = Reader(run, no_queue)
    reader.answer(0, True)
    size = run.metrics.stat().st_size
    RunWriter(run).record(metrics(210))
    time.sleep(FRESH * 1.5)
    reader.answer(0, True)
    assert offsets == [0, size]


@pytest.mark.parametrize("busy", [60.0, 0.0])
def test_a_long_file_is_read_to_its_end_at_one_look_or_bit_by_bit(
    run: RunPaths, monkeypatch, busy: float
) -> None:
    monkeypatch.setattr(curves, "BUSY", busy)
    monkeypatch.setattr(live, "FRESH", 0.0)
    line, last = json.dumps(metrics(210) | {"step": 0}), 9000
    run.metrics.write_text("".join(line.replace('"step": 0', f'"step": {i}') + "\n" for i in range(last + 1)))
    assert run.metrics.stat().st_size > curves.READ_MOST * 0.75
    monkeypatch.setattr(curves, "READ_MOST", 1 << 20)
    monkeypatch.setattr(curves, "read_lines", lambda path, offset: read_lines(path, offset, 1 << 20))
    reader, seen = Reader(run, no_queue), []
    while not seen or seen[-1] < last:
        body = reader.answer(0, True)
        assert body is not None and len(seen) < 20
        seen.append(json.loads(body.plain)["charts"][0]["curves"][0]["x"][-1])
    assert seen == sorted(seen) and (len(seen) == 1) is (busy > 0)


def test_a_branch_s_curves_begin_where_its_parent_s_do(run: RunPaths) -> None:
    _, config = read_settings(run)
    child = create_run(run.path.parent, config, state="stopped", parent={"run": run.id, "step": 100})
    RunWriter(child).record(metrics(110) | {"loss/D": 7.0})
    (loss, *_) = ask(client(run.path.parent), child).json()["charts"]
    own = dict(zip(loss["curves"][0]["x"], loss["curves"][0]["y"]))
    assert max(own) == 110 and own[110] == 7.0
    assert {10, 50, 100} <= own.keys(), "the parent's part, up to where the branch begins"


def test_scores_are_a_chart_of_their_own(run: RunPaths) -> None:
    web, writer = client(run.path.parent), RunWriter(run)
    score = {"seconds": 60.0, "took": 0.5, "best": True, "extractor": "classifier", "quality/floor": 0.5}
    writer.score({"step": 100, "quality/frechet": 9.0} | score)
    first = ask(web, run).json()
    chart = next(chart for chart in first["charts"] if chart["group"] == "quality")
    assert {c["name"]: (c["x"], c["y"]) for c in chart["curves"]} == {
        "frechet": ([100], [9]), "floor": ([100], [0.5])
    }  # fmt: skip
    writer.score({"step": 200, "quality/frechet": 3.0} | score)
    time.sleep(FRESH * 1.5)
    charts = ask(web, run, first["rev"]).json()["charts"]
    (curve,) = (c for chart in charts for c in chart["curves"] if c["name"] == "frechet")
    assert curve == {"name": "frechet", "x": [100, 200], "y": [9, 3]}
    assert {f"watch.curve.{name}" for name in ("frechet", "missed", "floor")} <= TABLE.keys()


def scored(web: TestClient, run: RunPaths) -> list[float]:
    """The steps at which the page shows a score."""
    charts = ask(web, run).json()["charts"]
    return next((c["curves"][0]["x"] for c in charts if c["group"] == "quality"), [])


def test_metrics_that_are_shortened_or_put_back_leave_the_scores_where_they_are(run: RunPaths) -> None:
    web, saved = client(run.path.parent), run.metrics.read_bytes()
    RunWriter(run).score({"step": 100, "quality/frechet": 9.0})
    assert scored(web, run) == [100]
    for data in (saved[:500], saved):
        run.metrics.write_bytes(data)
        time.sleep(FRESH * 1.5)
        assert scored(web, run) == [100]
    other = run.metrics.with_suffix(".copy")  # as long, of another run
    other.write_bytes(saved.replace(b'"loss/D": 1', b'"loss/D": 3'))
    other.replace(run.metrics)
    time.sleep(FRESH * 1.5)
    assert scored(web, run) == [100]
    assert ask(web, run).json()["charts"][0]["curves"][0]["y"][0] > 3, "read anew from its beginning"


def test_a_score_that_was_lost_by_going_back_leaves_the_curve_and_so_do_its_points(run: RunPaths) -> None:
    web, writer = client(run.path.parent), RunWriter(run)
    for step in (100, 200):
        writer.score({"step": step, "quality/frechet": 9.0})
    first = ask(web, run).json()
    assert scored(web, run) == [100, 200] and first["rewinds"] == 0
    writer.back_to(120)
    time.sleep(FRESH * 1.5)
    assert scored(web, run) == [100]
    data = ask(web, run).json()
    assert data["charts"][0]["curves"][0]["x"][-1] == 120 and data["rewinds"] == 1
    assert data["samples"] == [0, 100]
    assert scored(client(run.path.parent), run) == [100], (
        "and whoever reads it from the beginning sees the same"
    )


def test_every_group_that_a_run_records_has_a_title_and_a_caption(tmp_path: Path) -> None:
    """With all that may be minimised or moved in force, in one run or the other."""
    small = {"dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4, "latent": 4, "batch": 8, "steps": 2,
             "precision": "fp32", "memory_format": "contiguous", "threads": 1, "d_norm": "none",
             "penalty": "r1", "mode_seeking": 0.1, "schedule": "dynamic", "augment": "translation",
             "ada_target": 0.6}  # fmt: skip
    groups = {"quality"}
    for changes in ({}, {"conditional": False, "code_classes": 3, "penalty_every": 4}):
        run = create_run(tmp_path, config := from_mapping({**small, **changes}))
        list(train(config, run))
        groups |= {name.split("/")[0] for line in read_lines(run.metrics)[0] for name in line if "/" in name}
    assert {"penalty", "class", "code", "mode_seeking"} < groups
    for group in groups:
        assert {f"watch.group.{group}", f"watch.caption.{group}"} <= TABLE.keys(), group


@pytest.mark.parametrize(("changes", "lines"), [
    ({}, {"D": 1.3863, "G": 0.6931}),
    ({"real_label": 0.9}, {"D": 1.3763, "G": 0.7985}),
    ({"loss": "hinge"}, {"D": 2.0}),
    ({"loss": "mistake-double-sigmoid"}, {}),
    ({"loss": "mistake-wrong-sign"}, {}),
])  # fmt: skip
def test_the_lines_are_where_the_runs_own_game_rests_and_none_where_it_does_not(
    tmp_path: Path, changes: dict[str, object], lines: dict[str, float]
) -> None:
    run = make_run(tmp_path, **changes)
    (chart,) = (chart for chart in ask(client(tmp_path), run).json()["charts"] if chart["group"] == "loss")
    drawn = {line["name"]: line["value"] for line in chart["lines"]}
    assert drawn == pytest.approx(lines, abs=1e-4)


def test_the_line_of_variety_is_where_real_pictures_are(run: RunPaths) -> None:
    RunWriter(run).score({"step": 100, "share/plausible": 0.9, "variety/pictures": 0.3})
    charts = ask(client(run.path.parent), run).json()["charts"]
    lines = {chart["group"]: chart["lines"] for chart in charts}
    assert lines["variety"] == [{"name": "pictures", "value": 1.0}] and lines["share"] == []
    drawn = {group for group in lines if lines[group]}
    assert {f"watch.{kind}.{group}" for kind in ("line", "lines") for group in drawn} <= TABLE.keys()


def test_a_torn_line_is_left_until_it_is_whole(tmp_path: Path) -> None:
    run = make_run(tmp_path, state="running")
    reader = Reader(run, no_queue)
    line = json.dumps(metrics(210)).encode() + b"\n"
    for part, last in ((line[:40], 200), (line[40:], 210)):
        with run.metrics.open("ab") as stream:
            stream.write(part)
        time.sleep(FRESH * 1.5)
        body = reader.answer(0, True)
        assert body is not None
        assert json.loads(body.plain)["charts"][0]["curves"][0]["x"][-1] == last


def test_a_run_whose_process_died_is_seen_without_a_change_of_its_files(tmp_path: Path, monkeypatch) -> None:
    run = make_run(tmp_path, state="running")
    monkeypatch.setattr(live, "RECHECK", 0.0)
    reader = Reader(run, no_queue)
    body = reader.answer(0, False)
    assert body is not None and json.loads(body.plain)["state"] == "running"
    amend_status(run, heartbeat=time.time() - 500, pid=2**22 + 5, born="gone")
    time.sleep(FRESH * 1.5)
    body = reader.answer(0, False)
    assert body is not None
    data = json.loads(body.plain)
    assert data["state"] == data["say"] == "failed" and "process is gone" in data["message"]


def test_the_body_is_compressed_for_those_who_take_it(run: RunPaths) -> None:
    reader = Reader(run, no_queue)
    body = reader.answer(0, True)
    assert body is not None and gzip.decompress(body.zipped) == body.plain
    headers = ask(client(run.path.parent), run).headers
    assert headers["content-encoding"] == "gzip" and headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", ["nothing", "../../etc", "", ".."])
def test_a_run_that_is_not_there_is_one_sentence(tmp_path: Path, name: str) -> None:
    answer = client(tmp_path).get("/studio/live", params={"run": name})
    assert answer.status_code == 404 and answer.json()["error"].startswith("There is no run named")


def test_pictures_are_sent_as_they_lie_and_kept_by_the_browser(run: RunPaths) -> None:
    web = client(run.path.parent)
    for address, path in (("sample", run.sample(100)), ("real", run.real)):
        answer = web.get(f"/studio/{address}", params={"run": run.id, "step": 100})
        assert answer.content == path.read_bytes() and answer.headers["content-type"] == "image/webp"
        assert "immutable" in answer.headers["cache-control"]
    for step in ("7", "-1", "x", "9" * 30):
        assert web.get("/studio/sample", params={"run": run.id, "step": step}).status_code == 404


def test_a_picture_is_kept_only_at_the_address_of_its_own_version(run: RunPaths) -> None:
    """A run that went back draws another picture of the same step."""
    web = client(run.path.parent)

    def kept(step: int, version: int) -> bool:
        answer = web.get("/studio/sample", params={"run": run.id, "step": step, "v": version})
        assert answer.status_code == 200
        return "immutable" in answer.headers["cache-control"]

    assert kept(200, 0) and not kept(200, 1)
    writer, old = RunWriter(run), run.sample(200).read_bytes()
    writer.back_to(150)
    run.sample(200).write_bytes(old)  # for a moment it may be there still
    assert not kept(200, 0) and not kept(200, 1)
    assert kept(100, 1), "it was drawn before"
    writer.sample(200, b"another")
    assert kept(200, 1) and not kept(200, 0)


def test_a_waiting_run_says_how_many_are_before_it(tmp_path: Path) -> None:
    run = make_run(tmp_path, state="queued")
    data = ask(client(tmp_path, lambda: ["a", "b", run.id]), run).json()
    assert (data["ahead"], data["say"], data["state"]) == (2, "queued", "queued")


def test_every_stage_has_words() -> None:
    """Each state and stage says its own, and no words are left over."""
    said = {}
    for state in STATES:
        about = Status(id="x", state=state, step=9, images=9)
        said |= {(state, ahead): say(about, ahead) for ahead in (0, 2)}
    said["timing"] = say(Status(id="x", state="running"), 0)
    stands = Status(id="x", state="running", step=9, messages=(Message("process-suspended"),))
    said["suspended"] = say(stands, 0)
    about = Status(id="x", state="running", step=9, images=64 * 5000, messages=(Message("checkpoint-none"),))
    said["unbegun"] = say(dataclasses.replace(about, state="stopped", step=0), 0)
    assert said == {
        ("queued", 0): "starting", ("queued", 2): "queued", ("paused", 0): "paused", ("paused", 2): "waiting",
        **{(state, ahead): word for state, word in (("running", "running"), ("finished", "finished"),
           ("stopped", "stopped"), ("failed", "failed")) for ahead in (0, 2)},
        "suspended": "suspended", "timing": "timing",
        "unbegun": "unbegun",
    }  # fmt: skip
    assert {f"live.say.{word}" for word in said.values()} == {
        key for key in TABLE if key.startswith("live.say.")
    }


def test_a_run_that_was_stopped_before_it_began_has_learned_nothing_that_is_kept(tmp_path: Path) -> None:
    run = create_run(tmp_path, from_mapping({"dataset": "glyphs", "steps": 9}), state="queued")
    amend_status(run, state="stopped", messages=[Message("stopped-early")])
    assert ask(client(tmp_path), run).json()["say"] == "unbegun"
    english, chinese = TABLE["live.say.unbegun"]
    assert "{message}" not in english + chinese and "kept" not in english


def test_what_is_said_while_a_run_trains_does_not_follow_from_its_steps() -> None:
    said = {say(Status(id="x", state="running", step=n, images=64 * n), 0) for n in (1, 100, 10**6)}
    assert said == {"running"}


@pytest.mark.parametrize(("scores", "key", "figures"), [
    ({"share/plausible": 0.05, "variety/pictures": 0.9, "share/readable": 0.0, "classes/0": 0.0}, "unlike",
     {"plausible": 5}),
    ({"share/plausible": 0.9, "variety/pictures": 0.3, "share/readable": 0.8, "classes/0": 1.0}, "alike",
     {"variety": 30}),
    ({"share/plausible": 0.9, "variety/pictures": 0.8, "share/readable": 0.75, "share/readable_real": 0.96,
      "classes/0": 0.7, "classes/1": 0.0, "classes/2": 0.3}, "readable",
     {"readable": 75, "real": 96, "found": 2, "classes": 3}),
    ({"share/plausible": 0.9, "variety/pictures": 0.8, "share/readable": 0.75, "share/readable_real": 0.96,
      "classes/0": 1.0}, "asked", {"readable": 75, "real": 96, "found": 1, "classes": 1}),
    ({"share/plausible": 0.9, "variety/pictures": 0.8}, "like", {"plausible": 90, "variety": 80}),
])  # fmt: skip
def test_the_words_above_the_pictures_are_what_was_measured_of_them(
    run: RunPaths, scores: dict[str, float], key: str, figures: dict[str, int]
) -> None:
    rewrite_settings(run, dataclasses.replace(read_settings(run)[1], conditional=key == "asked"))
    web = client(run.path.parent)
    assert ask(web, run).json()["sees"] is None, "nothing was measured, so nothing is said"
    RunWriter(run).score({"step": 50, "share/plausible": 1.0, "variety/pictures": 1.0})
    RunWriter(run).score({"step": 100, **scores})
    time.sleep(FRESH * 1.5)
    sees = ask(web, run).json()["sees"]
    assert (sees["key"], sees["step"]) == (key, 100) and figures.items() <= sees.items()
    for words in TABLE[f"live.sees.{key}"]:
        assert all(f"{{{name}}}" in words for name in figures), "each figure stands in the sentence"
    assert all("{step}" in words and "{what}" in words for words in TABLE["live.sees"])


def test_of_points_it_says_how_many_places_are_found(tmp_path: Path) -> None:
    run = make_run(tmp_path, dataset="ring", network="mlp-2d", size=1, conditional=False)
    RunWriter(run).score({"step": 100, "modes/points": 0.5, "classes/0": 1.0, "classes/1": 0.0})
    answer = ask(client(tmp_path), run).json()
    sees = answer["sees"]
    assert (sees["key"], sees["found"], sees["classes"], sees["points"]) == ("points", 1, 2, 50)
    assert sees["step"] == 100
    assert sees["shares"] == [1.0, 0.0] and sees["names"][:2] == ["0", "1"]
    assert "classes" not in {chart["group"] for chart in answer["charts"]}, "bars, not eight curves"


def test_each_thing_seen_has_words() -> None:
    figures = ("plausible", "variety", "readable")
    keys = {_key(dict(zip(figures, values)), asked)
            for values in product((None, 0.1, 0.9), repeat=3) for asked in (True, False)}  # fmt: skip
    assert {f"live.sees.{key}" for key in keys} == {key for key in TABLE if key.startswith("live.sees.")}


def test_pages_ask_often_during_the_show_and_seldom_after_the_end(run: RunPaths, monkeypatch) -> None:
    status = read_status(run)
    kind = status.__class__
    looks = (("running", 3), ("running", 60), ("finished", 60))
    show, long, over = (kind(id="x", state=state, seconds=seconds) for state, seconds in looks)
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert [pace(s) for s in (show, long, over)] == [250, 1000, 3000]
    monkeypatch.setenv("SPACE_ID", "someone/studio")
    assert min(pace(s) for s in (show, long, over)) >= 1000
