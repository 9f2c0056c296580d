"""python -m benchmarks [SECTION ...] [--seeds N] [--only ROW]: measure, and print README's table."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.abuse import abuse
from benchmarks.app import app
from benchmarks.doctor import doctor
from benchmarks.failures import failures
from benchmarks.infogan import infogan
from benchmarks.powercut import powercut
from benchmarks.quality import against_reference, quality
from benchmarks.resume import resume
from benchmarks.soak import soak
from benchmarks.steadiness import steadiness
from benchmarks.sturdy import SECONDS
from benchmarks.table import Row, machine, markdown
from benchmarks.train import speeds


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


SECTIONS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "app": lambda a: app(a.data_root, _say),
    "quality": lambda a: (
        quality(a.seeds, a.data_root, _say, a.only, a.seconds)
        + infogan(a.seeds or 3, a.data_root, _say, a.only)
    ),
    "reference": lambda a: against_reference(a.data_root, _say),
    "resume": lambda a: resume(a.seeds or 3, _say, a.only),
    "steadiness": lambda a: steadiness(a.seeds or 24, a.data_root, _say, a.only),
    "soak": lambda a: soak(a.data_root, _say, a.calls, a.seconds),
    "abuse": lambda a: abuse(a.data_root, _say, a.only),
    "powercut": lambda a: powercut(10, _say) if a.only in "powercut" else [],
    "doctor": lambda a: doctor(a.seeds or 3, a.data_root, _say, a.only),
    "failures": lambda a: failures(a.seeds or 3, _say, a.only),
    "train": lambda a: speeds(_say, a.only),
}


def main() -> None:
    """Run the sections asked for, all by default, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--seeds", type=int, help="3 by default, 10 for points, 24 for steadiness")
    parser.add_argument("--only", default="", metavar="ROW", help="rows whose name contains this")
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        help="of the row sturdy, and of soak's browsers (default: 1800)",
    )
    parser.add_argument("--calls", type=int, default=20_000, help="of the API, in soak (default: 20000)")
    parser.add_argument("--data-root", default=os.environ.get("GAN_DATA", "data"))
    arguments = parser.parse_args()
    names = arguments.sections or list(SECTIONS)
    if not set(names) <= SECTIONS.keys():
        parser.error(f"sections are {', '.join(SECTIONS)}")
    if arguments.seeds is not None and arguments.seeds < 1:
        parser.error(f"--seeds is {arguments.seeds}, and at least one run is needed")
    arguments.data_root = str(Path(arguments.data_root).resolve())
    rows = [row for name in names for row in SECTIONS[name](arguments)]
    if not rows:
        parser.error(f"no row of {', '.join(names)} has {arguments.only!r} in its name")
    print(f"{machine()}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
