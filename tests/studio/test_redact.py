"""Messages to visitors name files, not where they lie; the log and the command line still say where."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from synthetic import make_run

from gan_core.errors import DataError
from gan_core.messages import Message, render
from studio.handlers import answered, guarded
from studio.live import Live
from studio.redact import LONGEST, redact
from studio.words import sentences


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/home/someone/My data/MNIST/raw", "raw"),
        ("/srv/x/", "x"),
        ("OSError: [Errno 13] Permission denied: '/home/someone/data/x.pt'", None),
        ("gan_core resume /srv/runs/20261121-a --steps 5", "gan_core resume 20261121-a --steps 5"),
        ("see https://example.org/a/b/c", "see https://example.org/a/b/c"),
        (r"C:\Users\someone\runs\x, then stop", "x, then stop"),
        ("and/or, 1/2/3, G(z)/D", "and/or, 1/2/3, G(z)/D"),
        ("~/data/mnist is empty", "mnist is empty"),
        ("mnist", "mnist"),
        ("x" * 5000, "x" * LONGEST + "…"),
    ],
)  # fmt: skip
def test_a_path_becomes_its_last_name(value: str, shown: str | None) -> None:
    shown = "OSError: [Errno 13] Permission denied: 'x.pt'" if shown is None else shown
    (told,) = redact([Message("prose", text=value, listed=[value, 3], count=7)])
    assert told.values == {"text": shown, "listed": [shown, 3], "count": 7}


def test_what_lies_below_the_own_folder_is_named_from_there() -> None:
    here = Path.cwd()
    told = redact([Message("prose", text=f"`gan_core resume {here}/runs/x`", path=here / "runs" / "my x")])
    assert told[0].values == {"text": "`gan_core resume runs/x`", "path": "runs/my x"}


def test_a_visitor_reads_no_folder_on_the_page_nor_by_the_api(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(gr, "Warning", shown.append)

    def fail() -> None:
        raise DataError("data-short", path=Path("/srv/secret/mnist.gz"))

    guarded(fail)()
    with pytest.raises(gr.Error) as error:
        answered(fail)()
    told = "mnist.gz is damaged or cut short; delete it and download it again."
    assert shown == [told] and error.value.message == told
    assert "/srv/secret/mnist.gz" in caplog.text, "whoever runs the studio needs it"
    message = Message("data-short", path="/srv/secret/mnist.gz")
    assert "secret" in render([message]) and "secret" not in sentences([message], "zh")


def test_a_file_that_cannot_be_read_is_not_located_for_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path)

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(run.metrics))

    monkeypatch.setattr("studio.live.Reader.answer", fail)
    web = TestClient(Starlette(routes=Live(tmp_path, list).routes()))
    answer = web.get(f"/studio/live?run={run.id}")
    assert answer.status_code == 404
    assert answer.json() == {"error": "Unexpected PermissionError: Permission denied"}
