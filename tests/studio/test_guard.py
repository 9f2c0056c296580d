"""Each door that Gradio leaves open is tried on the real app, and each that is needed still opens."""

from __future__ import annotations

import httpx
import pytest

from studio.guard import refusal

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
                                  "/studio/web/words.js", "/studio/explore/models"])  # fmt: skip
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
