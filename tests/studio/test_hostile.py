"""What is unsound is listed as such or left out, in one sentence, and harms nobody else's page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from generators import make_model_run, served, write_generator
from hostile import GENERATORS, RUNS, SECRET, Spoil, pipe, secret
from starlette.applications import Starlette
from starlette.testclient import TestClient
from synthetic import make_run

from gan_core import worker
from gan_core.errors import RunError, WeightsError
from gan_core.runs import list_runs
from gan_core.runs.layout import RunPaths
from gan_core.runs.lock import only_writer
from gan_core.runs.sweep import put_back
from gan_core.runs.writer import RunWriter
from studio import live, pictures
from studio.live import Live
from studio.models import ModelRegistry

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither pipes nor links for everybody")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs: one with curves and pictures, one with a generator."""
    root = tmp_path_factory.mktemp("good") / "runs"
    make_run(root).path.rename(root / "healthy")
    make_model_run(root).path.rename(root / "drawing")
    return root


@pytest.fixture
def runs(good: Path, tmp_path: Path) -> Path:
    """A copy of it, with a copy of each run to be spoilt."""
    shutil.copytree(good, tmp_path / "runs")
    shutil.copytree(good / "healthy", tmp_path / "runs" / "spoilt")
    return tmp_path / "runs"


@pytest.fixture
def web(runs: Path) -> Iterator[TestClient]:
    """The plain addresses of Watch and Explore."""
    registry = ModelRegistry(runs.parent / "weights", runs)
    routes = [*Live(runs, list).routes(), *pictures.routes(registry)]
    with TestClient(Starlette(routes=routes)) as client:
        yield client


def seen(web: TestClient) -> dict[str, object]:
    """All that a visitor sees of the healthy ones."""
    data = web.get("/studio/live", params={"run": "healthy", "charts": 1}).json()
    models = {row["name"]: row for row in web.get("/studio/explore/models").json()}
    view = {"model": "run:drawing", "seed": 3}
    drawn = [web.get(f"/studio/explore/{what}", params=view).content for what in ("image", "grid")]
    return {"live": data | {"rev": 0}, "model": models["run:drawing"], "drawn": drawn}


def test_there_are_enough_of_them() -> None:
    assert len(GENERATORS) >= 20 and len(RUNS) >= 10


@pytest.mark.parametrize("name", GENERATORS)
def test_a_hostile_generator_is_one_sentence_and_harms_nobody(name: str, runs: Path, web: TestClient) -> None:
    before = seen(web)
    spoil, words = GENERATORS[name]
    run = RunPaths(runs / "spoilt")
    write_generator(run.generator)
    spoil(run.generator)
    registry = ModelRegistry(runs.parent / "weights", runs)
    with pytest.raises(WeightsError) as caught:
        registry.load(registry.model("run:spoilt"))
    sentence = str(caught.value)
    assert words in sentence and "\n" not in sentence and len(sentence) < 300
    assert str(runs.parent) not in sentence, "where it lies is nothing for a visitor"
    answer = web.get("/studio/explore/image", params={"model": "run:spoilt"})
    assert answer.status_code == 404 and words in answer.json()["error"]
    assert web.get("/studio/live", params={"run": "spoilt"}).json()["state"] == "finished"
    assert seen(web) == before


@pytest.mark.parametrize("name", RUNS)
def test_a_hostile_run_is_one_sentence_and_harms_nobody(name: str, runs: Path, web: TestClient) -> None:
    before = seen(web)
    spoil, words = RUNS[name]
    spoil(RunPaths(runs / "spoilt"))
    listed = {status.id: status for status in list_runs(runs)}
    assert listed.keys() == {"healthy", "drawing", "spoilt"}
    answer = web.get("/studio/live", params={"run": "spoilt", "charts": 1})
    data = answer.json()
    assert answer.status_code == 200 and SECRET not in answer.content
    if words:
        assert listed["spoilt"].state == data["state"] == data["say"] == "failed"
        assert words in listed["spoilt"].message and words in data["message"]
        assert "\n" not in data["message"] and len(data["message"]) < 200
    else:
        assert listed["spoilt"].state == data["state"] == "finished"
    for address in ("sample", "real"):
        picture = web.get(f"/studio/{address}", params={"run": "spoilt", "step": 100})
        assert picture.status_code in (200, 404) and SECRET not in picture.content
    assert seen(web) == before


