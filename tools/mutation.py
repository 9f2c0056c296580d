"""Around mutmut, which breaks the functions of gan_core one token at a time: a sample, and what came of it.

    mutmut run 'gan_core.errors.*'                # makes all mutants, sees which tests reach which function
    python -m tools.mutation sample 20 training   # 20 % of each file there, LEAST at least; no name: of all
    mutmut run --max-children 1                   # what is in the sample and was not tried yet
    python -m tools.mutation again                # survivors are to be tried once more,
    MUTATION_SECONDS=60 mutmut run --max-children 1    # with more tests
    python -m tools.mutation report               # rows for tests/mutants.md

It is mutmut's pytest plugin as well: the quickest tests first, and those that take MUTATION_SECONDS together.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Iterator
from itertools import accumulate, takewhile
from pathlib import Path
from typing import Any

FOLDER = Path("mutants")
LEAST = 40
SURVIVED, NO_TESTS, SKIPPED = 0, 33, 34  # mutmut's codes; None is not tried yet
AROUND = 30  # letters shown on both sides of a change


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """The quickest tests first, and no more than take MUTATION_SECONDS together, but one."""
    if os.environ.get("MUTANT_UNDER_TEST", "").startswith("gan_core."):
        took = json.loads(Path("mutmut-stats.json").read_text("utf-8"))["duration_by_test"]
        items.sort(key=lambda item: took.get(item.nodeid, 0.0))
        limit = float(os.environ.get("MUTATION_SECONDS", "6"))
        within = sum(total <= limit for total in accumulate(took.get(item.nodeid, 0.0) for item in items))
        del items[max(1, within) :]


def files() -> Iterator[tuple[Path, Path, dict[str, Any]]]:
    """Of each file with mutants its path, that of mutmut's record, and what stands in it."""
    for path in sorted((FOLDER / "gan_core").rglob("*.py.meta")):
        record = json.loads(path.read_text("utf-8"))
        if record["exit_code_by_key"]:
            yield path.relative_to(FOLDER).with_suffix(""), path, record


def sample(share: float, wanted: list[str]) -> None:
    """Choose mutants by a hash of their names; mutmut leaves out the others."""
    for file, path, record in files():
        codes = record["exit_code_by_key"]
        meant = not wanted or file.parts[1].removesuffix(".py") in wanted
        size = max(LEAST, round(len(codes) * share / 100)) if meant else 0
        chosen = set(sorted(codes, key=lambda name: zlib.crc32(name.encode()))[:size])
        for name, code in codes.items():
            if name in chosen:
                codes[name] = None if code == SKIPPED else code
            elif meant or code is None:
                codes[name] = SKIPPED
        path.write_text(json.dumps(record), "utf-8")


def again() -> None:
    """Survivors count as not tried."""
    for _, path, record in files():
        codes = record["exit_code_by_key"]
        codes.update({name: None for name, code in codes.items() if code == SURVIVED})
        path.write_text(json.dumps(record), "utf-8")


def alike(one: str, other: str) -> int:
    """How many letters both begin with."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other))))


def change(name: str, file: Path) -> str:
    """What a mutant changes, as two cells of a table."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # of the tool's own environment

    lines = get_diff_for_mutant(name, path=file).splitlines()[2:]
    old, new = (" ".join(line[1:].strip() for line in lines if line[0] == side) for side in "-+")
    start = alike(old, new)
    same = min(alike(old[::-1], new[::-1]), len(old) - start, len(new) - start)
    shown = (side[max(0, start - AROUND) : len(side) - same + AROUND] for side in (old, new))
    return " | ".join(f"`{words.replace('|', '¦')}`" for words in shown)


def report() -> Iterator[str]:
    """A row for each file, then one for each survivor."""
    survivors = []
    for file, _, record in files():
        codes = record["exit_code_by_key"]
        tried = {name: code for name, code in codes.items() if code not in (None, SKIPPED, NO_TESTS)}
        left = [name for name, code in tried.items() if code == SURVIVED]
        where = file.relative_to("gan_core").as_posix()
        yield f"| `{where}` | {len(codes)} | {len(tried)} | {len(tried) - len(left)} |"
        for name in left:
            inside = name.rpartition(".")[2].partition("__mutmut")[0].replace("ǁ", ".").removeprefix("x")
            survivors.append(f"| `{where}` {inside.strip('._')} | {change(name, file)} |  |")
    yield from survivors


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["sample", share, *wanted]:
            sample(float(share), wanted)
        case ["again"]:
            again()
        case ["report"]:
            print("\n".join(report()))
        case _:
            sys.exit(__doc__)
