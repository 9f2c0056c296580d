"""README's "Add your own" is true: each recipe is copied into a copy of the program, and trains there."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
HEAD = re.compile(r"^# (gan_core/\S+\.py)(?:, a row of ([A-Z]+))?$", re.MULTILINE)
MOST = 15  # lines of code
QUICK = ["--size=16", "--d-width=4", "--latent=8", "--batch=8", "--steps=4", "--precision=fp32",
         "--memory-format=contiguous", "--threads=1", "--quiet"]  # fmt: skip


def recipes() -> list[list[tuple[str, str, str]]]:
    """The recipes of README, each a list of (file, table or "", text)."""
    section = README.split("## Add your own\n")[1].split("\n## ")[0]
    found = []
    for block in re.findall(r"^```python no-run\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
        _, *parts = HEAD.split(block)
        assert parts, "a recipe begins with the file that it goes into"
        found.append(list(zip(parts[::3], (table or "" for table in parts[1::3]), parts[2::3])))
    return found


def follow(place: Path, recipe: list[tuple[str, str, str]]) -> None:
    """Do as a reader does: functions above their table or in a new file, the row into its table."""
    aside = "".join(text for file, table, text in recipe if not table and (place / file).exists())
    for file, table, text in recipe:
        path = place / file
        if table:
            lines = text.splitlines(keepends=True)
            imports = "".join(line for line in lines if line.startswith("from "))
            row = "".join(line for line in lines if not line.startswith("from "))
            old = path.read_text("utf-8")
            (begin,) = re.findall(rf"^{table}: .*= \{{\n", old, re.MULTILINE)
            path.write_text(old.replace(begin, f"{imports}{aside}\n\n{begin}{row}"), "utf-8")
        elif not path.exists():
            path.write_text(text, "utf-8")


def code_lines(text: str) -> int:
    """Lines that are neither empty, nor comments, nor within a docstring."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    bodies = [node.body[0] for node in ast.walk(ast.parse(text)) if isinstance(node, kinds) and node.body]
    words = [d for d in bodies if isinstance(d, ast.Expr) and isinstance(d.value, ast.Constant)]
    said = {number for d in words for number in range(d.lineno, (d.end_lineno or 0) + 1)}
    lines = enumerate(text.splitlines(), 1)
    return sum(1 for n, line in lines if line.strip() and not line.strip().startswith("#") and n not in said)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program with all the recipes put in."""
    folder = tmp_path_factory.mktemp("recipes")
    shutil.copytree(ROOT / "gan_core", folder / "gan_core", ignore=shutil.ignore_patterns("__pycache__"))
    for recipe in recipes():
        follow(folder, recipe)
    return folder


def told(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What a command in the copy says."""
    environment = {**os.environ, "PYTHONPATH": str(place)}
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_there_is_one_for_each_kind_and_all_are_short() -> None:
    tables = [[table for _, table, _ in recipe if table] for recipe in recipes()]
    assert tables == [["LOSSES"], ["NETWORKS"], ["DATASETS"], ["PRESETS"]]
    for recipe in recipes():
        files = [file for file, table, _ in recipe if not table]
        assert len(files) <= 1 and len({file for file, _, _ in recipe}) <= 2, "one file and its row"
        assert all(code_lines(text) <= MOST for _, table, text in recipe if not table)
        assert all(len(line) <= 110 for _, _, text in recipe for line in text.splitlines())


LOOK = """
from pathlib import Path
from gan_core import catalog, directions, presets
from gan_core.cli import main
from gan_core.sampling import Sampler
for setting, name in (("loss", "pearson"), ("network", "linear"), ("dataset", "bars")):
    assert name in catalog.choices(setting)
    changes = {setting: name, "steps": 1, "size": 16}
    assert catalog.check(presets.settings("glyphs", changes)).steps == 1
rows = catalog.tables()
assert all(rows[t][n].summary.endswith(".") for t, n in (("losses", "pearson"), ("networks", "linear")))
assert catalog.check_name("presets", "bars") == "bars"
assert main(["datasets"]) == main(["presets"]) == 0
assert main(["train", "--preset=glyphs", "--loss=peerson", "--steps=1"]) == 2
(run,) = Path("runs").iterdir()
assert main(["sample", str(run), "--n=6", "--label=1", "--out=grid.png"]) == 0
sampler = Sampler.load(run)
assert sampler.class_names == ["upright", "lying"]
assert directions.principal_directions(sampler, 3)[0].shape == (3, 8)
"""


def test_a_run_trains_with_all_of_them_and_the_catalogue_knows_them(place: Path) -> None:
    out = told(place, "-m", "gan_core", "train", "--preset=bars", "--runs=runs", *QUICK).stdout
    assert place / out.splitlines()[-1] == next((place / "runs").iterdir())
    looked = told(place, "-c", LOOK)
    assert any(line.startswith("bars") and "ready" in line for line in looked.stdout.splitlines())
    assert "Bars, by all that was added above." in looked.stdout
    assert "did you mean 'pearson'?" in looked.stderr and "6 pictures in grid.png" in looked.stdout
