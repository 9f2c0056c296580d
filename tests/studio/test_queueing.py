"""Calls of the API do not wait for, nor count with, the estimates of changed forms."""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from generators import free_port, quiet_services
from gradio import queueing as gradio_queueing
from gradio.queueing import Queue

from studio.app import build_app, launch_settings
from studio.queueing import PAUSE, SESSIONS, WAITING, bound_each_function, poll_slowly


def test_an_idle_queue_costs_next_to_nothing(tmp_path: Path) -> None:
    """Gradio's loop sleeps as long as this attribute says; under another name it would spin again."""
    assert build_app(quiet_services(tmp_path))._queue.sleep_when_free == PAUSE >= 0.02
    assert "asyncio.sleep(self.sleep_when_free)" in inspect.getsource(Queue.start_processing)
    for queue in ({}, {"push": len}, {"push": len, "max_size": 64}):
        other = SimpleNamespace(_queue=SimpleNamespace(**queue))
        for target in (SimpleNamespace(), other):
            poll_slowly(target)
            bound_each_function(target)
        assert vars(other._queue) == queue, "private, so not counted on"


def test_sessions_are_few(tmp_path: Path) -> None:
    assert launch_settings(quiet_services(tmp_path))["state_session_capacity"] == SESSIONS <= 300


def test_a_function_has_a_queue_of_its_own_length() -> None:
    asked: list[int] = []

    async def push(body: Any, request: Any, username: Any) -> Any:
        asked.append(body.fn_index)
        return True, "id", "success"

    lines = {"form": SimpleNamespace(queue=[0] * 80), "api": SimpleNamespace(queue=[])}
    queue = SimpleNamespace(push=push, max_size=64, event_queue_per_concurrency_id=lines)
    functions = {1: SimpleNamespace(concurrency_id="form"), 2: SimpleNamespace(concurrency_id="api")}
    demo = SimpleNamespace(_queue=queue, fns=functions)
    bound_each_function(demo)
    visitor = SimpleNamespace(cookies={}, headers={"accept-language": "zh"})

    def ask(index: int | None) -> Any:
        body = SimpleNamespace(fn_index=index)
        with ThreadPoolExecutor(1) as fresh:  # in this one a browser test's loop may be running
            return fresh.submit(asyncio.run, queue.push(body=body, request=visitor, username=None)).result()

    assert ask(1)[0] is False and ask(1)[1].startswith("现在问这个的人太多") and ask(1)[2] == "queue_full"
    assert ask(2)[0] and ask(None)[0]
    lines["form"].queue = [0] * (WAITING - 1)
    assert ask(1)[0] and asked == [2, None, 1]


def test_while_eighty_changed_forms_wait_a_call_of_the_api_is_answered() -> None:
    go_on = threading.Event()
    with gr.Blocks() as demo:
        form = gr.Button()
        form.click(go_on.wait, None, None, api_visibility="private")
        gr.api(answer, api_name="answer", queue=False)
    demo.queue(default_concurrency_limit=4)
    poll_slowly(demo)
    bound_each_function(demo)
    _, address, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_port=free_port())
    try:
        with httpx.Client(base_url=address, timeout=30) as client:
            body = {"fn_index": 0, "data": []}
            codes = [client.post("/gradio_api/queue/join", json=body | {"session_hash": f"s{n}"}).status_code
                     for n in range(80)]  # fmt: skip
            waiting = len(demo._queue)
            assert waiting == WAITING and codes.count(503) == 80 - codes.count(200) > 0
            for _ in range(3):
                event = client.post("/gradio_api/call/answer", json={"data": []}).json()["event_id"]
                assert "event: complete" in client.get(f"/gradio_api/call/answer/{event}").text
            assert client.post("/gradio_api/run/answer", json={"data": []}).json()["data"] == [42]
            assert len(demo._queue) == waiting, "they wait still"
    finally:
        go_on.set()
        demo.close()


def answer() -> int:
    """What a function of the API may say."""
    return 42


def test_the_limit_counted_all_functions_together_before() -> None:
    """The reason for `bound_each_function`: when Gradio counts otherwise, it may go."""
    source = inspect.getsource(gradio_queueing.Queue.push)
    assert "len(self) >= self.max_size" in source


@pytest.mark.parametrize("name", ["models", "generate", "interpolate", "start_training", "run_status",
                                  "stop_training"])  # fmt: skip
def test_no_function_of_the_api_waits_in_the_queue(tmp_path: Path, name: str) -> None:
    functions = {fn.api_name: fn for fn in build_app(quiet_services(tmp_path)).fns.values()}
    assert functions[name].queue is False


def test_the_studios_own_queue_is_one_a_function(tmp_path: Path) -> None:
    queue = build_app(quiet_services(tmp_path))._queue
    assert queue.max_size is None and queue.push.__name__ == "bounded"
