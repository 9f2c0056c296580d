"""The flags of `app.py`, and the services that they ask for. Imports no gradio before it has to.

A server that only this machine reaches is its owner's own. One that others reach ("public") is careful with
what visitors may have, unless a flag says otherwise.
"""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gan_core.flags import Parser
from gan_core.limits import Limits
from gan_core.memory_limit import machine_memory

if TYPE_CHECKING:
    from studio.services import Services

GB = 10**9
LONGEST = 900.0  # seconds of training
# of the machine's memory that a visitor's run may take: one trains, one stands still, one may be about to end
SHARE = 0.3
PUBLIC = Limits(
    waiting=3,
    paused=2,
    starts=6,
    all_starts=20,
    address_share=0.5,
    folder_runs=200,
    folder_megabytes=4000.0,
    silence=300.0,
)


def parser(environment: Mapping[str, str]) -> Parser:
    """Every flag; some have other defaults on a Space."""
    on_a_space = bool(environment.get("SPACE_ID"))
    about = "Train, watch and explore a DCGAN in the browser."
    made = Parser(prog="app.py", description=about, allow_abbrev=False)
    flag = made.add_argument
    flag(
        "--host",
        default="0.0.0.0" if on_a_space else "127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on",
    )
    flag("--port", type=_port, default=7860, metavar="N", help="port to listen on (default: 7860)")
    flag("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of the training runs")
    flag("--data-root", default="", metavar="DIR", help="folder of the data sets' files")
    flag(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name under which visitors reach this server, besides localhost and addresses in figures; "
        "may be given again for each further one",
    )
    flag(
        "--downloads",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether visitors may have missing data sets downloaded (default: only where none but this "
        "machine reaches the server)",
    )
    for name, (kind, what) in LIMITED.items():
        limited = f"{what}: in brackets what holds where others reach the server, else none; 0 for no limit"
        flag(f"--{name}", type=kind, metavar="N", help=limited)
    flag("--queue", type=_count, metavar="N", help=f"runs of all visitors that may wait ({PUBLIC.queue})")
    proxied = "a proxy of yours stands before the server: its X-Forwarded-Host and X-Forwarded-For count"
    flag("--proxied", action="store_true", help=proxied)
    flag("--share", action="store_true", help="also open a public link through Gradio's relay")
    return made


def services_of(asked: argparse.Namespace, environment: Mapping[str, str]) -> Services:
    """The services that the flags ask for.

    Raises:
        RunError: the folder of the runs cannot be one.
    """
    from studio.guard import hosts
    from studio.services import make_services

    public = asked.share or asked.proxied or bool(asked.allowed_host) or not is_loopback(asked.host)
    return make_services(
        asked.runs,
        asked.data_root,
        limits=limits_of(asked, public),
        longest=(LONGEST if public else 0.0) if asked.longest is None else asked.longest,
        downloads=not public if asked.downloads is None else asked.downloads,
        hosts=hosts(asked.host, asked.allowed_host, environment, asked.share, asked.proxied),
    )


def limits_of(asked: argparse.Namespace, public: bool) -> Limits:
    """What visitors may have: as the flags say, else what suits a public server, or no limit on one's own."""
    usual = replace(PUBLIC, memory=int(SHARE * machine_memory())) if public else Limits()
    names = ("waiting", "paused", "starts", "queue", "folder_runs", "folder_megabytes")
    given = {name: getattr(asked, name) for name in names}
    given["all_starts"] = 0 if asked.starts == 0 else None
    given["memory"] = None if asked.memory is None else int(asked.memory * GB)
    return replace(usual, **{name: value for name, value in given.items() if value is not None})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a whole number from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no count: give a whole number, 0 for no limit")
    return int(text[:9])


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount: give a number, 0 for no limit")
    return value


# flag -> what it takes, what it limits
LIMITED: Mapping[str, tuple[Callable[[str], float], str]] = {
    "longest": (_amount, f"seconds of training that a visitor's run may take ({LONGEST:g})"),
    "memory": (_amount, "GB of memory that a visitor's run may take (three tenths of the machine's)"),
    "waiting": (_count, f"runs that one visitor may have waiting ({PUBLIC.waiting})"),
    "paused": (_count, f"runs that one visitor may have paused ({PUBLIC.paused})"),
    "starts": (
        _count,
        f"runs that one visitor may start in a minute ({PUBLIC.starts})",
    ),
    "folder-runs": (_count, f"visitors' runs kept, the oldest go first ({PUBLIC.folder_runs})"),
    "folder-megabytes": (_amount, f"and what they fill ({PUBLIC.folder_megabytes:g})"),
}
