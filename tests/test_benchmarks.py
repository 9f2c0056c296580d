"""What the benchmarks make of numbers: signs of failure on runs made by hand, aims, rows, presets."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks import doctor as attending
from benchmarks import failures as failing
from benchmarks import infogan as coded
from benchmarks import losses as games
from benchmarks import points as plane
from benchmarks import quality as learning
from benchmarks import stacked as thousand
from benchmarks import steadiness
from benchmarks import sturdy as lasting
from benchmarks.cases import Case, flags, root_flags
from benchmarks.failures import COUNT, ENDLESS, SIDE, SIGNS, Finished, ended, measured, real, value_of
from benchmarks.table import Row, markdown, spread
from gan_core.catalog import check
from gan_core.cli import COMMANDS
from gan_core.data import available
from gan_core.doctor import RULES
from gan_core.errors import RunError
from gan_core.flags import parsed
from gan_core.losses import LOSSES
from gan_core.messages import Message
from gan_core.presets import PRESETS, settings
from gan_core.rules import warnings
from gan_core.runs import RunWriter, create_run
from gan_core.runs.reader import Verdict

CASES = [*learning.CASES, *plane.CASES, thousand.CASE, *map(games.case_of, LOSSES)]
SCORES = {"modes": 8.0, "within_3_sigma": 0.97, "reverse_kl": 0.01}


@pytest.fixture
def run(tmp_path):
    """The directory of a run of fail-memorise that was just begun."""
    return create_run(tmp_path, settings("fail-memorise", {}), "fail-memorise")


def finished(run, made=None, lines=()):
    return Finished(run, list(lines), real("test") if made is None else made)


def curve(**late):
    """Twelve lines; what is given counts in the last three only, and before it was loud and never right."""
    return [{"accuracy/real": 0.0, "accuracy/fake": 0.0, "loss/D": 1e6}] * 9 + [late] * 3


def test_varied_pictures_and_one_picture(run):
    assert failing.diversity(finished(run)) == pytest.approx(1)
    assert failing.diversity(finished(run, real("train"))) == pytest.approx(1, abs=0.05)
    one = np.repeat(real("test")[:1], COUNT, axis=0)
    assert failing.diversity(finished(run, one)) == pytest.approx(0, abs=1e-4)
    faint = finished(run, 0.3 * real("test"))
    assert failing.diversity(faint) == pytest.approx(0.3)
    assert SIGNS["fail-collapse"].shows(failing.diversity(faint))


def test_copies_and_pictures_never_seen(run):
    assert failing.novelty(finished(run)) == pytest.approx(1)
    copies = np.resize(real("train")[:50], (COUNT, SIDE * SIDE))
    assert failing.novelty(finished(run, copies)) < 0.01
    assert failing.novelty(finished(run, np.clip(copies + 0.01, 0, 1))) < 0.9
    others = finished(run, np.resize(real("train")[50:100], (COUNT, SIDE * SIDE)))
    assert failing.novelty(others) > 0.9, "these are real pictures, but not among the fifty"


def test_how_far_from_digits(run):
    noise = np.random.default_rng(0).random((COUNT, SIDE * SIDE))
    limit = SIGNS["fail-wrong-label"].above
    assert failing.distance(finished(run)) == pytest.approx(0, abs=1e-3)
    assert failing.distance(finished(run, real("train"))) < limit < failing.distance(finished(run, noise))


def test_how_sure_and_how_loud_late_in_the_run(run):
    lines = curve(**{"accuracy/real": 1.0, "accuracy/fake": 0.6, "loss/D": -7.0})
    assert failing.certainty(finished(run, lines=lines)) == pytest.approx(0.8)
    assert failing.loudness(finished(run, lines=lines)) == pytest.approx(7)


def test_pictures_that_stay_and_pictures_that_turn_into_others(run):
    def grid(pictures):
        cells = (255 * pictures[:80]).astype(np.uint8).reshape(8, 10, SIDE, SIDE)
        stream = io.BytesIO()
        whole = Image.fromarray(cells.transpose(0, 2, 1, 3).reshape(8 * SIDE, 10 * SIDE))
        whole.save(stream, "WEBP", lossless=True)
        return stream.getvalue()

    writer = RunWriter(run)
    for step in range(1, 7):
        writer.sample(step, grid(real("test")))
    assert failing.restlessness(finished(run)) == 0
    for step in range(1, 7):
        writer.sample(step, grid(real("test")[80 * step :]))
    assert failing.restlessness(finished(run)) == pytest.approx(1, abs=0.15)


def test_only_numbers_that_ran_out_are_without_end(run):
    writer = RunWriter(run)
    writer.update(state="failed", messages=[Message("unexpected-error", error="OSError", reason="no space.")])
    with pytest.raises(RunError, match=r"\(fail-memorise\) is failed: Unexpected OSError: no space\."):
        ended(run)
    writer.update(state="finished")
    with pytest.raises(RunError, match="is finished"):
        ended(run)  # without a generator
    writer.verdict(Verdict("collapsed", 3, {}))
    with pytest.raises(RunError):
        ended(run)
    writer.verdict(Verdict("diverged", 3, {"value": "loss/G"}))
    writer.update(state="failed")
    one = ended(run)
    assert one.diverged and value_of("fail-divergence", one) == ENDLESS
    assert SIGNS["fail-unconstrained"].shows(ENDLESS)
    for name in SIGNS.keys() - {"fail-divergence", "fail-unconstrained"}:
        with pytest.raises(RunError, match="diverged"):
            value_of(name, one)


def test_a_run_that_never_began_is_no_failure_as_stated(monkeypatch):
    crash = SimpleNamespace(returncode=1, stderr="no module named torch\n")
    monkeypatch.setattr(failing.subprocess, "run", lambda *_, **__: crash)
    with pytest.raises(RunError, match="fail-collapse did not begin: no module named torch"):
        measured("fail-collapse", 0, ["fail-collapse"], "--seconds=20")


def test_a_failing_preset_is_measured_beside_its_cure(monkeypatch):
    asked = []

    def numbers(preset, seed, names, budget):
        asked.append((preset, seed))
        assert names == ["fail-no-norm"] and budget == "--seconds=20.0"
        return {name: 0.1 * seed if preset == name else 5.0 for name in names}

    monkeypatch.setattr(failing, "measured", numbers)
    (row,) = failing.failures(2, print, "fail-no-norm")
    assert asked == [(name, seed) for name in ("lesson-textbook", "fail-no-norm") for seed in (0, 1)]
    result = "0 0.1, 2 of 2; the cure lesson-textbook: 5 5"
    assert row == Row("fail-no-norm: diversity", "< 0.3", result)


def test_the_cure_trains_as_long_as_what_it_cures(monkeypatch):
    budgets = {}
    monkeypatch.setattr(
        failing,
        "measured",
        lambda preset, seed, names, budget: budgets.update({preset: budget}) or dict.fromkeys(names, 40.0),
    )
    failing.failures(1, print, "fail-double-sigmoid")
    assert budgets == {"lesson": "--steps=300", "fail-double-sigmoid": "--steps=300"}


def test_every_failing_preset_has_its_sign_and_every_named_preset_is_there():
    assert SIGNS.keys() == {name for name, row in PRESETS.items() if row.cure}
    assert all((sign.above > -np.inf) != (sign.below < np.inf) for sign in SIGNS.values())
    assert {"sturdy", "infogan", "digits", "glyphs"} | {case.preset for case in CASES} <= PRESETS.keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_every_case_can_be_trained(case):
    config = check(settings(case.preset, case.changes))
    broken = [warning for warning in warnings(config) if "mistake" not in config.loss]
    assert not broken and (config.seconds or config.steps)


def test_settings_as_flags():
    assert flags({"lr_g": 0.1, "conditional": False, "d_minibatch_std": True}) == [
        "--lr-g=0.1", "--no-conditional", "--d-minibatch-std",
    ]  # fmt: skip


def test_a_data_root_is_handed_on_and_fashion_is_found_in_the_system_all_the_same(tmp_path):
    assert root_flags("") == [] and root_flags("here") == ["--data-root", "here"]
    assert available("fashion-mnist", str(tmp_path)) == available("fashion-mnist", str(tmp_path / "none"))


def test_the_best_s_time_three_times_over_is_what_counts():
    assert lasting.decay([4, 2, 3, 3, 3, 2.5, 9]) == 1.25
    assert lasting.decay([2, 3, 3]) == 1.5
    assert lasting.decay([4, 2, 3, 3, 3]) is None and lasting.decay([3, 2, 1]) is None
    assert lasting.told([4, 2, 3, 3, 3, 2.5], 150) == "1.25, best 2 at 300 s, 2.5 at 900 s"
    assert lasting.told([3, 2, 1, 1.5], 10) == (
        "3x lies beyond the end, 1.50 at most until then, best 1 at 30 s of 40 s"
    )


def test_sturdy_is_looked_at_at_even_shares_of_the_seconds_asked_for(monkeypatch, tmp_path):
    calls = []

    def gan_core(command, *arguments):
        calls.append((command, *arguments))
        for flag in arguments:
            if flag.startswith("--runs="):
                (tmp_path / flag.removeprefix("--runs=") / "run").mkdir()
        return ""

    monkeypatch.setattr(lasting, "gan_core", gan_core)
    monkeypatch.setattr(lasting, "scores_of", lambda run, *_: {"frechet": 10.0 + abs(len(calls) - 4)})
    (row,) = lasting.sturdy(1, "here", lambda _: None, seconds=120)
    assert [command for command, *_ in calls] == ["train"] + ["resume"] * 11
    assert [next(a for a in call if a.startswith("--seconds")) for call in calls] == [
        f"--seconds={10 * k}" for k in range(1, 13)
    ]
    assert calls[0][-2:] == ("--data-root", "here")
    assert "120 s" in row.what
    assert row.result.startswith("1.80, best 10 at 40 s, 18 at 120 s. Distances every 10 s: 13 12")


def test_all_aims_have_to_be_reached():
    ring = plane.CASES[0]
    assert plane.reached(SCORES, ring)
    for worse in ({"modes": 7.0}, {"within_3_sigma": 0.94}, {"reverse_kl": 0.051}):
        assert not plane.reached({**SCORES, **worse}, ring)
    assert plane.reached({"modes": 8.0, "within_3_sigma": 0.95, "reverse_kl": 0.05}, ring), "the limits count"


def test_rows_of_points_losses_and_stacked_digits(monkeypatch):
    for module in (plane, games, thousand):
        read = {"classes": 10.0, "agreement": 1.0}
        results = iter([({**SCORES, **read, "modes": 8.0 - seed, "confidence": 0.9 - seed / 10},
                         {"seconds": 20.0 + seed, "step": 9}) for seed in (0, 1)])  # fmt: skip
        monkeypatch.setattr(module, "run_once", lambda *_, results=results: next(results))
    (row,) = plane.points(2, lambda _: None, "ring")
    assert row.result == ("1 of 2 seeds; modes 7.5 (7.0 to 8.0), within 3 sigma 0.970 (0.970 to 0.970), "
                          "reverse kl 0.010 (0.010 to 0.010); 20.5 (20.0 to 21.0) s")  # fmt: skip
    assert row.aim == "modes >= 8, within 3 sigma >= 0.95, reverse kl <= 0.05, < 30 s"
    assert row.what.startswith("ring of 8 (PacGAN2 7.9 modes")
    (row,) = games.losses(2, "", lambda _: None, "least-squares")
    assert row.what.endswith("(seconds 30.0, lr_g 0.002, lr_d 0.002)")
    assert row.result.startswith("does NOT read as digits: confidence 0.850 (0.800 to 0.900)")
    assert row.result.endswith("label agreement 1.000 (1.000 to 1.000)")
    monkeypatch.setattr(thousand, "load", lambda *_, **__: SimpleNamespace(images=np.zeros(3)))
    monkeypatch.setattr(thousand, "read_stacked", lambda _: np.arange(1000))
    (row,) = thousand.stacked(2, "", lambda _: None)
    assert row.result == ("modes 8 (7 to 8), reverse KL 0.010 (0.010 to 0.010); "
                          "real pictures 1000, 0.000")  # fmt: skip


def test_rows_of_quality(monkeypatch):
    case = Case("some run", "digits", {}, {"agreement": (">=", 0.99)}, anchor="real pictures .994")
    scores = [{"agreement": 0.99}, {"agreement": 0.97}]
    assert learning._row(case, "agreement", scores, [30, 40]) == Row(
        "some run: agreement (30 to 40 steps); real pictures .994", ">= 0.99", "0.980 (0.970 to 0.990)"
    )
    beside = Case("run", "digits", {}, {"frechet": ("beside its floor", 0.0), "recall": ("beside", 0.0)})
    scores = [{"frechet": 2.0, "floor": 0.05, "recall": 0.5, "recall_real": 0.9}]
    assert learning._row(beside, "frechet", scores, [1]).aim == "beside its floor (0.05)"
    assert learning._row(beside, "recall", scores, [1]).aim == "beside (0.9)"
    assert learning._row(beside, "frechet", scores, [1]).result == "2.00 (2.00 to 2.00)"
    monkeypatch.setattr(coded, "run_once", lambda seed, _: (0.9 + seed / 100, 600.0))
    (row,) = coded.infogan(2, "", lambda _: None)
    assert row.result == "0.905 (0.900 to 0.910)" and row.aim == ">= 0.9" and "600 s" in row.what


def test_a_table():
    assert markdown([Row("a", "> 1", "2")]) == "| what | aim | measured |\n|---|---|---|\n| a | > 1 | 2 |"
    assert spread([1, 3], 1) == "2.0 (1.0 to 3.0)"


def test_a_run_gone_astray_is_counted_by_its_later_gradients(monkeypatch, tmp_path):
    told = []

    def train(*arguments):
        told.append(arguments)
        run = create_run(Path(arguments[arguments.index("--runs") + 1]), settings("digits", {}), "digits")
        high = 9.0 if "--seed=301" in arguments else 1.5
        for step in range(4, 111, 4):  # loud at first in every run
            RunWriter(run).record({"step": step, "gradient/G": 20.0 if step < 80 else high})

    monkeypatch.setattr(steadiness, "gan_core", train)
    (row,) = steadiness.steadiness(3, "", print, "without")
    assert row.result == "1 of 3; G's gradient 1.50 in the middle run, 9.00 at most"
    assert all("--penalty=none" in arguments and "--preset=digits" in arguments for arguments in told)


def test_every_failing_preset_has_a_name_that_the_doctor_knows():
    assert attending.NAMES.keys() == {name for name, row in PRESETS.items() if row.cure}
    known = {rule.kind for rule in RULES} | {"diverged"}
    assert all(names <= known for names in attending.NAMES.values())


def test_healthy_runs_are_a_dozen_half_of_them_new_and_can_be_trained():
    assert len(attending.HEALTHY) >= 12 and sum(not case.seen for case in attending.HEALTHY) >= 6
    for case in attending.HEALTHY:
        config = check(settings(case.preset, case.changes))
        assert (config.seconds or 60) >= 60 and not warnings(config), case.name


def test_a_course_has_the_seconds_of_what_was_said(run):
    writer = RunWriter(run)
    for k in range(1, 9):
        writer.score({"step": 10 * k, "seconds": 2.0 * k, "variety/pictures": 0.9, "share/plausible": 0.9,
                      "novelty/pictures": 0.5, "motion/moved": 0.0})  # fmt: skip
    course = attending.course(run)
    assert course.said == (("healthy", 2.0, 2.0), ("memorising", 6.0, 2.0)) and course.troubles == [
        "memorising"
    ]
    row = attending._failing("fail-memorise", frozenset({"memorising"}), [course, attending.Course(())])
    assert row.result == "1 of 2: memorising at 6 s, not (nothing said)"
    late = attending.Course((("memorising", 40.0, 10.0),))
    assert attending._failing("x", frozenset({"memorising"}), [late]).result.startswith("0 of 1"), "too late"
    other = attending._failing("x", frozenset({"collapse"}), [course])
    assert other.result == "0 of 1: not (memorising); also told: memorising"
    writer.verdict(Verdict("diverged", 80, {"value": "loss/G"}))
    assert attending.course(run).said[-1] == ("diverged", 16.0, 16.0)


def test_healthy_runs_with_an_alarm_are_counted_and_named(monkeypatch):
    monkeypatch.setattr(attending, "trained", lambda preset, changes, seed: attending.Course(
        (("collapse", 9.0, 5.0),) if preset == "textbook" else (("healthy", 9.0, 9.0),)))  # fmt: skip
    known, new = attending.doctor(3, "", lambda text: None, "healthy")
    assert known.result == "1 of 7 with an alarm (the textbook's DCGAN: collapse)"
    assert new.result == f"0 of {len(attending.HEALTHY) - 7} with an alarm"


def test_a_remedy_is_tried_by_flags_that_the_command_line_takes(monkeypatch):
    asked = []
    look = {"variety/pictures": 0.5, "share/plausible": 0.25, "classes/0": 0, "classes/1": 1.0}
    monkeypatch.setattr(attending, "trained", lambda preset, changes, seed: (
        asked.append([preset, *changes]), attending.Course((("healthy", 9.0, 9.0),), look))[1])  # fmt: skip
    for preset, kinds in attending.NAMES.items():
        for kind in kinds:
            row = attending._cured(preset, [attending.Course(((kind, 3.0, 1.0),))], [], lambda text: None)
            parsed(["train", "--preset", *asked[-1]], COMMANDS)
            assert len(asked[-1]) > 2, "something is changed"
            assert row.result.endswith("variety 0.50, near to real 0.25, classes missing 1 after")
