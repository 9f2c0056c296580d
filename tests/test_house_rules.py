"""Small stays small only while something says so: limits on files and functions, and who may import whom.

They hold for the product (gan_core, studio, app.py), the tools and the benchmarks; tests may be longer.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILE, LONG_FILE, FUNCTION, PARAMETERS, NESTING = 300, 350, 50, 6, 4
ONE_IDEA = {  # files that may be long, and what would be torn apart
    "gan_core/config.py": "each setting is declared once, in one class",
    "gan_core/losses.py": "the games and the mistakes made in them, one table",
    "tools/mutant_table.py": "a table, a mistake a line",
    "studio/tabs/train.py": "one form: its parts, what they say of each other, its buttons",
}

FOLDERS = ("gan_core", "studio", "benchmarks", "tools")
SOURCES = [ROOT / "app.py", *(path for name in FOLDERS for path in sorted((ROOT / name).rglob("*.py")))]
LIBRARY = [path for path in SOURCES if path.is_relative_to(ROOT / "gan_core")]
PAGE = [path for path in SOURCES if path.is_relative_to(ROOT / "studio")]
SCRIPTS = sorted(path for end in ("js", "ts", "css") for path in (ROOT / "studio").rglob(f"*.{end}"))

LAYERS = (
    "messages files safe_read",
    "errors",
    "knobs seeds old_names memory_limit limits fair_queue devices",
    "config images latent",
    "networks data losses penalties augment mode_seeking optimisers codes runs",
    "checkpoints metrics presets child rules doctor",
    "sampling workers remedies",
    "training catalog",
    "directions inversion scoring jobs terminal memory flags",
    "worker cli",
    "__main__",
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}
NO_TORCH = (
    "errors", "safe_read", "knobs", "seeds", "old_names", "config", "presets", "runs.reader", "runs.lineage",
    "jobs",
)  # fmt: skip
DOWNWARD_WITHIN_A_LEVEL = {("checkpoints", "metrics")}  # classifiers are weights too

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    a = function.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    return [arg for arg in every if arg.arg not in ("self", "cls")]


def nesting(node: ast.AST, depth: int = 0) -> int:
    """Blocks within blocks; `elif` is no deeper than its `if`, and a function inside counts by itself."""
    deepest = depth
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        is_elif = name == "orelse" and isinstance(node, ast.If) and len(children) == 1
        for child in children:
            if not isinstance(child, ast.AST) or isinstance(child, (*FUNCTIONS, ast.ClassDef)):
                continue
            deeper = isinstance(child, BLOCKS) and not (is_elif and isinstance(child, ast.If))
            deepest = max(deepest, nesting(child, depth + deeper))
    return deepest


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of all modules imported anywhere, `from gan_core import files` as gan_core.files."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = node.module in ("gan_core", "studio")
            yield from ([f"{node.module}.{alias.name}" for alias in node.names] if inside else [node.module])


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=name_of)
def test_files_are_short(path: Path) -> None:
    limit = LONG_FILE if name_of(path) in ONE_IDEA else FILE
    assert len(path.read_text("utf-8").splitlines()) <= limit


def test_every_long_file_is_there_and_says_why() -> None:
    assert set(ONE_IDEA) <= set(map(name_of, SOURCES)) and all(ONE_IDEA.values())


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_functions_are_small_flat_and_typed(path: Path) -> None:
    for function in functions(tree := tree_of(path)):
        where = f"{name_of(path)}:{function.lineno} {function.name}"
        assert (function.end_lineno or 0) - function.lineno < FUNCTION, f"{where} is too long"
        assert len(parameters(function)) <= PARAMETERS, f"{where} takes too much"
        assert nesting(function) <= NESTING, f"{where} is too deep"
        assert function.returns, f"{where} says not what it returns"
        assert all(arg.annotation for arg in parameters(function)), f"{where} has an untyped parameter"
    assert not any(isinstance(node, ast.Global) for node in ast.walk(tree)), "global"


@pytest.mark.parametrize("path", [*LIBRARY, *PAGE, ROOT / "app.py"], ids=name_of)
def test_only_the_command_line_prints_and_only_tables_are_shared(path: Path) -> None:
    tree = tree_of(path)
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if path != ROOT / "gan_core" / "cli.py":
        assert not any(isinstance(call, ast.Name) and call.id == "print" for call in calls)
    mutable = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, mutable):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                name = ast.unparse(target)
                assert name == "__all__" or name.isupper(), f"{name} is mutable and no table"


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_everything_public_in_the_library_has_a_docstring(path: Path) -> None:
    def bare(node: ast.Module | ast.ClassDef, inside: str = "") -> Iterator[str]:
        for child in node.body:
            if isinstance(child, (ast.ClassDef, *FUNCTIONS)) and not child.name.startswith("_"):
                if not ast.get_docstring(child) and child.name != "forward":  # its class says it
                    yield inside + child.name
                if isinstance(child, ast.ClassDef):
                    yield from bare(child, f"{child.name}.")

    assert ast.get_docstring(tree := tree_of(path))
    assert not list(bare(tree))


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_the_library_imports_downward_only(path: Path) -> None:
    own = path.relative_to(ROOT / "gan_core").with_suffix("").parts[0]
    for module in imports(tree_of(path)):
        assert module.split(".")[0] not in ("gradio", "studio", "app")
        other = module.split(".")[1] if module.startswith("gan_core.") else own
        if own not in (other, "__init__"):
            beside = (other, own) in DOWNWARD_WITHIN_A_LEVEL
            assert LEVEL[other] < LEVEL[own] or beside, f"{own} imports {other}"


@pytest.mark.parametrize(
    "path", [*PAGE, *(ROOT / "gan_core" / name for name in ("jobs.py", "workers.py"))], ids=name_of
)
def test_the_page_and_the_queue_do_not_know_the_trainer(path: Path) -> None:
    assert not any(module.startswith("gan_core.training") for module in imports(tree_of(path)))


def test_gradio_stays_in_the_page() -> None:
    outside = [path for path in SOURCES if path not in PAGE and path != ROOT / "app.py"]
    assert not [path for path in outside if any(m.split(".")[0] == "gradio" for m in imports(tree_of(path)))]


@pytest.mark.parametrize("module", NO_TORCH)
def test_light_modules_do_without_torch(module: str) -> None:
    """In a process of its own, where importing torch is an error."""
    code = f"import sys; sys.modules['torch'] = None; import gan_core.{module}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and path.suffix != ".safetensors"]


def test_no_registry_and_no_path_of_one_machine_is_named() -> None:
    hosts = r"(?:pypi|pythonhosted|download\.pytorch|npmjs|anaconda|crates|jsdelivr|unpkg)\.[a-z]{2,3}"
    forbidden = re.compile(hosts + r"|(?<![\w.~-])/(?:work|root|tmp(?!/gradio))/")
    found = [
        f"{name_of(path)}: {match[0]}"
        for path in tracked()
        for match in forbidden.finditer(path.read_bytes().decode("utf-8", "ignore"))
    ]
    assert not found
