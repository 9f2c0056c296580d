"""DCGAN Studio in the browser: `python app.py`, then http://127.0.0.1:7860. Also the Space's entry point."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import shlex
import signal
import sys
from collections.abc import Sequence

from gan_core.errors import ConfigError, GanError
from gan_core.flags import refuse
from studio.flags import parser
from studio.scratch import scratch_folder

# read by gradio when it is imported: nothing is sent anywhere, and no statistics are kept after each event
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000000"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["FORWARDED_ALLOW_IPS"] = ""  # uvicorn would believe any local caller's word on where it comes from


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for, and before it STUDIO_FLAGS: a Space has no command line."""
    given = sys.argv[1:] if argv is None else argv
    flags = parser(os.environ)
    try:
        set_before = shlex.split(os.environ.get("STUDIO_FLAGS", ""))
    except ValueError as error:
        flags.error(f"STUDIO_FLAGS cannot be read: {error}")
    asked, rest = flags.parse_known_args([*set_before, *given])
    if rest:
        try:
            refuse(rest, "python app.py", flags)
        except ConfigError as error:
            flags.error(str(error))
    return asked


def main(argv: Sequence[str] | None = None) -> None:
    """Build the page and serve it until interrupted."""
    asked = arguments(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, tidied up
    with contextlib.suppress(KeyboardInterrupt), scratch_folder() as scratch:
        os.environ.setdefault("GRADIO_TEMP_DIR", str(scratch))  # its own choice is one folder for all users
        serve(asked)


def serve(asked: argparse.Namespace) -> None:
    """The page on the address asked for, until interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("httpx").setLevel(logging.WARNING)

    from studio.app import build_app, launch, warm
    from studio.flags import services_of

    try:
        with contextlib.closing(services_of(asked, os.environ)) as services:
            demo = build_app(services)
            launch(demo, services, asked.host, asked.port, asked.share)
            warm(services)
            logging.getLogger("studio").info("DCGAN Studio is at http://%s:%s", asked.host, asked.port)
            demo.block_thread()
    except GanError as error:
        sys.exit(f"app.py: {error}")


if __name__ == "__main__":
    main()
