"""Each door that Gradio leaves open is tried on the real app, and each that is needed still opens.

So is every other site: its pages, and names that were made to point at this machine.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from generators import quiet_services, served
from gradio.routes import App
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from studio.app import build_app, launch_settings
from studio.guard import LONGEST, Guard, Hosts, hosts, refusal

ROOT = Path(__file__).parents[2]
SHUT = [
    "/gradio_api/file=http://example.org/x",
    "/gradio_api/file=https://example.org/x",
    "/file=http://example.org/x",
    "/gradio_api/file=HTTP://example.org/x",
    "/gradio_api/file=%68ttp://example.org/x",
    "/gradio_api/file=http:/example.org/x",
    "/gradio_api/file=ftp://example.org/x",
    "/gradio_api/file/http://example.org/x",
    "/gradio_api/file=%20http://example.org/x",
    "/gradio_api/file=%2F%2Fhttp://example.org",
    "/gradio_api/proxy=http://example.org",
    "/gradio_api/proxy=x",
    "/proxy=https://example.org",
    "/monitoring",
    "/monitoring/",
    "/monitoring/summary",
    "/monitoring/abc",
    "/MONITORING/summary",
    "/gradio_api/upload",
    "/gradio_api/upload/",
    "/gradio_api/upload_progress?upload_id=1",
    "/upload",
    "/gradio_api/deep_link?session_hash=x",
    "/gradio_api/dev/reload",
    "/gradio_api/runs",
    "/gradio_api/run-history/connect",
    "/gradio_api/vibe-edit",
    "/gradio_api/component_server",
    "/gradio_api/process_recording",
    "/gradio_api/stream/x/1/2/playlist.m3u8",
    "/gradio_api/custom_component/1/client/component/index.js",
    "/gradio_api/openapi.json",
    "/gradio_api/token",
    "/login",
    "/docs",
    "/openapi.json",
    "/nothing",
    "/gradio_api/call/delete_run",
    "/gradio_api/call/predict",
    "/gradio_api/run/models_2",
    "/studio/web/%00",
    "/studio/web/a%0Ab",
    "/studio/web/" + "x" * 5000,
]


@pytest.mark.parametrize("path", SHUT)
def test_shut(client: httpx.Client, path: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        answer = client.request(method, path)
        assert answer.status_code == 403, method
        assert method == "HEAD" or answer.text.startswith("This server ")


def test_a_file_that_is_sent_is_not_taken(client: httpx.Client) -> None:
    answer = client.post("/gradio_api/upload", files={"files": ("x.txt", b"hello")})
    assert (answer.status_code, answer.text) == (403, "This server takes no files.")


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info", "/theme.css", "/studio/web/main.js",
                                  "/studio/web/words.js", "/studio/explore/models", "/manifest.json",
                                  "/gradio_api/startup-events", "/gradio_api/app_id"])  # fmt: skip
def test_open(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


def test_a_picture_of_the_api_may_be_fetched_by_its_path() -> None:
    """Gradio answers with paths of its cache, also on Windows: a drive's letter is no scheme."""
    assert refusal("/gradio_api/file=/home/someone/gradio/image.png") is None
    assert refusal("/gradio_api/file=C:\\Temp\\gradio\\image.png") is None
    assert refusal("/gradio_api/file=C:/Temp/gradio/image.png") is None


def test_files_of_the_server_stay_there(client: httpx.Client) -> None:
    for path in ("/gradio_api/file=/etc/passwd", "/gradio_api/file=app.py", "/studio/web/../app.py",
                 "/studio/web/..%2Fapp.py", "/studio/web/%2Fetc%2Fpasswd"):  # fmt: skip
        assert client.get(path).status_code in (403, 404)


# what of Gradio's own routes stays open; a version with further ones leaves them shut
OPEN_ROUTES = {
    "/", "/assets/{path:path}", "/config", "/config/", "/favicon.ico", "/manifest.json", "/pwa_icon",
    "/pwa_icon/{size}", "/robots.txt", "/static/{path:path}", "/svelte/{path:path}", "/theme.css",
    "/gradio_api/app_id", "/gradio_api/app_id/", "/gradio_api/cancel", "/gradio_api/heartbeat/{session_hash}",
    "/gradio_api/info", "/gradio_api/info/", "/gradio_api/queue/data", "/gradio_api/queue/join",
    "/gradio_api/reset", "/gradio_api/reset/", "/gradio_api/startup-events", "/gradio_api/theme.css",
    "/gradio_api/file={path_or_url:path}",
    *(f"/gradio_api/{kind}/{{api_name}}{end}"
      for kind in ("run", "api", "call", "call/v2") for end in ("", "/")),
    "/gradio_api/call/{api_name}/{event_id}", "/gradio_api/call/v2/{api_name}/{event_id}",
}  # fmt: skip


