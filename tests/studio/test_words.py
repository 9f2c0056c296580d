"""Every visible string exists in both languages, and every key that code asks for exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import gan_core
from gan_core.config import BUDGET
from gan_core.data import DATASETS
from gan_core.latent import INTERPOLATIONS
from gan_core.presets import PRESETS
from gan_core.runs.reader import STATES
from studio import words
from studio.estimate import SEEN
from studio.models import DIRECTIONS
from studio.tabs import train

ROOT = Path(words.__file__).parent


@pytest.mark.parametrize("key", words.TABLE)
def test_both_languages_say_it_with_the_same_places(key: str) -> None:
    english, chinese = words.TABLE[key]
    assert english.strip() and chinese.strip()
    assert sorted(re.findall(r"\{[^}]+\}", english)) == sorted(re.findall(r"\{[^}]+\}", chinese))
    assert not re.search("[\u4e00-\u9fff]", english)


def test_chinese_is_chinese() -> None:
    """A text without a Chinese character is a name or a figure that is the same in both languages."""
    places = re.compile(r"\{[^}]+\}")
    for key, (english, chinese) in words.TABLE.items():
        assert re.search("[\u4e00-\u9fff]", chinese) or places.sub("", english) == places.sub("", chinese), (
            key
        )


def test_every_key_that_code_names_is_there() -> None:
    sources = [*ROOT.rglob("*.py"), *ROOT.glob("web/*.js")]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    python = re.findall(r"""\b(?:t|span|pick|say|word)\(\s*"([a-z]+\.[\w.]+)\"""", text)
    assert len(python) > 30
    assert [key for key in python if key not in words.TABLE] == []


def recorded() -> tuple[set[str], set[str]]:
    """(groups, curves) that training records: "group/curve" as its source names it, and a step's terms."""
    folder = Path(gan_core.__file__).parent / "training"
    sources = [*folder.glob("*.py"), folder.parent / "metrics" / "grid_metrics.py"]
    named = [pair for path in sources for pair in re.findall(r'"([a-z_]+)/([^"{]+)"', path.read_text())]
    terms = [term for name in ("step", "record")
             for term in re.findall(r'[\s{]"(\w+)": ', (folder / f"{name}.py").read_text())]  # fmt: skip
    return {group for group, _ in named} | set(terms), {curve for _, curve in named}


def built() -> set[str]:
    """The keys that code puts together, each from what its last part may be."""
    groups, curves = recorded()
    parts: dict[str, Iterable[object]] = {
        "class.": {name for source in DATASETS.values() for name in source.classes},
        "dataset.": DATASETS, "licence.": {source.licence for source in DATASETS.values()},
        "preset.": {f"{name}{end}" for name in PRESETS for end in ("", ".summary")},
        "explore.direction.": range(1, DIRECTIONS + 1), "explore.interpolation.": INTERPOLATIONS,
        "explore.cell.": "ab", "train.budget.": train.BUDGETS, "train.": ("pause", "continue", "nothing"),
        "train.estimate.": {"failing", "steps", *(name for seen in SEEN.values() for _, name in seen)},
        "watch.state.": STATES, "watch.budget.": BUDGET - {"seconds"}, "watch.": ("nothing",),
        "watch.ago.": ("days", "hours", "minutes"), "watch.curve.": curves,
        "watch.line.": ("loss", "variety"), "watch.lines.": ("loss", "variety"),
        "watch.group.": groups, "watch.caption.": groups,
        "live.": ("elapsed", "remaining", "speed", "step"),
    }  # fmt: skip
    return {f"{start}{end}" for start, ends in parts.items() for end in ends}


def test_every_row_is_shown_somewhere() -> None:
    """But for those that tests of their own look at: of settings, of messages, of what a run does now."""
    sources = [*ROOT.rglob("*.py"), *ROOT.glob("web/*.js")]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    named = set(re.findall(r"""['"`]([a-z]+\.[\w.]+)['"`]""", text)) | built()
    elsewhere = ("knobs.", words.MESSAGE, "live.say.", "live.sees.")
    assert [key for key in words.TABLE if key not in named and not key.startswith(elsewhere)] == []


def test_a_row_that_nothing_shows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("watch.zoom.help", "watch.caption.zebra", "train.estimate.noise", "preset.gone"):
        with monkeypatch.context() as patch, pytest.raises(AssertionError, match=re.escape(key)):
            patch.setattr(words, "TABLE", {**words.TABLE, key: ("One", "一")})
            test_every_row_is_shown_somewhere()


def test_a_repeated_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"x": ["One", "一"]}', "utf-8")
    (tmp_path / "b.json").write_text('{"x": ["Two", "二"]}', "utf-8")
    with pytest.raises(ValueError, match=r"b.json repeats the words of 'x'"):
        words.read_table(tmp_path)
    (tmp_path / "b.json").write_text('{"y": ["Two", "二"], "y": ["Two", "二"]}', "utf-8")
    with pytest.raises(ValueError, match="repeats 'y'"):
        words.read_table(tmp_path)


@pytest.mark.parametrize("key", ["knobs.lr_g.help", "message.diverged"])
def test_what_the_library_says_itself_needs_its_chinese_alone(tmp_path: Path, key: str) -> None:
    (tmp_path / "a.json").write_text(f'{{"{key}": "中文"}}', "utf-8")
    assert words.read_table(tmp_path) == {key: (words.LIBRARY[key], "中文")}


def test_the_english_of_the_library_is_not_said_twice() -> None:
    for path in words.TEXT.glob("*.json"):
        for key, row in json.loads(path.read_text("utf-8")).items():
            assert isinstance(row, str) == (key in words.LIBRARY), key


@pytest.mark.parametrize("row", ['"One"', '["One"]', '["One", 2]', '["One", "一", "1"]'])
def test_a_row_that_is_not_two_texts_is_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "a.json").write_text(f'{{"x": {row}}}', "utf-8")
    with pytest.raises(ValueError, match="'x' must be"):
        words.read_table(tmp_path)


def test_an_unknown_key_names_the_nearest_one() -> None:
    with pytest.raises(KeyError, match=r"shell\.train"):
        words.t("shell.trian")


def test_all_chinese_locales_have_the_table() -> None:
    tables = words.translations().translations
    assert tables["en"]["shell.train"] == "Train"
    for locale in ("zh", "zh-CN", "zh-TW", "zh-HK"):
        assert tables[locale]["shell.train"] == "训练"


@pytest.mark.parametrize(
    ("cookies", "header", "expected"),
    [({}, "", "en"), ({}, "zh-TW,zh;q=0.9", "zh"), ({}, "de", "en"), ({words.COOKIE: "en"}, "zh", "en"),
     ({words.COOKIE: "zh"}, "en", "zh"), ({words.COOKIE: "xx"}, "en", "en")],
)  # fmt: skip
def test_language_of_a_visitor(cookies: dict[str, str], header: str, expected: str) -> None:
    request: Any = SimpleNamespace(request=True, cookies=cookies, headers={"accept-language": header})
    assert words.language(request) == expected


def test_span_and_script_hold_the_words() -> None:
    assert words.span("shell.train") == '<span data-word="shell.train">Train</span>'
    table = json.loads(words.script().removeprefix("export default ").rstrip(";\n"))
    assert table["shell.train"] == ["Train", "训练"]
