"""Does the doctor name what ails a run, soon, and stay silent where nothing does? On runs trained anew."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cases import flags, root_flags
from benchmarks.failures import budget_of
from benchmarks.table import Row
from gan_core.data import DATASETS
from gan_core.doctor import diagnose
from gan_core.knobs import EMPTY
from gan_core.presets import PRESETS, settings
from gan_core.remedies import remedy_for
from gan_core.runs.history import history
from gan_core.runs.layout import RunPaths
from gan_core.runs.reader import read_settings, read_verdicts
from gan_core.runs.records import number

CALM = {"healthy", "too-early", "worse-than-before"}
SOON = 15.0  # seconds from the first step, from which on these faults are there, to the verdict
# what each failing preset may be called; several where one fault shows in several ways from seed to seed
NAMES: Mapping[str, frozenset[str]] = {
    "fail-d-wins": frozenset({"d-wins"}),
    "fail-collapse": frozenset({"collapse"}),
    "fail-divergence": frozenset({"diverged"}),
    "fail-slow": frozenset({"stuck"}),
    "fail-too-fast": frozenset({"saturated", "oscillation"}),
    "fail-oscillation": frozenset({"oscillation"}),
    "fail-unconstrained": frozenset({"divergence"}),
    "fail-zero-init": frozenset({"g-vanished"}),
    "fail-no-norm": frozenset({"collapse", "stuck"}),
    "fail-memorise": frozenset({"memorising"}),
    "fail-wrong-label": frozenset({"d-wins", "g-vanished"}),
    "fail-double-sigmoid": frozenset({"d-wins", "weak-gradient"}),
    "fail-stale-batch": frozenset({"g-vanished"}),
    "fail-wrong-sign": frozenset({"g-vanished"}),
}
FIRST_SEED = 10  # the thresholds were found on seeds 0 to 2


@dataclass(frozen=True)
class Healthy:
    """A run in which nothing is wrong. `seen`: whether the thresholds were tried on runs like it."""

    name: str
    preset: str
    changes: Mapping[str, Any]
    seen: bool = False


_MINUTE: dict[str, Any] = {"seconds": 60}
_RESNET = {"network": "resnet", "d_norm": "spectral", "loss": "hinge", "g_width": 32, "d_width": 16,
           "lr_g": 1e-3, "lr_d": 1e-3}  # fmt: skip
HEALTHY = (
    Healthy("digits", "digits", _MINUTE, seen=True),
    Healthy("Fashion-MNIST", "fashion", _MINUTE, seen=True),
    Healthy("drawn digits, hinge", "lesson", {"loss": "hinge", "d_norm": "spectral", **_MINUTE}, seen=True),
    Healthy("the textbook's DCGAN", "textbook", _MINUTE, seen=True),
    Healthy("drawn digits, the textbook's networks", "lesson-textbook", _MINUTE, seen=True),
    Healthy("ring of points", "ring", {}, seen=True),
    Healthy("InfoGAN", "infogan", _MINUTE, seen=True),
    Healthy("digits, hinge", "digits", {"loss": "hinge", **_MINUTE}),
    Healthy("digits, Wasserstein", "lesson-wasserstein", {"dataset": "mnist", **_MINUTE}),
    Healthy("Fashion-MNIST, ResNet", "lesson", {"dataset": "fashion-mnist", **_RESNET, **_MINUTE}),
    Healthy("Fashion-MNIST, sturdy", "sturdy", _MINUTE),
    Healthy("Stacked MNIST, pairs compared", "stacked", _MINUTE),
    Healthy("digits without labels", "unlabelled", _MINUTE),
    Healthy("the tutorials' net of 28 pixels", "article-convnet", _MINUTE),
)  # fmt: skip


@dataclass(frozen=True)
class Course:
    """What was said of a run: (kind, second of training, second of its first look) each; its last look."""

    said: tuple[tuple[str, float, float], ...]
    last: Mapping[str, Any] = field(default_factory=dict)

    def first(self, kinds: frozenset[str]) -> tuple[str, float, float] | None:
        """The first verdict of one of `kinds`."""
        return next((verdict for verdict in self.said if verdict[0] in kinds), None)

    @property
    def troubles(self) -> list[str]:
        """The kinds of trouble that were told, in order."""
        return [kind for kind, _, _ in self.said if kind not in CALM]


def course(run: RunPaths) -> Course:
    """What the doctor says of a run from its records, and the trainer where it diverged."""
    _, config = read_settings(run)
    records = list(history(run))
    seconds = {int(number(record, "step", 0)): number(record, "seconds", 0.0) for record in records}
    verdicts = diagnose(records, config, DATASETS[config.dataset].classes)
    verdicts += [verdict for verdict in read_verdicts(run) if verdict.kind == "diverged"]
    last = max(seconds.values(), default=0.0)
    steps = [(verdict.kind, verdict.step, verdict.figures.get("since", verdict.step)) for verdict in verdicts]
    said = tuple((kind, seconds.get(at, last), seconds.get(since, last)) for kind, at, since in steps)
    looks = [record for record in records if "variety/pictures" in record]
    return Course(said, looks[-1] if looks else {})


def trained(preset: str, changes: Sequence[str], seed: int) -> Course:
    """Train one run by the command line; one that diverges is a course as well."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gan_core", "train", "--preset", preset, f"--seed={seed}", *changes]
        subprocess.run([*command, "--runs", folder, "--quiet"], capture_output=True, text=True, check=False)
        (path,) = Path(folder).iterdir()
        return course(RunPaths(path))


