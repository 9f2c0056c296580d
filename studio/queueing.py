"""Gradio's queue and its sessions: what they may take, and that no function waits for another one's crowd."""

from __future__ import annotations

from typing import Any

from gan_core.messages import Message
from studio.words import language, sentences

PAUSE = 0.05  # seconds, as Gradio has on Windows; its 0.001 elsewhere costs 7 % of a core
WAITING = 64  # calls of one function that may wait
SESSIONS = 256  # remembered, the last that asked for something; each takes about a third of a megabyte


def poll_slowly(demo: Any) -> None:
    """Let Gradio's queue sleep longer while it is empty; a version that has no such setting keeps its own."""
    queue = getattr(demo, "_queue", None)  # private: requirements.txt pins the versions in which it was read
    if hasattr(queue, "sleep_when_free"):
        queue.sleep_when_free = PAUSE


def bound_each_function(demo: Any, most: int = WAITING) -> None:
    """Give each function a queue of its own length.

    Gradio counts all that wait together: eighty changed forms, and a call of the API, which waits for none of
    them, is told that the queue is full.
    """
    queue = getattr(demo, "_queue", None)
    if not all(hasattr(queue, name) for name in ("push", "max_size", "event_queue_per_concurrency_id")):
        return
    push, queue.max_size = queue.push, None

    async def bounded(body: Any, request: Any, username: Any) -> Any:
        function = demo.fns.get(body.fn_index)
        line = queue.event_queue_per_concurrency_id.get(getattr(function, "concurrency_id", None))
        if line is not None and len(line.queue) >= most:
            return False, sentences([Message("queue-busy")], language(request)), "queue_full"
        return await push(body=body, request=request, username=username)

    queue.push = bounded
