"""What ails a run, or that nothing does: verdicts from its records alone. Pure: no torch, no files.

A `Rule` is data: a kind of trouble, and the signals that show it, all of which must hold over the same newest
looks at the sample grid. At least one of them is about the samples: losses prove nothing by themselves, as a
generator that learns and one that has collapsed can have the same. The first rule of `RULES` that holds is
the verdict. `as_json` gives the table to whoever runs it elsewhere; `tests/gan_core/test_doctor.py` holds it
against recorded runs, and `python -m benchmarks doctor` against new ones.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, TypeGuard

from gan_core.config import TrainConfig
from gan_core.runs.reader import Verdict
from gan_core.runs.records import number

LOOKS = ("variety/pictures", "modes/points")  # what a row that looks at the samples has one of
MISSING = "classes/missing"  # how many classes a look found no picture of; counted here
# what the samples must reach to be called good, and to stay so
GOOD_BY = {"share/plausible": (0.5, 0.35), "variety/pictures": (0.55, 0.5), "modes/points": (0.5, 0.35)}
AGREE = 2  # looks in a row that it takes before a trouble is taken back
EASE = 1.3  # times its limit to which a signal that has shown may go back before it counts as gone
NEAR_ONE = 1.05  # the same of a signal that is about 1 where all is well
LASTING = 10.0  # of one that tells a beginning trouble from a young run, and may go once the trouble is there
POINTS = 2000  # newest ones of a curve that are kept

_CLASS = re.compile(r"classes/[0-9]+")
STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = MappingProxyType({
    "least": min, "most": max, "median": statistics.median,
    "size": lambda values: statistics.median(map(abs, values)),
    "growth": lambda values: values[-1] / max(values[0], 1e-12),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signal:
    """That a `statistic` of a curve over the looks of the rule lies `above` or `below` a limit; `best` asks
    for its value over the smallest point that the curve ever had."""

    curve: str
    statistic: str
    above: float | None = None
    below: float | None = None
    best: bool = False
    ease: float = EASE

    def holds(self, value: float, stands: bool = False) -> bool:
        """Whether `value` lies where the signal is; where it `stands` already, within `ease` times of it."""
        ease = self.ease if stands else 1.0
        return (self.above is None or value > self.above / ease) and (
            self.below is None or value < self.below * ease
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of trouble: its signals, over how many newest looks, after how many seconds of training
    and updates of G.

    `losses`: the games in which it means something, by their names in `LOSSES`; none for all.
    `names_classes`: whether the classes that no look found belong to it.
    """

    kind: str
    signals: tuple[Signal, ...]
    looks: int = 3
    after: float = 2.5
    updates: int = 0
    losses: tuple[str, ...] = ()
    names_classes: bool = False


def _below(curve: str, limit: float, statistic: str = "most", ease: float = EASE) -> Signal:
    return Signal(curve, statistic, below=limit, ease=ease)


def _above(
    curve: str, limit: float, statistic: str = "least", best: bool = False, ease: float = EASE
) -> Signal:
    return Signal(curve, statistic, above=limit, best=best, ease=ease)


UNLIKE = _below("share/plausible", 0.2)  # nothing that looks real
RULES: tuple[Rule, ...] = (
    Rule("divergence", (_above("loss/G", 50, "size"), _above("gradient/D", 25, "median"),
                        _below("share/plausible", 0.8, ease=NEAR_ONE)), losses=("wasserstein",)),
    Rule("g-vanished", (_below("gradient/G", 1e-12), UNLIKE)),
    Rule("saturated", (_above("saturation/pixels", 0.96), _below("variety/pictures", 0.5), UNLIKE)),
    Rule("d-wins", (_above("accuracy/real", 0.97, "median"), _above("accuracy/fake", 0.97, "median"),
                    _below("gradient/G", 0.1, "median"), UNLIKE), updates=100),
    Rule("stuck", (_below("variety/pictures", 0.1), _below("motion/moved", 0.2), _above("gradient/G", 0.1),
                   UNLIKE), after=6, updates=300),
    Rule("memorising", (_below("novelty/pictures", 0.9, ease=NEAR_ONE), _above("share/plausible", 0.5))),
    Rule("collapse", (_below("variety/pictures", 0.35),
                      _below("variety/pictures", 1.4, "growth", ease=LASTING),
                      _above("motion/moved", 0.1, "median", ease=LASTING)),
         looks=4, after=6, updates=450, names_classes=True),
    Rule("collapse", (_below("variety/pictures", 0.2), _above("share/plausible", 0.5)), looks=4, after=6,
         updates=300, names_classes=True),
    Rule("classes-missing", (_above(MISSING, 3.5), _above("share/readable", 0.5),
                             _above("variety/pictures", 0.35), _below("variety/pictures", 1.5, "growth")),
         looks=4, after=10, updates=500, names_classes=True),
    Rule("modes-missing", (_above(MISSING, 1.5), _above("modes/points", 0.5)), looks=4, after=6, updates=500),
    Rule("oscillation", (_above("motion/moved", 0.45),), looks=4, after=6),
    Rule("weak-gradient", (_below("gradient/G", 0.1, "median"), UNLIKE), updates=100),
    Rule("degrading", (_above("quality/frechet", 1.5, best=True),
                       _below("share/plausible", 0.9, ease=NEAR_ONE)), looks=5, after=60),
)  # fmt: skip


