"""Shuts the doors that Gradio leaves open and this app never uses.

By default a Gradio server fetches any web address for anyone (`file=http...`, `proxy=`), takes files from
strangers (`upload`), writes a page's state to its disk for them (`deep_link`), and shows who called what
(`monitoring`). Each is answered here before Gradio sees it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# what a path must not contain -> why; a path arrives decoded once, so %68ttp: is http: here
DOORS: Mapping[re.Pattern[str], str] = {
    re.compile(r"/file[=/]\W*[a-z][a-z0-9+.-]+:", re.I): "This server does not fetch other addresses.",
    re.compile(r"/proxy=", re.I): "This server does not fetch other addresses.",
    re.compile(r"/upload(_progress)?(/|$)", re.I): "This server takes no files.",
    re.compile(r"/deep_link(/|$)", re.I): "This server keeps no pages; share the address of the page itself.",
    re.compile(r"/monitoring(/|$)", re.I): "This server keeps no record of its visitors.",
}


class Guard:
    """ASGI middleware: 403 and one sentence for every path of `DOORS`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = refusal(scope["path"]) if scope["type"] in ("http", "websocket") else None
        if reason is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(reason, status_code=403)(scope, receive, send)


def refusal(path: str) -> str | None:
    """Why `path` is shut, or None."""
    return next((why for door, why in DOORS.items() if door.search("/" + path)), None)
