"""The words of the command line: its commands, their flags, and what was probably meant by others.

Needs no torch, so that --help comes at once.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from gan_core.config import BUDGET, TrainConfig, kind, knobs, to_mapping
from gan_core.errors import ConfigError
from gan_core.knobs import EMPTY, nearest, unknown_names
from gan_core.old_names import SETTINGS
from gan_core.presets import beyond_preset

SETTING = "setting_"  # keeps the flags of settings apart from the other flags
SOURCE = "a weights file, or the directory of a run"
DATA = "folder of the data sets' files"

ALWAYS = ("dataset", "seconds", "steps", "images")  # in the command line even when the preset says the same

Commands = Mapping[str, Callable[[argparse.Namespace], None]]


class Parser(argparse.ArgumentParser):
    """Bad usage is one sentence and exit code 2, as every other bad input is."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end the program."""
        sys.stderr.write(f"{self.prog}: {message}\n")
        sys.exit(2)


def parsed(words: list[str], runs: Commands) -> argparse.Namespace:
    """What the command line asks for; its `command` is one of `runs`.

    Raises:
        ConfigError: a command or a flag that is none, with the nearest that there is.
    """
    parser = make_parser(runs)
    commands = parser.get_default("commands")
    first = [word for word in words[:1] if not word.startswith("-")]
    if problems := unknown_names(first, commands, "command"):
        raise ConfigError.of(problems)
    arguments, rest = parser.parse_known_args(words)
    if rest:
        if words.index(arguments.name) > 0 and words[0] == rest[0]:
            name = rest[0].split("=")[0]
            raise ConfigError("flag-before-command", name=name, command=arguments.name)
        refuse(rest, f"python -m gan_core {arguments.name}", commands[arguments.name])
    return arguments


def refuse(rest: list[str], program: str, parser: Parser) -> NoReturn:
    """End with what is wrong with `rest`, the words that `parser` does not know, as a person calls `program`.

    Raises:
        ConfigError: a flag is among them; the sentence names the nearest that there is.
    """
    name = next((word.split("=")[0] for word in rest if word.startswith("-")), None)
    if name is None:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    help = parser.format_help()
    known = {flag.lstrip("-"): flag for flag in re.findall(r"--[a-z][\w-]*", help)}
    plain = name.lstrip("-")
    plain = SETTINGS.get(plain.replace("-", "_"), plain).replace("_", "-")  # a name of before
    if near := plain if plain in known else nearest(plain, known):
        raise ConfigError("unknown-near", what="flag", name=name, near=known[near])
    raise ConfigError("unknown-flag", name=name, program=program)


