"""The whole page: what it says of itself, its own files, and the public functions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from generators import make_model_run, quiet_services
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from gan_core.errors import JobError
from studio import page
from studio.app import TABS, build_app, launch_settings
from studio.guard import CALLED
from studio.handlers import answered, guarded

PUBLIC = {"/models", "/generate", "/interpolate", "/start_training", "/run_status", "/stop_training"}
IDS = ("explore-model", "explore-image", "explore-grid", "interpolate-t", "train-dataset", "train-preset",
       "train-start", "train-stop", "train-pause", "watch-run", "watch-losses", "watch-samples",
       "watch-status")  # fmt: skip


def only_run(runs: Path) -> str:
    """Id of the first run."""
    return min(path.name for path in runs.iterdir() if not path.name.startswith("."))


def test_page_has_every_named_part_and_hides_all_other_functions(client: httpx.Client) -> None:
    ids = {component["props"].get("elem_id") for component in client.get("/config").json()["components"]}
    assert set(IDS) <= ids
    assert {f"tab-{id}" for id, _, _ in TABS} <= ids
    info = client.get("/gradio_api/info").json()
    assert set(info["named_endpoints"]) == PUBLIC
    assert not info["unnamed_endpoints"]


def test_no_function_but_the_public_ones_can_be_called(tmp_path: Path) -> None:
    demo = build_app(quiet_services(tmp_path))
    offered = {f"/{fn.api_name}" for fn in demo.fns.values() if fn.api_visibility != "private"}
    assert offered == PUBLIC == {f"/{name}" for name in CALLED.split("|")}


def test_head_comes_before_any_other_script(client: httpx.Client) -> None:
    html = client.get("/").text
    first = html.index("<script")
    assert html[first:].startswith("<script>// Runs before anything is painted")
    assert html.index("studio/web/style.css") < html.index("gradio_config")
    for id, _, _ in TABS:
        assert (page.WEB / f"{id}.js").exists() == (f'src="studio/web/{id}.js"' in html)
    assert client.get("/config").json()["title"] == "DCGAN Studio · DCGAN 工作室"


def test_our_files_are_kept_and_asked_for_each_time(client: httpx.Client) -> None:
    first = client.get("/studio/web/main.js")
    assert first.headers["content-type"].startswith("text/javascript")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/studio/web/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/studio/web/none.js").status_code == 404


def test_no_file_of_the_page_names_an_outside_host(client: httpx.Client) -> None:
    for path in page.WEB.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text, path.name
    css = client.get("/theme.css").text
    assert "IBM Plex Sans" in css and "googleapis" not in css


def test_public_functions_answer(address: str, runs: Path, tmp_path: Path) -> None:
    client = Client(address, verbose=False, download_files=tmp_path)
    names = client.predict(api_name="/models")
    assert f"run:{only_run(runs)}" in names
    name = f"run:{only_run(runs)}"
    with Image.open(client.predict(name, 3, 20, api_name="/generate")) as image:
        assert (image.format, image.size) == ("PNG", (160, 32))
    with Image.open(client.predict(name, 3, 4, 0.5, api_name="/interpolate")) as image:
        assert (image.format, image.size) == ("PNG", (16, 16))
    bad = [
        (("minst", 0, 4), "There is no model named 'minst'"),
        ((name, 0, 0), "count is 0, it must be a whole number from 1 to 400"),
    ]
    for arguments, sentence in bad:
        with pytest.raises(AppError, match=sentence):
            client.predict(*arguments, api_name="/generate")
    with pytest.raises(AppError, match="t is 2, it must be"):
        client.predict(name, 0, 1, 2, api_name="/interpolate")


def test_two_visitors_share_nothing(client: httpx.Client, runs: Path) -> None:
    """The answer depends on the address alone, whatever others asked for in between."""
    name = f"run:{only_run(runs)}"
    mine = f"/studio/explore/image?model={name}&seed=1&t=0.3"
    first = client.get(mine).content
    for seed in range(2, 6):
        client.get(f"/studio/explore/image?model={name}&seed={seed}&t=0.9&d=1,2,3&label=4")
    assert client.get(mine).content == first


def test_a_new_run_is_listed_at_once(client: httpx.Client, runs: Path) -> None:
    run = make_model_run(runs, state="paused")
    rows = {row["name"]: row for row in client.get("/studio/explore/models").json()}
    assert rows[f"run:{run.id}"]["live"]
    shutil.rmtree(run.path)


def test_an_expected_error_is_a_notice_for_the_page_and_a_sentence_for_the_api(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(gr, "Warning", shown.append)

    def fail(kind: type[Exception]) -> str:
        raise kind("The queue is full.")

    assert guarded(fail)(JobError) == gr.skip()
    assert shown == ["The queue is full."]
    assert "Traceback" in caplog.text
    with pytest.raises(gr.Error, match="The queue is full"):
        answered(fail)(JobError)


def test_of_an_unexpected_error_the_visitor_learns_that_it_was_one_and_the_log_what(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(gr, "Warning", shown.append)

    def fail(kind: type[Exception]) -> Any:
        raise kind("/home/somebody/secret")

    assert guarded(fail)(PermissionError) == gr.skip()
    assert len(shown) == 1 and shown[0].startswith("Something unexpected went wrong")
    with pytest.raises(gr.Error, match="Something unexpected"):
        answered(fail)(PermissionError)
    assert caplog.text.count("PermissionError: /home/somebody/secret") >= 2
    with pytest.raises(gr.Error, match="secret"):
        guarded(fail)(gr.Error)


def test_gradio_shows_no_text_of_errors_either(tmp_path: Path) -> None:
    assert launch_settings(quiet_services(tmp_path))["show_error"] is False