class Doctor:
    """Takes in a run's records as they come, points of the curves and looks at the samples in one stream."""

    def __init__(
        self, config: TrainConfig, classes: Sequence[str] = (), rules: Sequence[Rule] = RULES
    ) -> None:
        """`config`: the run's settings. `classes`: the names of those that its data set has."""
        self._rules = [rule for rule in rules if not rule.losses or config.loss in rule.losses]
        self._named = {signal.curve for rule in self._rules for signal in rule.signals} | set(GOOD_BY)
        self._classes, self._g_steps = classes, config.g_steps
        self._curves: dict[str, deque[tuple[int, float]]] = {}
        self._best: dict[str, float] = {}
        longest = max((rule.looks for rule in self._rules), default=1)
        self._looks: deque[tuple[int, frozenset[int]]] = deque(maxlen=longest)  # step, classes not found
        self._doubts = 0
        self._was_good = False
        self.verdict: Verdict | None = None

    def add(self, record: Mapping[str, Any]) -> Verdict | None:
        """Take in a record; the verdict where it has become another one, else None.

        Its figures: each signal's value by its curve ("variety_pictures"), the "curve" of the first, the step
        "since" which it shows, and the names of the classes "missing" in all looks.
        """
        step = record.get("step")
        if not _finite(step):
            return None
        numbers = {name: float(value) for name, value in record.items() if "/" in name and _finite(value)}
        looked = any(name in numbers for name in LOOKS)
        if looked:
            shares = [(int(name[8:]), share) for name, share in numbers.items() if _CLASS.fullmatch(name)]
            missing = frozenset(place for place, share in shares if share == 0)
            self._looks.append((int(step), missing))
            numbers |= {MISSING: float(len(missing))} if shares else {}
        for name in numbers.keys() & self._named:
            self._take(name, int(step), numbers[name])
        return self._judge(int(step), number(dict(record), "seconds", 0.0)) if looked else None

    def _take(self, name: str, step: int, value: float) -> None:
        self._best[name] = min(value, self._best.get(name, math.inf))
        points = self._curves.setdefault(name, deque(maxlen=POINTS))
        points.append((step, value))
        while len(points) > 1 and self._looks and points[0][0] < self._looks[0][0]:  # older than every window
            points.popleft()

    def _judge(self, step: int, seconds: float) -> Verdict | None:
        found = next(filter(None, (self._try(rule, step, seconds) for rule in self._rules)), None)
        found = found or self._calm(step)
        before = self.verdict
        if before is not None and found.kind == before.kind:
            self._doubts = 0
            return None
        self._doubts += 1
        if before is not None and self._grade(found.kind) > self._grade(before.kind) and self._doubts < AGREE:
            return None
        self.verdict, self._doubts = found, 0
        return found

    def _grade(self, kind: str) -> int:
        """0 for the gravest."""
        kinds = [*(rule.kind for rule in self._rules), "worse-than-before", "too-early", "healthy"]
        return kinds.index(kind)

    def _calm(self, step: int) -> Verdict:
        """What is said where no rule holds."""
        stands = self.verdict is not None and self.verdict.kind == "healthy"
        last = {name: self._curves[name][-1][1] for name in GOOD_BY if self._curves.get(name)}
        if last and all(value >= GOOD_BY[name][stands] for name, value in last.items()):
            self._was_good = True
            return Verdict("healthy", step, {"since": step})
        return Verdict("worse-than-before" if self._was_good else "too-early", step, {"since": step})

    def _try(self, rule: Rule, step: int, seconds: float) -> Verdict | None:
        if seconds < rule.after or step * self._g_steps < rule.updates or len(self._looks) < rule.looks:
            return None
        window = list(self._looks)[-rule.looks :]
        stands = self.verdict is not None and self.verdict.kind == rule.kind
        figures: dict[str, Any] = {"since": window[0][0], "curve": rule.signals[0].curve}
        for signal in rule.signals:
            value = self._value(signal, window[0][0])
            if value is None or not signal.holds(value, stands):
                return None
            figures.setdefault(signal.curve.replace("/", "_"), round(value, 4))
        missing = sorted(frozenset.intersection(*(classes for _, classes in window)))
        named = [self._classes[i] if i < len(self._classes) else str(i) for i in missing]
        return Verdict(
            rule.kind, step, figures | ({"missing": named} if named and rule.names_classes else {})
        )

    def _value(self, signal: Signal, since: int) -> float | None:
        """The signal's statistic over the points since a step; None where there are none."""
        curve = self._curves.get(signal.curve, ())
        points = [value for step, value in curve if step >= since]
        if not points and signal.best and curve:  # scores are rarer than looks: the last one holds
            points = [curve[-1][1]]
        if not points:
            return None
        value = STATISTICS[signal.statistic](points)
        return value / max(self._best[signal.curve], 1e-12) if signal.best else value


def diagnose(
    records: Iterable[Mapping[str, Any]], config: TrainConfig, classes: Sequence[str] = ()
) -> list[Verdict]:
    """All verdicts on a run, in order, from its records in the order of their steps; see `Doctor`."""
    doctor = Doctor(config, classes)
    return [verdict for record in records if (verdict := doctor.add(record)) is not None]


def as_json() -> list[dict[str, Any]]:
    """The rules as plain JSON."""
    return [asdict(rule) for rule in RULES]


def _finite(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