def paths_of(router: Any) -> Iterator[str]:
    """Every path that an app has a route for; FastAPI keeps those of a router that it includes apart."""
    for route in router.routes:
        if inner := getattr(route, "original_router", None):
            yield from paths_of(inner)
        elif path := getattr(route, "path", ""):
            yield path


def filled(path: str) -> str:
    """A route's path with something in its places."""
    return re.sub(r"\{[^}]*\}", "7", path.replace("{api_name}", "models"))


def test_of_all_routes_of_the_app_only_those_stay_open_that_it_uses(tmp_path: Path) -> None:
    services = quiet_services(tmp_path)
    app = App.create_app(build_app(services), app_kwargs=launch_settings(services)["app_kwargs"])
    paths = set(paths_of(app))
    assert len(paths) > 60 and "/gradio_api/dev/reload" in paths
    opened = {path for path in paths if refusal(filled(path)) is None}
    assert {path for path in opened if not path.startswith("/studio/")} == OPEN_ROUTES


def test_a_path_without_end_or_with_a_sign_of_control_is_shut() -> None:
    assert refusal("/studio/web/" + "x" * (LONGEST - 12)) is None
    for path in ("/studio/web/" + "x" * LONGEST, "/studio/web/a\0b", "/studio/web/a\nb", ""):
        assert refusal(path) is not None


NAMED = hosts("studio.school", ["Class.Example", ".lan"], {})


@pytest.mark.parametrize(
    ("host", "open"),
    [("localhost:7860", True), ("127.0.0.1:7860", True), ("[::1]:7860", True), ("192.168.1.4:7860", True),
     ("LOCALHOST", True), ("localhost.", True), ("studio.school:7860", True), ("class.example", True),
     ("pc.lan:7860", True), ("evil.example", False), ("evil.studio.school", False), ("pclan", False),
     ("studio.school.evil.example", False), ("127.0.0.1.evil.example", False), ("", False), ("[", False),
     ("2130706433.example", False)],
)  # fmt: skip
def test_a_server_answers_to_its_own_names_and_to_addresses_in_figures(host: str, open: bool) -> None:
    told = NAMED.refusal(Headers({"host": host}))
    assert (told is None) == open
    assert open or (told is not None and told.code == "host-unknown")


@pytest.mark.parametrize(
    ("origin", "open"),
    [("http://pc.lan:7860", True), ("http://pc.lan", False), ("http://pc.lan:3000", False),
     ("https://class.example", True), ("http://other.lan:7860", False), ("http://localhost:7860", False),
     ("null", False), ("", False), ("http://evil.example", False), ("http://pc.lan:7860@evil.example", False),
     ("http://[", False)],
)  # fmt: skip
def test_only_the_pages_of_this_server_and_of_names_given_in_full_are_answered(
    origin: str, open: bool
) -> None:
    told = NAMED.refusal(Headers({"host": "pc.lan:7860", "origin": origin}))
    assert (told is None) == open
    assert open or (told is not None and told.code == "origin-foreign")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost", "::1"])
def test_another_port_of_this_machine_is_another_site(host: str) -> None:
    asked = {"host": f"{host}:7860"} if ":" not in host else {"host": f"[{host}]:7860"}
    own, other = (f"http://{asked['host'].replace('7860', port)}" for port in ("7860", "3000"))
    assert hosts(host, [], {}).refusal(Headers(asked | {"origin": own})) is None
    assert hosts(host, [], {}).refusal(Headers(asked | {"origin": other})) is not None


def test_what_a_proxy_says_counts_where_one_is_trusted_alone() -> None:
    asked = Headers({"host": "10.0.0.1:7860", "x-forwarded-host": "evil.example, me-studio.hf.space"})
    space = hosts("0.0.0.0", [], {"SPACE_HOST": "me-studio.hf.space"})
    assert Hosts().refusal(asked) is None and space.refusal(asked) is not None
    mine = {"host": "10.0.0.1:7860", "x-forwarded-host": "me-studio.hf.space"}
    assert space.refusal(Headers(mine | {"origin": "https://me-studio.hf.space"})) is None
    assert space.refusal(Headers(mine | {"origin": "https://evil.example"})) is not None
    assert hosts("0.0.0.0", [], {}, share=True).refusal(Headers({"host": "a1b2.gradio.live"})) is None
    assert Hosts().refusal(Headers({"host": "a1b2.gradio.live"})) is not None


def test_a_proxys_word_on_where_a_visitor_comes_from_stays_the_last_however_it_adds_it() -> None:
    """HAProxy adds a line of its own; the visitor's own line stands before it."""
    seen: list[Headers] = []

    async def answer(request: Request) -> Response:
        seen.append(request.headers)
        return Response()

    guarded = Guard(Starlette(routes=[Route("/", answer)]), Hosts(proxied=True))
    lines = [("x-forwarded-for", "8.8.8.8"), ("accept", "*/*"), ("x-forwarded-for", "1.2.3.4")]
    with TestClient(guarded, base_url="http://localhost") as web:
        assert web.get("/", headers=lines).status_code == 200  # type: ignore[arg-type]
    (headers,) = seen
    assert headers.getlist("x-forwarded-for") == ["8.8.8.8, 1.2.3.4"] and headers["accept"] == "*/*"