@pytest.mark.parametrize("name", ["a picture is a link to a system file", "the pictures lie elsewhere"])
def test_a_system_file_is_not_served_as_a_picture(name: str, runs: Path, web: TestClient) -> None:
    ask = {"run": "spoilt", "step": 100}
    assert web.get("/studio/sample", params=ask).status_code == 200
    RUNS[name][0](RunPaths(runs / "spoilt"))
    assert web.get("/studio/sample", params=ask).status_code == 404


@pytest.mark.parametrize("name", ["metrics.jsonl", "log.txt", ".lock", ".reserve", "samples", "checkpoints"])
def test_nothing_is_written_through_a_link(name: str, runs: Path) -> None:
    run, outside = RunPaths(runs / "spoilt"), runs.parent / "outside"
    outside.mkdir() if "." not in name else outside.write_bytes(SECRET)
    shutil.rmtree(run.path / name, ignore_errors=True)
    (run.path / name).unlink(missing_ok=True)
    (run.path / name).symlink_to(outside)
    for write in (RunWriter, lambda run: only_writer(run).__enter__()):
        with pytest.raises(RunError, match=f"{name} cannot be read .it leads out of its folder"):
            write(run)
    if outside.is_dir():
        (outside / ".step-000040.aside").mkdir()
        put_back(run)
        assert [path.name for path in outside.iterdir()] == [".step-000040.aside"]
        (outside / ".step-000040.aside").rmdir()
    assert list(outside.iterdir()) == [] if outside.is_dir() else outside.read_bytes() == SECRET


@pytest.mark.parametrize("spoil", [pipe, secret])
def test_a_worker_speaks_into_no_link_and_no_pipe(spoil: Spoil, runs: Path) -> None:
    log, opened = RunPaths(runs / "spoilt").log, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "dup2", lambda *about: opened.append(about))
        patch.setattr(worker.faulthandler, "enable", lambda: None)
        worker._speak_into(log)
        assert len(opened) == 2
        spoil(log)
        worker._speak_into(log)
    assert len(opened) == 2


def test_a_damaged_run_keeps_its_sentence_and_one_that_was_removed_is_gone(
    runs: Path, web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FRESH", 0.0)
    monkeypatch.setattr(live, "RECHECK", -1.0)
    run = RunPaths(runs / "spoilt")
    run.status.write_text('{"schema": 99}')
    data = web.get("/studio/live", params={"run": "spoilt"}).json()
    assert (data["state"], data["say"]) == ("failed", "failed") and "newer version" in data["message"]
    shutil.rmtree(run.path)
    fresh = TestClient(Starlette(routes=Live(runs, list).routes()))
    for client in (web, fresh):
        answer = client.get("/studio/live", params={"run": "spoilt", "rev": 0})
        assert answer.status_code == 404 and "There is no run" in answer.json()["error"]


def test_the_server_starts_on_all_of_them(good: Path, tmp_path: Path) -> None:
    """With every hostile generator and run at once, in one folder."""
    root = tmp_path / "runs"
    shutil.copytree(good, root)
    kinds = [*((i, True, spoil) for i, (spoil, _) in enumerate(GENERATORS.values())),
             *((i, False, spoil) for i, (spoil, _) in enumerate(RUNS.values()))]  # fmt: skip
    for number, draws, spoil in kinds:
        run = RunPaths(root / f"bad-{'generator' if draws else 'run'}-{number}")
        aside = tmp_path / run.id / "runs"  # links out of it meet no other's
        shutil.copytree(good / "healthy", aside / run.id)
        if draws:
            write_generator(RunPaths(aside / run.id).generator)
            spoil(RunPaths(aside / run.id).generator)  # type: ignore[arg-type]
        else:
            spoil(RunPaths(aside / run.id))  # type: ignore[arg-type]
        (aside / run.id).rename(run.path)
    with served(root) as server, httpx.Client(base_url=server.address, timeout=30) as web:
        models = web.get("/studio/explore/models").json()
        assert "run:drawing" in [row["name"] for row in models]
        healthy = web.get("/studio/live", params={"run": "healthy", "charts": 1}).json()
        assert healthy["state"] == "finished" and healthy["charts"]
        for number, draws, _ in kinds:
            name = f"bad-{'generator' if draws else 'run'}-{number}"
            assert web.get("/studio/live", params={"run": name, "charts": 1}).status_code == 200, name
    assert len(list_runs(root)) == len(kinds) + 2
