"""Who may pause, continue and stop a run: whoever started it. Everyone may watch.

A page keeps a random token in its browser (`web/boot.js`) and sends it with every request as the header
`X-Studio-Owner`; a caller of the API chooses a text of its own. Not a cookie: a page in a Space's frame has
none. Who sends no token is known by the network address, so that all who call from there without one count
as one; behind a proxy such a caller is refused. The run keeps a hash alone, see
`gan_core.runs.reader.read_owner`; a run of the command line has no owner here, and only the command line
ends it.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from pathlib import Path

import gradio as gr

from gan_core.errors import JobError
from gan_core.runs.layout import find_run
from gan_core.runs.reader import read_owner

HEADER = "x-studio-owner"


def owner_of(request: gr.Request, proxied: bool) -> str:
    """The mark by which a run remembers who sent `request`: a hash, never the token itself.

    Raises:
        JobError: behind a proxy (`proxied`), where callers without a token could not be told apart.
    """
    token = request.headers.get(HEADER, "")
    if proxied and not token:
        raise JobError("token-missing")
    return _mark(f"token {token}" if token else _address(request, proxied))


def address_of(request: gr.Request, proxied: bool) -> str:
    """The mark of the network that sent `request`; "" where it is not known."""
    address = _address(request, proxied)
    return _mark(address) if address else ""


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


def _address(request: gr.Request, proxied: bool) -> str:
    """The address: as the connection has it, or as the proxies that we trust say: the last one that is not of
    their own networks. Of the newer kind (IPv6) the network, which is what a household has."""
    near = request.client.host if request.client else ""
    said = request.headers.get("x-forwarded-for", "").split(",") if proxied else [near]
    for text in reversed(said):
        try:
            address = ipaddress.ip_address(text.strip())
        except ValueError:
            return ""  # what stands before it may be the visitor's own word
        address = getattr(address, "ipv4_mapped", None) or address
        if address.is_global or not proxied:
            network = ipaddress.ip_network((address, 64 if address.version == 6 else 32), strict=False)
            return f"address {network}"
    return ""


def _mark(known_by: str) -> str:
    return hashlib.sha256(known_by.encode()).hexdigest()