def test_nothing_believes_a_local_callers_word_on_where_it_comes_from() -> None:
    """uvicorn would, were it not told otherwise, and every limit by address would be void."""
    sent = subprocess.run(
        [sys.executable, "-c", "import app, os; print(repr(os.environ['FORWARDED_ALLOW_IPS']))"],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "FORWARDED_ALLOW_IPS": "*"},
    )  # fmt: skip
    assert sent.stdout == "''\n", sent.stderr


def test_another_sites_page_can_neither_ask_nor_read(client: httpx.Client) -> None:
    foreign = {"Origin": "http://evil.example"}
    asks = [("GET", "/gradio_api/info"), ("GET", "/studio/explore/models"),
            ("POST", "/gradio_api/call/start_training"), ("POST", "/gradio_api/queue/join")]  # fmt: skip
    for method, path in asks:
        answer = client.request(method, path, headers=foreign, json={} if method == "POST" else None)
        assert (answer.status_code, answer.text) == (
            403,
            "This server does not answer the pages of other sites.",
        )
        assert not [name for name in answer.headers if name.startswith("access-control")]
        before = client.options(path, headers=foreign | {"Access-Control-Request-Method": method})
        assert before.status_code == 403
        assert not [name for name in before.headers if name.startswith("access-control")]


def test_a_name_that_was_made_to_point_here_is_refused_in_the_visitors_language(client: httpx.Client) -> None:
    evil: dict[str, str] = {"Host": "evil.example", "Origin": "http://evil.example"}
    for headers in (evil, evil | {"X-Forwarded-Host": "localhost"}):
        answer = client.get("/studio/explore/models", headers=headers)
        assert answer.status_code == 403
        assert answer.text.startswith("This server does not answer to the name 'evil.example'")
    chinese = client.get("/", headers=evil | {"Accept-Language": "zh-CN"})
    assert chinese.text.startswith("本服务器不认 'evil.example' 这个名字")


def test_the_page_is_not_made_to_name_another_host(client: httpx.Client) -> None:
    for header in ("X-Forwarded-Host", "X-Gradio-Server"):
        config: dict[str, Any] = client.get("/config", headers={header: "http://evil.example"}).json()
        assert "evil.example" not in config["root"]


def test_a_server_reached_by_name_answers_to_the_names_it_is_given(tmp_path: Path) -> None:
    flags = ("--host", "0.0.0.0", "--allowed-host", "studio.school")
    with served(tmp_path / "runs", *flags) as server, httpx.Client(base_url=server.address) as client:
        for name, status in (("studio.school", 200), ("localhost", 200), ("evil.example", 403)):
            assert client.get("/config", headers={"Host": name}).status_code == status
        page = {"Host": "studio.school", "Origin": "http://evil.example"}
        assert client.get("/gradio_api/info", headers=page).status_code == 403


@pytest.mark.parametrize(
    "text", ["%00", "a%00b", "x" * 5000, "%F0%9F%98%80", "../../etc/passwd", "%2Fetc%2Fpasswd"]
)
@pytest.mark.parametrize("place", [
    "/studio/live?run=", "/studio/sample?step=1&run=", "/studio/explore/image?model=", "/studio/data?name=",
    "/studio/explore/image?model=run:", "/studio/explore/grid?model=mnist&seed=", "/studio/preview?name=",
])  # fmt: skip
def test_a_strange_word_in_an_address_is_one_short_sentence(
    client: httpx.Client, place: str, text: str
) -> None:
    answer = client.get(place + text)
    assert answer.status_code in (200, 400, 404) and len(answer.text) < 1500
    assert answer.status_code != 200 or "error" in answer.json()


@pytest.mark.parametrize("text", ["a\0b", "x" * 5000, {"run": 1}, [1], 7, None])
def test_a_strange_value_in_a_call_is_one_sentence(client: httpx.Client, text: Any, runs: Path) -> None:
    log = runs.parent / "app.log"
    before = log.read_text("utf-8").count("Traceback")
    for name, data in (("run_status", [text]), ("stop_training", [text]), ("start_training", [text]),
                       ("generate", [text, 0, 1])):  # fmt: skip
        if name == "start_training" and text is None:
            continue  # no settings: the first recipe as it is
        answer = client.post(f"/gradio_api/run/{name}", json={"data": data})
        told = answer.json()["error"]
        assert answer.status_code == 500 and told and len(told) < 700, name
    assert log.read_text("utf-8").count("Traceback") == before
