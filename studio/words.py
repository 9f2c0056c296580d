"""Every visible string, in English and Simplified Chinese.

The rows live as data in `studio/text/*.json`, `{"key": ["English", "中文"]}`, one file a part of the page,
and are merged here into one table. Components take `t(key)`, which Gradio turns into the reader's
language in the browser; HTML takes `span(key)`, as Gradio translates one marker a string only; our own
modules in `studio/web` import `word` from `./language.js`; handlers, which answer one visitor, take
`pick(key, language(request), ...)`.

Sentences that gan_core raises or writes are English; `sentence` knows them by the rows of errors.json.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.i18n import I18nData
from starlette.requests import Request

from gan_core.knobs import did_you_mean

TEXT = Path(__file__).parent / "text"
LANGUAGES = ("en", "zh")
COOKIE = "studio-language"
LONGEST = 2000  # letters of a message that is still looked up
_OURS = ("error.", "phrase.")  # rows that `sentence` alone reads; no browser needs them
_CHINESE_LOCALES = ("zh", "zh-CN", "zh-TW", "zh-HK", "zh-SG", "zh-MO", "zh-Hans", "zh-Hant")


def read_table(folder: Path = TEXT) -> Mapping[str, tuple[str, str]]:
    """All rows of the files in `folder`.

    Raises:
        ValueError: for a key that stands in two places, or a row that is not two texts.
    """
    table: dict[str, tuple[str, str]] = {}
    for path in sorted(folder.glob("*.json")):
        for key, row in json.loads(path.read_text("utf-8"), object_pairs_hook=_unique).items():
            if key in table:
                raise ValueError(f"{path.name} repeats the words of {key!r}.")
            if not (isinstance(row, list) and len(row) == 2 and all(isinstance(text, str) for text in row)):
                raise ValueError(f'{path.name}: {key!r} must be ["English", "中文"], not {row!r}.')
            table[key] = (row[0], row[1])
    return MappingProxyType(table)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"A text file repeats {next(key for key in keys if keys.count(key) > 1)!r}.")
    return found


TABLE = read_table()


def t(key: str) -> I18nData:
    """The words of `key` for a component's label, info, choice, value or placeholder."""
    _row(key)
    return I18nData(key)


def span(key: str) -> str:
    """The words of `key` inside HTML; the page's script puts in the reader's language."""
    return f'<span data-word="{html.escape(key)}">{html.escape(_row(key)[0])}</span>'


def pick(key: str, language: str = "en", **values: object) -> str:
    """The words of `key` in `language` ("en" or "zh"), with `{name}` filled in from `values`."""
    return _row(key)[language == "zh"].format(**values)


def t_or(key: str, otherwise: str) -> I18nData | str:
    """`t`, or `otherwise` where the table has no such row: a new class or data set may have no words yet."""
    return t(key) if key in TABLE else otherwise


def pick_or(key: str, otherwise: str, tongue: str) -> str:
    """`pick`, or `otherwise` where the table has no such row."""
    return pick(key, tongue) if key in TABLE else otherwise


def sentence(text: str, tongue: str) -> str:
    """The English sentences of a `GanError` or a status in `tongue`; what no template knows stays as it is.

    The template that ends first is the first sentence, and what follows it is looked up in turn. A place's
    words are looked up as `phrase.PLACE.WORDS`.
    """
    if tongue != "zh" or len(text) > LONGEST:
        return text
    found = [(match.end(), key, match) for key, shape in _SHAPES.items() if (match := shape.match(text))]
    if not found:
        return text
    end, key, match = min(found, key=lambda one: one[0])
    places = {
        name: TABLE.get(f"phrase.{name}.{words}", ("", words))[1] for name, words in match.groupdict().items()
    }
    return pick(key, tongue, **places) + sentence(text[end:].lstrip(), tongue)


def _shape(template: str) -> re.Pattern[str]:
    """What the sentences made from `template` look like; a quoted place may hold full stops."""
    end = r"(?=\s|\Z)" if template[-1] in ".?" else r"\Z"
    parts = re.split(r"\{(\w+)\}", template)
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = [f"(?P<{name}>'[^']*'|.+?)" for name in parts[1::2]]
    return re.compile("".join(parts) + end, re.DOTALL)


_SHAPES = MappingProxyType({key: _shape(row[0]) for key, row in TABLE.items() if key.startswith("error.")})


def language(request: gr.Request | Request | None) -> str:
    """ "en" or "zh": what the visitor's page is shown in (the page's script keeps it in a cookie)."""
    if request is None or getattr(request, "request", request) is None:
        return "en"
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return str(chosen)
    return "zh" if str(request.headers.get("accept-language", "")).lower().startswith("zh") else "en"


def translations() -> gr.I18n:
    """The table as Gradio wants it: one dictionary a locale, as it has no fall-back from zh-TW to zh-CN."""
    english, chinese = ({key: row[i] for key, row in _shown().items()} for i in range(2))
    return gr.I18n(en=english, **dict.fromkeys(_CHINESE_LOCALES, chinese))


def script() -> str:
    """The table as a JavaScript module, for `studio/web/language.js`."""
    return f"export default {json.dumps(_shown(), ensure_ascii=False, separators=(',', ':'))};\n"


def _shown() -> dict[str, tuple[str, str]]:
    return {key: row for key, row in TABLE.items() if not key.startswith(_OURS)}


def _row(key: str) -> tuple[str, str]:
    if key not in TABLE:
        raise KeyError(f"studio/text has no words for {key!r}{did_you_mean(key, TABLE)}")
    return TABLE[key]
