"""The doctor names what ails recorded runs, says nothing of healthy ones, and each of his rules is needed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_core.cli import main
from gan_core.config import TrainConfig, difference, from_mapping
from gan_core.data import DATASETS
from gan_core.doctor import AGREE, EASE, LOOKS, RULES, STATISTICS, Doctor, Rule, as_json, diagnose
from gan_core.losses import LOSSES
from gan_core.metrics.grid_metrics import measure_points
from gan_core.presets import PRESETS, settings
from gan_core.remedies import REMEDIES, remedy_for
from gan_core.rules import applies, refusals, warnings
from gan_core.runs import RunWriter, create_run, read_lines
from gan_core.runs.history import history
from gan_core.runs.reader import Verdict, read_verdicts
from gan_core.training import train

FOLDER = Path(__file__).parent / "fixtures" / "doctor"
TROUBLES = {
    "fail-d-wins": "d-wins", "fail-collapse": "collapse", "fail-oscillation": "oscillation",
    "fail-unconstrained": "divergence", "fail-zero-init": "g-vanished", "fail-no-norm": "stuck",
    "fail-memorise": "memorising", "fail-wrong-label": "d-wins",
    "fail-double-sigmoid": "weak-gradient", "fail-double-sigmoid-1": "d-wins",
    "fail-stale-batch": "g-vanished", "fail-wrong-sign": "g-vanished", "fail-slow": "stuck",
    "fail-too-fast": "saturated",
}  # fmt: skip
HEALTHY = sorted(
    path.name.removesuffix(".json.gz") for path in FOLDER.glob("*.gz") if path.name[:5] != "fail-"
)
CALM = {"healthy", "too-early", "worse-than-before"}
CONFIG = TrainConfig(seconds=100.0)
TINY = {"dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4, "batch": 16, "precision": "fp32",
        "memory_format": "contiguous", "threads": 1, "log_every": 1}  # fmt: skip
Records = list[dict[str, Any]]


def recorded(name: str) -> tuple[TrainConfig, Records]:
    """A real run, kept by tools/doctor_fixture.py."""
    kept = json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))
    return from_mapping(kept["settings"]), kept["records"]


def kinds(config: TrainConfig, records: Records, rules: Sequence[Rule] = RULES) -> list[str]:
    doctor = Doctor(config, [str(k) for k in range(10)], rules)
    return [verdict.kind for record in records if (verdict := doctor.add(record))]


@pytest.mark.parametrize("name", TROUBLES)
def test_what_ails_a_run_is_named_within_fifteen_seconds(name: str) -> None:
    """Of its first step: all these faults are there from the start."""
    config, records = recorded(name)
    verdicts = diagnose(records, config)
    assert verdicts[-1].kind == TROUBLES[name]
    seconds = {record["step"]: record["seconds"] for record in records}
    first = next(verdict for verdict in verdicts if verdict.kind == TROUBLES[name])
    assert seconds[first.step] <= 15 and first.figures["since"] < first.step


@pytest.mark.parametrize("name", HEALTHY)
def test_of_a_healthy_run_no_trouble_is_ever_told(name: str) -> None:
    config, records = recorded(name)
    assert len(records) > 60 and set(kinds(config, records)) <= CALM
    assert records[-1]["seconds"] > 29


def test_most_of_the_healthy_ones_are_called_so_in_the_end() -> None:
    last = [kinds(*recorded(name))[-1] for name in HEALTHY]
    assert len(last) >= 6 and last.count("healthy") >= len(last) / 2


def test_every_failing_preset_is_among_the_recorded_ones_but_those_that_end_at_once() -> None:
    failing = {name for name, preset in PRESETS.items() if preset.cure}
    assert failing - TROUBLES.keys() == {"fail-divergence"}, "the trainer itself says of it that it diverged"


def looks(count: int, start: int = 1, **values: float | Callable[[int], float]) -> Records:
    """One look at the samples a second, and a point of the curves before each."""
    usual = {"share/plausible": 0.9, "variety/pictures": 0.9, "motion/moved": 0.05, "gradient/G": 1.0}
    named = {name.replace("__", "/"): value for name, value in values.items()}
    return [
        {"step": 100 * k, "seconds": 10.0 * k, "accuracy/real": 0.7, "accuracy/fake": 0.7, "loss/G": 1.0}
        | {name: value(k) if callable(value) else value for name, value in {**usual, **named}.items()}
        for k in range(start, start + count)
    ]  # fmt: skip


SYNTHETIC: Mapping[str, tuple[str, Records]] = {
    "it was better before": ("degrading", looks(12, quality__frechet=lambda k: 10.0 if k < 6 else 16.0,
                                                share__plausible=0.7)),
    "four classes are missing": ("classes-missing", looks(9, share__readable=0.8, **{
        f"classes__{k}": 0.0 if k < 4 else 1 / 6 for k in range(10)})),
    "all points at one place of eight": ("modes-missing", [
        {"step": 100 * k, "seconds": 10.0 * k, "modes/points": 0.9,
         **{f"classes/{place}": 1.0 if place == 0 else 0.0 for place in range(8)}} for k in range(1, 9)]),
    "one picture that looks real, and stands still": ("collapse", looks(9, variety__pictures=0.1)),
}  # fmt: skip


@pytest.mark.parametrize("name", SYNTHETIC)
def test_what_no_preset_shows_is_named_as_well(name: str) -> None:
    kind, records = SYNTHETIC[name]
    assert kinds(CONFIG, records)[-1] == kind


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.kind} {rule.signals[-1].curve}")
def test_without_a_rule_something_would_not_be_named(rule: Rule) -> None:
    others = [other for other in RULES if other is not rule]
    runs = [recorded(name) for name in TROUBLES] + [(CONFIG, records) for _, records in SYNTHETIC.values()]
    assert [run for run in runs if kinds(*run) != kinds(*run, others)]


def showing(rule: Rule, missed: int = -1) -> Records:
    """A run that shows all signals of a rule but that of this number, which is just short of its limit."""
    shown: dict[str, Any] = {}
    for number, signal in enumerate(rule.signals):
        above, below = signal.above, signal.below
        short = number == missed
        if signal.statistic == "growth":
            shown[signal.curve] = (lambda k: 0.01 * 1.3**k) if short else shown.get(signal.curve, 0.4)
        elif above is not None:
            value = above * (0.9 if short else 1.1)
            shown[signal.curve] = (lambda k, late=value: 1.0 if k < 6 else late) if signal.best else value
        elif below is not None and (short or signal.curve not in shown):
            shown[signal.curve] = below * (1.1 if short else 0.9)
    if (gone := shown.pop("classes/missing", None)) is not None:
        shown |= {f"classes/{k}": 0.0 if k < round(gone) else 0.1 for k in range(10)}
    return looks(14, **{name.replace("/", "__"): value for name, value in shown.items()})


NEEDED = [(rule, number) for rule in RULES for number in range(len(rule.signals))]


@pytest.mark.parametrize(
    ("rule", "number"), NEEDED, ids=lambda one: one.kind if isinstance(one, Rule) else str(one)
)
def test_a_trouble_is_told_where_all_its_signals_show_and_where_one_is_short_not(
    rule: Rule, number: int
) -> None:
    config = replace(CONFIG, loss=rule.losses[0] if rule.losses else "non-saturating")
    assert rule.kind in kinds(config, showing(rule), [rule])
    assert rule.kind not in kinds(config, showing(rule, number), [rule])


def test_a_trouble_is_taken_back_when_it_is_gone_for_two_looks_and_a_graver_one_comes_at_once() -> None:
    sick = looks(6, motion__moved=0.6)
    assert kinds(CONFIG, sick) == ["healthy", "oscillation"]
    assert kinds(CONFIG, sick + looks(AGREE - 1, 7)) == ["healthy", "oscillation"]
    assert kinds(CONFIG, sick + looks(AGREE, 7)) == ["healthy", "oscillation", "healthy"]
    graver = looks(3, 7, gradient__G=0.0, share__plausible=0.0)
    assert kinds(CONFIG, sick + graver)[-1] == "g-vanished"


def test_a_trouble_that_has_shown_does_not_flicker_at_its_limit() -> None:
    (rule,) = (rule for rule in RULES if rule.kind == "oscillation")
    limit = rule.signals[0].above
    assert limit is not None
    wobbling = looks(12, motion__moved=lambda k: limit * (1.05 if k < 6 or k % 2 else 0.95))
    assert kinds(CONFIG, wobbling) == ["healthy", "oscillation"]
    assert kinds(CONFIG, looks(12, motion__moved=limit / EASE * 1.05)) == ["healthy"], "it never showed"


def test_points_are_looked_at_as_well_as_pictures() -> None:
    mixture = DATASETS["ring"].mixture
    assert mixture is not None
    found = measure_points(np.zeros((40, 2, 1, 1), np.float32), mixture)
    assert found.keys() & set(LOOKS)
    points = [{"step": k, "seconds": float(k), **{**found, "modes/points": 0.9}} for k in range(1, 4)]
    assert kinds(CONFIG, points) == ["healthy"]
    assert kinds(CONFIG, [{**record, "modes/points": 0.1} for record in points]) == ["too-early"]


def test_before_there_is_anything_to_see_it_is_too_early() -> None:
    assert kinds(CONFIG, looks(1, share__plausible=0.1)) == ["too-early"]
    assert kinds(CONFIG, []) == [] == kinds(CONFIG, [{"step": 1, "loss/G": 1.0}]), "no look, no verdict"


def test_going_back_to_one_is_no_trouble_near_one() -> None:
    """A healthy novelty is about 1: told at .88 it must not stand at 1."""
    sick = looks(5, novelty__pictures=0.85)
    assert kinds(CONFIG, sick)[-1] == "memorising"
    assert kinds(CONFIG, sick + looks(5, 6, novelty__pictures=1.0))[-1] == "healthy"


def test_scores_are_rarer_than_looks_and_hold_until_the_next() -> None:
    scores = {6: 10.0, 12: 16.0, 24: 16.0, 36: 16.0}
    records = looks(40, share__plausible=0.7)
    for record in records:
        if (k := record["step"] // 100) in scores:
            record["quality/frechet"] = scores[k]
    assert kinds(CONFIG, records)[1:] == ["degrading"], "once, and it does not flicker between two scores"


def test_what_was_good_and_is_no_more_is_not_called_too_early() -> None:
    assert kinds(CONFIG, looks(5) + looks(5, 6, share__plausible=0.3)) == ["healthy", "worse-than-before"]


def test_records_that_are_damaged_do_no_harm() -> None:
    odd: Records = [{}, {"step": None}, {"step": "x", "share/plausible": 1}, {"step": True},
                    {"step": 5, "variety/pictures": None, "seconds": None},
                    {"step": 6, "variety/pictures": 0.9, "share/plausible": 0.9, "seconds": None},
                    {"step": 7, "classes/x": 0, "classes/": 0, "variety/pictures": 0.9}]  # fmt: skip
    assert kinds(CONFIG, [*odd, *looks(2), *odd]) == ["healthy"]


def test_a_week_of_records_takes_no_more_memory_than_a_minute() -> None:
    for records in (looks(3000), [{"step": k, "gradient/G": 1.0, "curve/odd": 1.0} for k in range(9000)]):
        doctor = Doctor(CONFIG)
        for record in records:
            doctor.add(record)
        kept, most = max(map(len, doctor._curves.values())), 20 if "seconds" in records[0] else 2000
        assert kept <= most
        assert "curve/odd" not in doctor._curves, "only what a rule asks for is kept"


def test_only_rules_of_the_runs_own_game_are_asked() -> None:
    config, records = recorded("fail-unconstrained")
    assert kinds(config, records)[-1] == "divergence"
    assert "divergence" not in kinds(replace(config, loss="hinge"), records)


def test_the_classes_that_nothing_shows_are_named() -> None:
    _, records = SYNTHETIC["four classes are missing"]
    verdict = diagnose(records, CONFIG, ["zero", "one", "two"])[-1]
    assert verdict.figures["missing"] == ["zero", "one", "two", "3"]
    assert [str(told) for told in verdict.messages] == [
        "Classes are missing: 80% of its pictures can be read, yet 4 classes are not among them.",
        "No readable picture shows: zero, one, two, 3.",
    ]


def test_the_table_is_plain_json_and_means_something() -> None:
    rows = json.loads(json.dumps(as_json()))
    assert [row["kind"] for row in rows] == [rule.kind for rule in RULES]
    assert rows[0]["signals"][0] == {
        "curve": "loss/G", "statistic": "size", "above": 50, "below": None, "best": False, "ease": EASE,
    }  # fmt: skip
    for rule in RULES:
        assert rule.losses == () or set(rule.losses) <= LOSSES.keys()
        assert all(signal.statistic in STATISTICS for signal in rule.signals)
        assert {signal.above is None for signal in rule.signals} <= {True, False}
        of_samples = ("modes/", "share/", "variety/", "motion/", "novelty/", "saturation/", "classes/")
        assert any(signal.curve.startswith(of_samples) for signal in rule.signals), (
            "losses alone prove nothing"
        )


@pytest.mark.parametrize("preset", [name for name, row in PRESETS.items() if row.cure])
def test_the_remedy_of_a_failing_preset_changes_its_cause(preset: str) -> None:
    """Or the learning rates, of those that are wrong in these."""
    kind = TROUBLES.get(preset, "diverged")
    config = settings(preset, {})
    changes = remedy_for(kind, config)
    cause = difference(config, settings(PRESETS[preset].cure, {})).keys()
    assert changes.keys() & cause, (kind, changes, cause)
    assert not refusals(replace(config, **changes))


def test_each_trouble_has_a_remedy_and_health_has_none() -> None:
    assert {rule.kind for rule in RULES} | {"diverged"} == REMEDIES.keys()
    for kind in REMEDIES:
        assert remedy_for(kind, settings("fashion", {})), kind
    assert remedy_for("healthy", CONFIG) == {} == remedy_for("zebra", CONFIG)
    config = settings("lesson", {"dataset_limit": 50, "augment": "translation-cutout"})
    assert remedy_for("memorising", config) == {"dataset_limit": None}
    assert remedy_for("memorising", replace(config, dataset_limit=None)) == {}, "all that is known was done"


@pytest.mark.parametrize(("preset", "kind", "up"), [
    ("textbook", "diverged", False), ("textbook", "saturated", False), ("lesson", "saturated", False),
    ("textbook", "stuck", True), ("lesson", "stuck", True), ("fail-slow", "stuck", True),
    ("fail-too-fast", "saturated", False), ("fail-divergence", "diverged", False),
])  # fmt: skip
def test_remedies_move_learning_rates_the_way_their_words_say(preset: str, kind: str, up: bool) -> None:
    config = settings(preset, {})
    changes = remedy_for(kind, config)
    rates = [name for name in ("lr_g", "lr_d") if name in changes]
    assert all((changes[name] > getattr(config, name)) is up for name in rates)
    assert rates or kind == "diverged"


def test_no_remedy_does_what_the_form_warns_against_or_what_a_network_ignores() -> None:
    for preset in PRESETS:
        config = settings(preset, {})
        for kind in REMEDIES:
            changes = remedy_for(kind, config)
            new = replace(config, **changes)
            assert {w.code for w in warnings(new)} <= {w.code for w in warnings(config)}, (preset, kind)
            assert all(applies(name, config) for name in changes), (preset, kind)


def test_of_settings_of_a_later_version_there_is_no_remedy() -> None:
    assert remedy_for("collapse", replace(CONFIG, network="of-2030")) == {}


def test_a_run_that_went_back_is_told_of_as_it_is_there(tmp_path: Path) -> None:
    config = from_mapping({**TINY, "steps": 4, "checkpoint_steps": 4})
    run = create_run(tmp_path, config)
    list(train(config, run))
    RunWriter(run).verdict(Verdict("diverged", 9, {"value": "loss/G", "retries": 1}))
    list(train(replace(config, steps=6), run, resume=True))
    assert read_verdicts(run)[-1].kind == "too-early"


def test_scores_reach_the_doctor_while_a_run_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    monkeypatch.setattr(Doctor, "add", lambda self, record: seen.update(record))
    config = from_mapping({**TINY, "seconds": 3.0, "score_seconds": 0.1})
    list(train(config, create_run(tmp_path, config)))
    assert {"quality/frechet", "variety/pictures", "loss/G"} <= seen


def test_a_run_is_attended_while_it_trains_and_goes_on_where_its_doctor_was(tmp_path: Path) -> None:
    config = from_mapping({**TINY, "steps": 40, "initialisation": "zero"})
    run = create_run(tmp_path, config)
    list(train(config, run))
    said = read_verdicts(run)
    assert [verdict.kind for verdict in said] == ["too-early"]
    list(train(replace(config, steps=60), run, resume=True))
    assert read_verdicts(run) == said, "nothing new, so nothing is said again"
    assert [verdict.kind for verdict in diagnose(history(run), config)] == ["too-early"]


def test_both_kinds_of_records_reach_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def add(self: Doctor, record: Mapping[str, Any]) -> Verdict:
        seen.append({name.partition("/")[0] for name in record})
        return Verdict("stuck", 3, {"since": 1})

    monkeypatch.setattr(Doctor, "add", add)
    config = from_mapping({**TINY, "steps": 2})
    run = create_run(tmp_path, config)
    list(train(config, run))
    assert any("loss" in names for names in seen) and any("variety" in names for names in seen)
    assert len(read_lines(run.verdicts)[0]) == len(seen)


def test_the_history_is_in_the_order_of_the_steps_without_what_was_lost(tmp_path: Path) -> None:
    run = create_run(tmp_path, CONFIG)
    writer = RunWriter(run)
    for step in (1, 2, 3):
        writer.record({"step": step, "loss/G": float(step)})
    writer.score({"step": 2, "variety/pictures": 1.0})
    writer.score({"step": 3, "variety/pictures": 0.1})
    writer.back_to(2)
    assert [sorted(row) for row in history(run)] == [["loss/G", "step"], ["loss/G", "step"],
                                                     ["step", "variety/pictures"]]  # fmt: skip


def test_the_command_line_says_what_ails_a_run_and_what_to_type(tmp_path: Path, capsys) -> None:
    config, records = recorded("fail-collapse")
    run = create_run(tmp_path, config, "fail-collapse")
    assert main(["doctor", str(run.path)]) == 2
    assert "has recorded no look at its samples" in capsys.readouterr().err
    writer = RunWriter(run)
    for record in records:
        writer.score(record)
    assert main(["doctor", str(run.path)]) == 0
    said = capsys.readouterr().out
    assert "Mode collapse: its pictures are nearly all the same; they differ by" in said
    assert "No readable picture shows: 0, 1," in said and "--g-steps 1" in said.splitlines()[-1]
    assert said.splitlines()[-1].startswith("Try: python -m gan_core train --preset fail-collapse ")
    assert main(["doctor", str(run.path), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["kind"] for row in rows] == [verdict.kind for verdict in diagnose(records, config)]


def test_the_command_line_ends_with_a_runs_own_end(tmp_path: Path, capsys) -> None:
    config = settings("fail-divergence", {})
    run = create_run(tmp_path, config, "fail-divergence")
    RunWriter(run).verdict(Verdict("diverged", 7, {"value": "loss/G", "retries": 0}))
    assert main(["doctor", str(run.path)]) == 0
    said = capsys.readouterr().out
    assert "step       7  Training diverged at step 7" in said and "--optimiser adam" in said
