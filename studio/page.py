"""Our own files in the page: they are served from studio/web and named in the page's head.

Gradio adds what `launch(head=...)` is given only after its own bundle has run, which is too late for the
language and the colours; so the head is written into the page here.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio import words

WEB = Path(__file__).parent / "web"
TYPES = {".js": "text/javascript", ".css": "text/css"}  # some Windows registries call .js text/plain


def routes() -> list[Route]:
    """GET studio/web/{name}: a file of studio/web, or the table of words as a module."""
    return [Route("/studio/web/{name:path}", _web)]


def head(tabs: Sequence[str]) -> str:
    """What goes into the page's head: the boot script, and `main` and a module and style sheet a tab."""
    boot = (WEB / "boot.js").read_text("utf-8")
    names = ("style", "main", *tabs)
    forms = {"css": '<link rel="stylesheet" href="{}">', "js": '<script type="module" src="{}"></script>'}
    links = [
        form.format(f"studio/web/{name}.{kind}")
        for kind, form in forms.items()
        for name in names
        if (WEB / f"{name}.{kind}").exists()
    ]
    return "\n".join([f"<script>{boot}</script>", *links])


async def _web(request: Request) -> Response:
    name = request.path_params["name"]
    if name == "words.js":
        return cached(request, words.script().encode(), "text/javascript")
    path = (WEB / name).resolve()
    if path.parent != WEB.resolve() or not path.is_file():
        return PlainTextResponse(f"There is no file {name!r}.", status_code=404)
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return cached(request, path.read_bytes(), kind)


def cached(request: Request, data: bytes, kind: str, *, control: str = "no-cache") -> Response:
    """`data` under an ETag, or 304 where the browser has it. `no-cache` means: keep it, but ask each time."""
    tag = f'"{hashlib.blake2b(data, digest_size=8).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": control}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=kind, headers=headers)


class FrontPage:
    """ASGI middleware that writes `head` into the HTML of the page before its first script."""

    def __init__(self, app: ASGIApp, head: Callable[[], str]) -> None:
        self.app, self.head = app, head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"].rstrip("/"):
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                page = body.replace(b"<script", self.head().encode() + b"\n<script", 1)
                headers = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
                headers.append((b"content-length", str(len(page)).encode()))
                await send({**start, "headers": headers})
                await send({"type": "http.response.body", "body": page})

        await self.app(scope, receive, collect)
