"""python tools/readme_settings.py: write README's table of settings anew from their declarations.

With --check it writes nothing and ends with 1 when the table is not current.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gan_core.catalog import choices  # noqa: E402
from gan_core.config import TrainConfig, kind, knobs  # noqa: E402

BEGIN, END = "<!-- settings -->\n", "<!-- /settings -->\n"


def table() -> str:
    """The settings as a Markdown table, one row each, in order of declaration."""
    rows = ["| | flag | default | allowed | what it does |", "|---|---|---|---|---|"]
    group = ""
    for name, knob in knobs().items():
        shown = "" if knob.group == group else f"**{knob.group}**"
        group = knob.group
        flag = f"`--{name.replace('_', '-')}`"
        rows.append(f"| {shown} | {flag} | {_default(name)} | {_allowed(name)} | {knob.help} |")
    return "\n".join(rows) + "\n"


def renewed(text: str) -> str:
    """`text` of README with the table between its two marks replaced."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table() + END + after


def _default(name: str) -> str:
    value = getattr(TrainConfig(), name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value in (None, "") else _number(value)


def _allowed(name: str) -> str:
    knob, (plain, _) = knobs()[name], kind(name)
    if plain is bool:
        return f"`--no-{name.replace('_', '-')}` for no"
    offered = choices(name)
    if offered:
        return ", ".join(str(choice) for choice in offered)
    return "" if knob.low is None or knob.high is None else f"{_number(knob.low)} to {_number(knob.high)}"


def _number(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.12g}" if abs(value) < 1e11 else f"{value:.3g}"


def main(path: Path = ROOT / "README.md") -> int:
    """Write the table, or look at it. Returns the exit code."""
    text = path.read_text("utf-8")
    current = renewed(text)
    if "--check" in sys.argv[1:]:
        return int(current != text)
    path.write_text(current, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
