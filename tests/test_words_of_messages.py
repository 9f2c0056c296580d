"""Every code that is raised or logged has words in both languages; every row of words is used."""

from __future__ import annotations

import ast
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_core import doctor, errors
from gan_core.catalog import tables
from gan_core.config import TrainConfig, kind, knobs
from gan_core.messages import ENGLISH
from gan_core.rules import RULES
from gan_core.runs import STATES
from gan_core.safe_read import REASONS
from studio.words import MESSAGE, TABLE

ROOT = Path(__file__).resolve().parents[1]
PLACE = re.compile(r"\{(\w+)[^}]*\}")
ERRORS = {name for name, row in vars(errors).items() if isinstance(row, type)}
MAKERS = {*ERRORS, "Message", "Verdict"}
LATER = {"Verdict": {"step", "value", "retries"}}  # what the words get besides what is named at the call


def calls(*names: str) -> Iterator[tuple[str, ast.Call]]:
    """(where, call) of each call of one of `names` in the program."""
    for folder in ("gan_core", "studio", "benchmarks"):
        for path in {*(ROOT / folder).rglob("*.py")} - {ROOT / "gan_core" / "errors.py"}:
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def made() -> Iterator[tuple[str, str, set[str] | None]]:
    """(where, code, names of its values) of each message made; no names where they are not all to be seen."""
    for where, call in calls(*MAKERS):
        code, named = call.args[0], {keyword.arg for keyword in call.keywords}
        if isinstance(code, (ast.Attribute, ast.Subscript, ast.Starred, ast.JoinedStr)):
            continue  # a code that was read, that a rule holds, or why a verdict is what it is: see below
        assert isinstance(call.func, ast.Name)
        values = None if None in named else {*LATER.get(call.func.id, ()), *filter(None, named)}
        for choice in (code.body, code.orelse) if isinstance(code, ast.IfExp) else (code,):
            assert isinstance(choice, ast.Constant), f"{where}: {ast.unparse(code)} is no code"
            yield where, str(choice.value), values
    for rule in RULES:
        yield f"rule {rule.code}", rule.code, {"field", *rule.figures(TrainConfig(batch=64))}
    for trouble in doctor.RULES:
        named = {signal.curve.replace("/", "_") for signal in trouble.signals}
        yield f"doctor's rule {trouble.kind}", trouble.kind, {"step", "since", "curve", *named}
    for kind_ in (
        "healthy",
        "worse-than-before",
        "too-early",
        "diverged",
        *(trouble.kind for trouble in doctor.RULES),
    ):
        yield f"why {kind_}", f"{kind_}-why", set()


def test_every_code_has_words_and_the_values_that_they_need() -> None:
    found = list(made())
    assert len(found) > 120
    for where, code, values in found:
        assert code in ENGLISH and "." not in code, f"{where}: {code!r} has no words"
        needed = set(PLACE.findall(ENGLISH[code]))
        assert values is None or needed <= values, f"{where}: {code} is not told {needed - values}"


def test_every_row_of_words_has_a_code_that_is_used() -> None:
    rows = {code for code in ENGLISH if "." not in code}
    assert rows == {code for _, code, _ in made()}


def test_the_words_of_a_place_are_those_of_all_its_values() -> None:
    asked = [call.args[2] for _, call in calls("unknown_names")]
    asked += [word.value for _, call in calls(*MAKERS) for word in call.keywords if word.arg == "what"]
    named = {node.value for node in asked if isinstance(node, ast.Constant)}
    words = {
        "what": {*named, *tables()},
        "kind": {kind(name)[0].__name__ for name in knobs()},
        "state": set(STATES),
        "drawn": (pictures := {"points", "grey", "colour", "other"}),
        "held": pictures,
        "reason": {*REASONS, *(os.strerror(number) for number in
                               (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENOTDIR))},
        "list": {"empty"},
    }  # fmt: skip
    assert {code for code in ENGLISH if "." in code} == {
        f"{place}.{value}" for place, values in words.items() for value in values
    }


def test_all_of_it_is_chinese_too() -> None:
    assert {key.removeprefix(MESSAGE) for key in TABLE if key.startswith(MESSAGE)} == set(ENGLISH)


@pytest.mark.parametrize("code", ENGLISH)
def test_both_languages_write_the_same_values_in_the_same_way(code: str) -> None:
    english, chinese = TABLE[MESSAGE + code]
    assert english == ENGLISH[code]
    assert sorted(re.findall(r"\{[^}]+\}", english)) == sorted(re.findall(r"\{[^}]+\}", chinese))
    assert re.search("[\u4e00-\u9fff]", chinese) or english == chinese == "{text}"