def make_parser(runs: Commands) -> argparse.ArgumentParser:
    """The parser of all commands; each of `runs`, by its name, is what a command does."""
    parser = Parser(prog="python -m gan_core", description="Train a small GAN and use what it learned.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    parser.set_defaults(commands=commands.choices)

    def add(name: str, help: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
        command.set_defaults(command=runs[name], name=name)
        return command

    _training_commands(add)
    sample_parser = add("sample", "Draw pictures from a weights file or a run.")
    sample_parser.add_argument("source", type=Path, help=SOURCE)
    sample_parser.add_argument("--n", type=_positive, default=64, metavar="N", help="how many (default: 64)")
    sample_parser.add_argument("--seed", type=_natural, default=0, metavar="N", help="default: 0")
    sample_parser.add_argument("--label", type=_natural, metavar="N", help="draw this class only")
    sample_parser.add_argument("--best", action="store_true", help="of a run, the best by score")
    out: dict[str, Any] = {"metavar": "FILE", "help": "a .png grid or an .npz of arrays"}
    sample_parser.add_argument("--out", type=Path, required=True, **out)
    score_parser = add("score", "Score the pictures of a weights file or a run.")
    score_parser.add_argument("source", type=Path, help=SOURCE)
    score_parser.add_argument("--n", type=_positive, default=10_000, metavar="N", help="default: 10000")
    score_parser.add_argument("--seed", type=_natural, default=1, metavar="N", help="default: 1")
    score_parser.add_argument("--best", action="store_true", help="of a run, the best by score")
    against: dict[str, Any] = {
        "metavar": "NAME",
        "help": "score against this one instead of the one trained on",
    }
    score_parser.add_argument("--dataset", **against)
    score_parser.add_argument("--data-root", default="", metavar="DIR", help=DATA)
    runs_parser = add("runs", "List the runs in a folder.")
    runs_parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")
    doctor_parser = add("doctor", "Say what ails a run, from when on, and what to change.")
    doctor_parser.add_argument("run", type=Path, help="its directory")
    doctor_parser.add_argument("--json", action="store_true", help="all verdicts as lines of JSON")
    stop_parser = add("stop", "Stop a run that waits, trains or is paused, whoever started it.")
    stop_parser.add_argument("run", type=Path, help="its directory")
    datasets_parser = add("datasets", "List the data sets, or download one.")
    datasets_parser.add_argument("--data-root", default="", metavar="DIR", help=DATA)
    datasets_parser.add_argument("--download", metavar="NAME", help="fetch this one")
    add("presets", "List the presets.")
    return parser


def _training_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    quiet: dict[str, Any] = {"action": "store_true", "help": "no progress bar"}
    train_parser = add("train", "Train a new run; the last line printed is its directory.")
    preset: dict[str, Any] = {"metavar": "NAME", "help": "named starting point (default: digits)"}
    train_parser.add_argument("--preset", default="digits", **preset)
    where: dict[str, Any] = {"metavar": "DIR", "help": "folder for its directory (default: runs)"}
    train_parser.add_argument("--runs", type=Path, default=Path("runs"), **where)
    train_parser.add_argument("--quiet", **quiet)
    _setting_flags(train_parser, "[--preset NAME] [--runs DIR] [--quiet]")
    resume_parser = add("resume", "Go on with a run that was stopped.")
    resume_parser.add_argument("run", type=Path, help="its directory")
    for name in sorted(BUDGET):
        more: dict[str, Any] = {"metavar": _metavar(name), "help": f"go on to {name} in all"}
        resume_parser.add_argument(f"--{name}", dest=SETTING + name, **more)
    device: dict[str, Any] = {"metavar": _metavar("device"), "help": "compute there from now on"}
    resume_parser.add_argument("--device", dest=SETTING + "device", **device)
    resume_parser.add_argument("--quiet", **quiet)
    branch_parser = add("branch", "Begin a new run at a checkpoint of another, settings changed.")
    branch_parser.add_argument("run", type=Path, help="the directory of the other")
    branch_parser.add_argument("--at", type=_natural, required=True, metavar="STEP", help="the checkpoint's")
    branch_parser.add_argument("--quiet", **quiet)
    _setting_flags(branch_parser, "RUN --at STEP [--quiet]")


def _setting_flags(parser: argparse.ArgumentParser, before: str) -> None:
    """A flag for each setting, group by group; the usage, else one line for each, names those `before`."""
    parser.usage = f"%(prog)s {before} [--SETTING VALUE ...]"
    groups: dict[str, Any] = {}
    for name, knob in knobs().items():
        if knob.group not in groups:
            groups[knob.group] = parser.add_argument_group(knob.group)
        flag = "--" + name.replace("_", "-")
        extra: dict[str, Any] = {"metavar": _metavar(name)}
        if kind(name)[0] is bool:
            extra = {"action": argparse.BooleanOptionalAction}
        groups[knob.group].add_argument(flag, dest=SETTING + name, help=knob.help, default=None, **extra)


def _metavar(name: str) -> str:
    """What stands for the value of a setting: its choices, or what kind of thing it is."""
    about, (plain, optional) = knobs()[name], kind(name)
    if about.choices:
        return "|".join(map(str, about.choices))
    word = "NAME" if about.table else {int: "N", float: "X"}.get(plain, "PATH")
    return f"{word}|{EMPTY}" if optional else word


def _positive(text: str) -> int:
    return _natural(text, 1)


def _natural(text: str, low: int = 0) -> int:
    if not text.isdigit() or not low <= int(text) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to 10000000")
    return int(text)


def command_line(preset: str, config: TrainConfig) -> str:
    """What to type for the same run: the preset, and what differs from it."""
    changed = beyond_preset(preset, config)
    words = ["python", "-m", "gan_core", "train", "--preset", preset]
    for name, value in to_mapping(config).items():
        if knobs()[name].local or not (name in changed or name in ALWAYS):
            continue
        if value is None and name in ALWAYS:  # a budget that is named ends all those of the preset
            continue
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            plain = str(value).removesuffix(".0") if isinstance(value, float) else str(value)
            words += [f"--{flag}", EMPTY if value is None else plain]
    return shlex.join(words)


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings named on the command line."""
    return {
        name.removeprefix(SETTING): value
        for name, value in vars(arguments).items()
        if name.startswith(SETTING) and value is not None
    }