def doctor(seeds: int, data_root: str, say: Callable[[str], None], only: str = "") -> list[Row]:
    """A row for each failing preset, one for healthy runs that the thresholds know, one for the others."""
    root, rows = root_flags(data_root), []
    for preset, wanted in NAMES.items():
        if only not in preset:
            continue
        row = [trained(preset, [budget_of(preset), *root], FIRST_SEED + k) for k in range(seeds)]
        for one in row:
            say(f"{preset}: " + ", ".join(f"{kind} at {at:.1f} s" for kind, at, _ in one.said))
        rows.append(_failing(preset, wanted, row))
        rows.append(_cured(preset, row, root, say))
    for seen in (True, False):
        like = "like those" if seen else "unlike any"
        title = f"healthy runs of a minute, {like} that the thresholds were found on"
        cases = [case for case in HEALTHY if case.seen is seen and (only in title or only in case.name)]
        alarms = []
        for case in cases:
            assert case.preset in PRESETS
            one = trained(case.preset, [*flags(case.changes), *root], FIRST_SEED)
            say(f"{case.name}: " + ", ".join(f"{kind} at {at:.1f} s" for kind, at, _ in one.said))
            alarms += [f"{case.name}: {', '.join(one.troubles)}"] if one.troubles else []
        if cases:
            names = "; ".join(case.name for case in cases)
            found = f"{len(alarms)} of {len(cases)} with an alarm" + (
                f" ({'; '.join(alarms)})" if alarms else ""
            )
            rows.append(Row(f"{title}: {names}", "no alarm", found))
    return rows


def _failing(preset: str, wanted: frozenset[str], row: Sequence[Course]) -> Row:
    told = [one.first(wanted) for one in row]
    right = sum(one is not None and one[1] <= SOON for one in told)
    words = [
        f"{one[0]} at {one[1]:.0f} s" if one else f"not ({', '.join(course.troubles) or 'nothing said'})"
        for one, course in zip(told, row)
    ]
    others = sorted({kind for course in row for kind in course.troubles} - wanted)
    after = f"; also told: {', '.join(others)}" if others else ""
    return Row(preset, " or ".join(sorted(wanted)), f"{right} of {len(row)}: {', '.join(words)}{after}")


def _cured(preset: str, row: Sequence[Course], root: list[str], say: Callable[[str], None]) -> Row:
    """What becomes of the first run when it is trained again with what its last verdict says to change."""
    kind = row[0].said[-1][0] if row[0].said else ""
    changes = remedy_for(kind, settings(preset, {}))
    words = flags({name: EMPTY if value is None else value for name, value in changes.items()})
    one = trained(preset, [budget_of(preset), *words, *root], FIRST_SEED)
    before, after = (_look(course.last) for course in (row[0], one))
    ends = one.said[-1][0] if one.said else "nothing said"
    say(f"{preset} with {' '.join(words)}: {ends}; {before} -> {after}")
    return Row(f"{preset}, with what helps against {kind}: {' '.join(words)}", "no trouble",
               f"ends {ends}; {before} before, {after} after")  # fmt: skip


def _look(look: Mapping[str, Any]) -> str:
    missing = sum(look[name] == 0 for name in look if name.startswith("classes/"))
    return (f"variety {number(dict(look), 'variety/pictures', 0.0):.2f}, near to real "
            f"{number(dict(look), 'share/plausible', 0.0):.2f}, classes missing {missing}")  # fmt: skip
