"""Who and what this server answers: the doors that the app uses, under its own names, for its own page.

By default a Gradio server fetches any web address for anyone (`file=http...`, `proxy=`), takes files from
strangers (`upload`), writes a page's state to its disk for them (`deep_link`), shows who called what
(`monitoring`), holds a connection open for ever (`dev/reload`), and lets the pages of all other sites read
its answers and press its buttons. Each is answered here before Gradio sees it.

A name is checked because any name can be made to point at this machine: then a foreign page and this server
are one site to the browser. An address in figures cannot be, so those are always known.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gan_core.messages import Message
from studio.words import language, sentences

# what a path must not contain -> why; a path arrives decoded once, so %68ttp: is http: here
DOORS: Mapping[re.Pattern[str], Message] = {
    re.compile(r"/file[=/]\W*[a-z][a-z0-9+.-]+:", re.I): Message("door-fetch"),
    re.compile(r"/proxy=", re.I): Message("door-fetch"),
    re.compile(r"/upload(_progress)?(/|$)", re.I): Message("door-upload"),
    re.compile(r"/deep_link(/|$)", re.I): Message("door-deep-link"),
    re.compile(r"/monitoring(/|$)", re.I): Message("door-monitoring"),
}
CALLED = "models|generate|interpolate|start_training|run_status|stop_training"  # by name; the page: predict
# all that the page, gradio_client and plain callers ask for; what a later Gradio adds is shut until then
OPEN = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json)/?|/pwa_icon(/\d+)?"
    r"|/(studio|static|assets|svelte)/.+"
    r"|/gradio_api/((info|startup-events|theme\.css|app_id|cancel|reset|queue/(join|data))/?"
    r"|heartbeat/.+|file=.+|run/predict|(call(/v2)?|run|api)/(" + CALLED + r")(/.*)?)"
)
LONGEST = 2000  # letters of a path
FORWARDED = (b"x-forwarded-host", b"x-gradio-server")  # what Gradio believes before the Host
LOCAL = "localhost"


@dataclass(frozen=True)
class Hosts:
    """The names of this server; ".example.org" stands for every name that ends so.

    proxied: a proxy that we trust stands before it and says in X-Forwarded-Host what the visitor asked for.
    """

    names: frozenset[str] = frozenset()
    proxied: bool = False

    def refusal(self, headers: Headers) -> Message | None:
        """Why a request with these headers is not answered, or None."""
        asked = headers.get("host", "")
        if self.proxied:
            asked = headers.get("x-forwarded-host", asked).split(",")[0].strip()
        if not self._is_ours(name := _name(asked)):
            return Message("host-unknown", name=name[:100])
        origin = headers.get("origin")
        if origin is None:
            return None
        place = origin.partition("://")[2]
        same = place.lower() == asked.lower() or self._is_named(_name(place))
        return None if same else Message("origin-foreign")

    def _is_ours(self, name: str) -> bool:
        return name == LOCAL or _is_address(name) or self._is_named(name) or any(
            end.startswith(".") and name.endswith(end) for end in self.names
        )  # fmt: skip

    def _is_named(self, name: str) -> bool:
        """Whether it is one of the names in full: the pages of all others are foreign to each other."""
        return bool(name) and name in self.names


def hosts(
    host: str,
    allowed: Iterable[str],
    environment: Mapping[str, str],
    share: bool = False,
    proxied: bool = False,
) -> Hosts:
    """The names of a server that listens on `host`, with those that whoever runs it allows.

    Behind a Space's proxy, Gradio's relay (`share`) and one's own (`proxied`) the visitor's words come by it.
    """
    space = environment.get("SPACE_HOST", "")
    names = {name.strip().lower() for name in (host, *allowed, *space.split(","))}  # no ports
    names = {name for name in names if name not in ("", LOCAL) and not _is_address(name)}  # known anyway
    return Hosts(frozenset(names) | ({".gradio.live"} if share else set()), bool(space) or share or proxied)


class Guard:
    """ASGI middleware: 403 and one sentence for what is not to be answered."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        reason = self.hosts.refusal(Headers(scope=scope)) or refusal(scope["path"])
        if reason is None:
            dropped = FORWARDED[1:] if self.hosts.proxied else FORWARDED
            kept = [(name, value) for name, value in scope["headers"] if name not in dropped]
            await self.app({**scope, "headers": _joined(kept, b"x-forwarded-for")}, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            told = sentences([reason], language(Request(scope)))
            await PlainTextResponse(told, status_code=403)(scope, receive, send)


def _joined(headers: list[tuple[bytes, bytes]], name: bytes) -> list[tuple[bytes, bytes]]:
    """The headers with all lines `name` made one: a proxy adds its word last, some as a further line."""
    lines = [value for other, value in headers if other == name]
    rest = [(other, value) for other, value in headers if other != name]
    return [*rest, (name, b", ".join(lines))] if lines else rest


def refusal(path: str) -> Message | None:
    """Why `path` is shut, or None."""
    shut = next((why for door, why in DOORS.items() if door.search("/" + path)), None)
    known = len(path) <= LONGEST and path.isprintable() and OPEN.fullmatch(path)
    return shut or (None if known else Message("door-shut"))


def guarding(hosts: Hosts) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """A lifespan that puts the guard around the whole app, before its first request.

    As `app_kwargs["middleware"]` it would stand inside Gradio's own, which by then has allowed the pages of
    any other site to read the answer.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        app.middleware_stack = Guard(app.middleware_stack, hosts)
        yield

    return lifespan


def _is_address(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False


def _name(place: str) -> str:
    """The host of "host:port", without brackets, in small letters; "" for what is none."""
    try:
        return (urlsplit(f"//{place}").hostname or "").rstrip(".")
    except ValueError:
        return ""
