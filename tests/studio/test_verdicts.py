"""What the doctor says reaches the page in both languages, and a press of the button tries the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from synthetic import make_run
from test_training_api import FakeServices

from gan_core.config import difference
from gan_core.doctor import RULES
from gan_core.errors import RunError
from gan_core.presets import settings
from gan_core.runs.layout import RunPaths
from gan_core.runs.reader import Verdict, read_settings
from gan_core.runs.writer import RunWriter
from studio.live import Reader
from studio.verdicts import CALM, Verdicts, listed, shown, start_cure
from studio.words import MESSAGE, TABLE

COLLAPSE = Verdict("collapse", 50, {"since": 17, "curve": "variety/pictures", "variety_pictures": 0.09,
                                    "missing": ["0", "7"]})  # fmt: skip


def sick_run(root: Path, **changes: Any) -> RunPaths:
    run = make_run(root, g_steps=10, d_norm="none", **changes)
    RunWriter(run).verdict(Verdict("too-early", 5, {"since": 5}))
    RunWriter(run).verdict(COLLAPSE)
    return run


def test_the_newest_verdict_is_shown_in_words_with_what_to_change(tmp_path: Path) -> None:
    run = sick_run(tmp_path)
    config = read_settings(run)[1]
    said = shown(Verdicts(run).newest(), config, "en")
    assert said is not None and (said["kind"], said["grave"], said["since"]) == ("collapse", True, 17)
    assert said["text"] == (
        "Mode collapse: its pictures are nearly all the same; they differ by 9% of what real ones do. "
        "No readable picture shows: 0, 7."
    )
    assert said["why"] == TABLE[f"{MESSAGE}collapse-why"][0] and said["curve"] == "variety/pictures"
    assert said["cure"] == "Generator steps: 1, Discriminator normalisation: batch"
    chinese = shown(COLLAPSE, config, "zh")
    assert chinese is not None and chinese["text"].startswith("模式崩溃：") and "、" in chinese["cure"]
    assert shown(None, config, "en") is None
    calm = shown(Verdict("healthy", 5, {"since": 5}), config, "en")
    assert calm is not None and (calm["grave"], calm["cure"]) == (False, "")


def test_values_are_written_as_a_person_does() -> None:
    assert listed({"lr_g": 0.002, "dataset_limit": None}, "en") == (
        "Generator learning rate: 0.002, Data set limit: left empty"
    )


def test_no_kind_of_trouble_is_called_calm() -> None:
    assert not {rule.kind for rule in RULES} & set(CALM)


def test_a_verdict_that_changes_is_in_the_next_answer_and_one_that_does_not_in_none(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    reader = Reader(run, list)
    first = reader.answer(0, True)
    assert first is not None and b'"verdict":null' in first.plain
    RunWriter(run).verdict(COLLAPSE)
    reader._checked = -1e9
    body = reader.answer(reader._revision, True)
    assert body is not None and b'"kind":"collapse"' in body.plain
    reader._checked = -1e9
    assert reader.answer(reader._revision, True) is None


def test_a_verdict_of_a_later_version_is_shown_by_its_code(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    RunWriter(run).verdict(Verdict("moonstruck", 5, {"since": 3}))
    said = shown(Verdicts(run).newest(), read_settings(run)[1], "en")
    assert said is not None and "moonstruck" in said["text"] and said["cure"] == ""


def test_the_remedy_is_a_run_of_the_visitor_with_the_change_and_else_the_same(tmp_path: Path) -> None:
    run = sick_run(tmp_path, seed=5)
    services: Any = FakeServices(tmp_path, data_root="")
    assert start_cure(services, run.id, "somebody", "near") == "a-run"
    assert services.jobs.checked == [("somebody", "near")], "limits hold for remedies as well"
    ((_, config, preset, owner, address),) = services.jobs.told
    assert (preset, owner, address) == ("glyphs", "somebody", "near")
    assert difference(read_settings(run)[1], config) == {"g_steps": (10, 1), "d_norm": ("none", "batch")}


def test_where_there_is_nothing_to_change_it_is_said_and_no_run_is_made(tmp_path: Path) -> None:
    services: Any = FakeServices(tmp_path)
    run = make_run(tmp_path)
    with pytest.raises(RunError, match=f"There is no remedy to try for run {run.id}"):
        start_cure(services, run.id, "somebody", "")
    RunWriter(run).verdict(Verdict("healthy", 5, {"since": 5}))
    with pytest.raises(RunError, match="no remedy"):
        start_cure(services, run.id, "somebody", "")
    with pytest.raises(RunError):
        start_cure(services, "no-such-run", "somebody", "")
    assert services.jobs.told == []


@pytest.mark.parametrize("kind", sorted({rule.kind for rule in RULES}))
def test_each_trouble_is_told_with_figures_in_both_languages(kind: str) -> None:
    for rule in (rule for rule in RULES if rule.kind == kind):
        figures = {signal.curve.replace("/", "_"): 0.25 for signal in rule.signals}
        verdict = Verdict(kind, 5, {"since": 3, **figures})
        for tongue in ("en", "zh"):
            said = shown(verdict, settings("lesson", {}), tongue)
            assert said is not None and "{" not in said["text"] + said["why"]
            assert said["text"][-1] in ".。", "a sentence, no code with figures"
            assert any(digit in said["text"] for digit in "025"), "a figure stands in it"
