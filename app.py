"""DCGAN Studio in the browser: `python app.py`, then http://127.0.0.1:7860. Also the Space's entry point."""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

# read by gradio when it is imported: nothing is sent anywhere, and no statistics are kept after each event
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000000"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    on_a_space = bool(os.environ.get("SPACE_ID"))
    parser = argparse.ArgumentParser(description="Train, watch and explore a DCGAN in the browser.")
    parser.add_argument(
        "--host", default="0.0.0.0" if on_a_space else "127.0.0.1", help="address to listen on"
    )
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (default: 7860)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the training runs")
    parser.add_argument("--data-root", default="", help="folder of the data sets' files")
    parser.add_argument(
        "--longest", type=float, default=900.0 if on_a_space else 0.0, metavar="SECONDS",
        help="longest run a visitor may start; 0 for no limit (default: 900 on a Space, else none)",
    )  # fmt: skip
    parser.add_argument("--share", action="store_true", help="also open a public link through Gradio's relay")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Build the page and serve it until interrupted."""
    asked = arguments(argv)
    with tempfile.TemporaryDirectory(prefix="dcgan-studio-") as scratch:
        os.environ.setdefault("GRADIO_TEMP_DIR", scratch)  # its own choice is one folder for all users
        serve(asked)


def serve(asked: argparse.Namespace) -> None:
    """The page on the address asked for, until interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("httpx").setLevel(logging.WARNING)

    from studio.app import build_app, launch_settings, warm
    from studio.services import make_services

    services = make_services(asked.runs, asked.data_root, longest=asked.longest)
    demo = build_app(services)
    try:
        where = {"server_name": asked.host, "server_port": asked.port, "share": asked.share}
        demo.launch(prevent_thread_lock=True, **where, **launch_settings(services))
        warm(services)
        logging.getLogger("studio").info("DCGAN Studio is at http://%s:%s", asked.host, asked.port)
        demo.block_thread()
    finally:
        services.jobs.close()


if __name__ == "__main__":
    main()
