"""python -m tools.mutants [NAME ...]: break the code in one place at a time; a test must fall each time.

Renews the rows of tests/mutants.md, all or those named: what was changed, and the first test that noticed.
Ends with 1 when one did not.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.mutant_table import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("gan_core", "studio", "tests", "tools", "weights", "app.py", "pyproject.toml")
LIST = ROOT / "tests" / "mutants.md"
HEAD = ("# Mutants", "", "Each line is a mistake put into the code on purpose, and the test that noticed it.",
        "Made by `python -m tools.mutants`.", "", "| what was broken | where | the test that fell |",
        "|---|---|---|")  # fmt: skip


def fell(mutant: Mutant, place: Path) -> str:
    """The first test that fails in a copy of the code with the change; "" when all pass.

    Raises:
        ValueError: the words are not there, so there is nothing to break.
        SyntaxError: what is left is no Python.
    """
    path = place / mutant.path
    sound = path.read_text("utf-8")
    if mutant.old not in sound:
        raise ValueError(f"{mutant.what}: {mutant.file} has no {mutant.old!r}")
    broken = sound.replace(mutant.old, mutant.new, 1)
    compile(broken, mutant.file, "exec")  # a file that cannot be read would make any test fall
    path.write_text(broken, "utf-8")
    try:
        return first_failure(mutant.tests.split(), place)
    finally:
        path.write_text(sound, "utf-8")


def path_of_test(name: str) -> str:
    """A file of tests from the root of the project."""
    return f"tests/{name}" if name.startswith("studio/") else f"tests/gan_core/{name}"


def first_failure(files: Sequence[str], place: Path) -> str:
    """The first test of these files that fails there; "" when all pass."""
    tests = [path_of_test(name) for name in files]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
    said = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, text=True, check=False).stdout
    found = re.search(r"^(?:FAILED|ERROR) tests/(?:gan_core/)?(\S+)", said, re.MULTILINE)
    return found[1] if found else ""


def told() -> dict[str, str]:
    """The rows of tests/mutants.md, by what was broken."""
    rows = LIST.read_text("utf-8").splitlines()
    return {row.split("|")[1].strip(): row for row in rows if row.startswith("|")}


def main() -> int:
    """Try all mutants whose words contain one of the arguments; renew their rows. Returns the exit code."""
    wanted = sys.argv[1:]
    chosen = [m for m in MUTANTS if not wanted or any(word in m.what for word in wanted)]
    if not chosen:
        raise SystemExit(f"No mutant's name contains {' or '.join(wanted)}.")
    rows, survivors = told(), 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, place / name)
        if failure := first_failure(sorted({name for m in chosen for name in m.tests.split()}), place):
            raise SystemExit(f"{failure} fails without any mutant: mend it first.")
        for mutant in chosen:
            test = fell(mutant, place)
            survivors += not test
            print(f"{mutant.what}: {test or 'SURVIVED'}", flush=True)
            rows[mutant.what] = f"| {mutant.what} | `{mutant.file}` | `{test or 'none'}` |"
    listed = [rows[mutant.what] for mutant in MUTANTS if mutant.what in rows]
    _, *others = LIST.read_text("utf-8").partition("\n## ")  # what follows is not of this table
    LIST.write_text("\n".join([*HEAD, *listed, "".join(others)]), "utf-8")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
