"""Who may pause, continue and stop a run: whoever started it. Everyone may watch.

A page keeps a random token in its browser (`web/boot.js`) and sends it with every request as the header
`X-Studio-Owner`; a caller of the API chooses a text of its own. Not a cookie: a page in a Space's frame has
none. Who sends no token is known by the network address, so that all who call from there without one count
as one. The run keeps a hash alone, see `gan_core.runs.reader.read_owner`; a run of the command line has no
owner here, and only the command line ends it.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import gradio as gr

from gan_core.errors import JobError
from gan_core.runs.layout import find_run
from gan_core.runs.reader import read_owner

HEADER = "x-studio-owner"


def owner_of(request: gr.Request) -> str:
    """The mark by which a run remembers who sent `request`: a hash, never the token itself."""
    token = request.headers.get(HEADER, "")
    return _mark(f"token {token}" if token else _address(request))


def address_of(request: gr.Request, proxied: bool) -> str:
    """The mark of the network address that sent `request`; "" behind a proxy, from which all come."""
    return "" if proxied else _mark(_address(request))


def check_token(request: gr.Request, proxied: bool) -> None:
    """Nothing where it can be told who sent `request`.

    Raises:
        JobError: behind a proxy all callers without a token would be one.
    """
    if proxied and not request.headers.get(HEADER):
        raise JobError("token-missing")


def owns(runs: Path, run_id: str, owner: str) -> bool:
    """Whether the run is of the visitor `owner`.

    Raises:
        RunError: there is no such run.
    """
    mark = read_owner(find_run(runs, run_id))
    return bool(mark) and hmac.compare_digest(mark.encode(), owner.encode())


def check_owner(runs: Path, run_id: str, owner: str) -> None:
    """Nothing for whoever started the run.

    Raises:
        RunError: there is no such run.
        JobError: it is somebody else's.
    """
    if not owns(runs, run_id, owner):
        raise JobError("run-not-yours", run=run_id)


def _address(request: gr.Request) -> str:
    return f"address {request.client.host if request.client else ''}"


def _mark(known_by: str) -> str:
    return hashlib.sha256(known_by.encode()).hexdigest()
