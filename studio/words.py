"""Every visible string, in English and Simplified Chinese.

The rows live as data in `studio/text/*.json`, `{"key": ["English", "中文"]}`, one file a part of the page,
and are merged here into one table. Components take `t(key)`, which Gradio turns into the reader's
language in the browser; HTML takes `span(key)`, as Gradio translates one marker a string only; our own
modules in `studio/web` import `word` from `./language.js`; handlers, which answer one visitor, take
`pick(key, language(request), ...)`.

What the library knows the English of, the help of a setting and the messages, has here its Chinese alone:
`{"key": "中文"}`. `sentences` puts messages into words.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.i18n import I18nData
from starlette.requests import Request

from gan_core.config import knobs
from gan_core.knobs import nearest
from gan_core.messages import ENGLISH, Message, render
from studio.redact import redact

TEXT = Path(__file__).parent / "text"
LANGUAGES = ("en", "zh")
COOKIE = "studio-language"
MESSAGE = "message."  # rows that `sentences` alone reads; no browser needs them
LIBRARY: Mapping[str, str] = MappingProxyType(
    {MESSAGE + code: words for code, words in ENGLISH.items()}
    | {f"knobs.{name}.help": about.help for name, about in knobs().items()}
)
_CHINESE_LOCALES = ("zh", "zh-CN", "zh-TW", "zh-HK", "zh-SG", "zh-MO", "zh-Hans", "zh-Hant")


def read_table(folder: Path = TEXT) -> Mapping[str, tuple[str, str]]:
    """All rows of the files in `folder`.

    Raises:
        ValueError: for a key that stands in two places, or a row that is neither two texts nor one that
            goes with the library's English.
    """
    table: dict[str, tuple[str, str]] = {}
    for path in sorted(folder.glob("*.json")):
        for key, row in json.loads(path.read_text("utf-8"), object_pairs_hook=_unique).items():
            if key in table:
                raise ValueError(f"{path.name} repeats the words of {key!r}.")
            if isinstance(row, str) and key in LIBRARY:
                row = [LIBRARY[key], row]
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
_CHINESE = {code: TABLE.get(MESSAGE + code, (words, words))[1] for code, words in ENGLISH.items()}


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


def sentences(messages: Iterable[Message], tongue: str) -> str:
    """The words of `messages` in `tongue`; English where the table has no others. They name no folder of
    this machine."""
    messages = redact(messages)
    return render(messages, _CHINESE, gap="") if tongue == "zh" else render(messages)


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
    return {key: row for key, row in TABLE.items() if not key.startswith(MESSAGE)}


def _row(key: str) -> tuple[str, str]:
    if key not in TABLE:
        near = nearest(key, TABLE)
        hint = f"; did you mean {near!r}?" if near else "."
        raise KeyError(f"studio/text has no words for {key!r}{hint}")
    return TABLE[key]
