"""Settings: every one checked, converted and explained by its one declaration."""

import dataclasses

import pytest

from gan_core.config import TrainConfig, difference, from_mapping, kind, knobs, to_mapping
from gan_core.errors import ConfigError
from gan_core.knobs import nearest, unknown_names

BUDGET = {"steps": 10}


def problems(values) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        from_mapping(values)
    return {problem.field: str(problem) for problem in caught.value.problems}


def test_every_setting_is_declared_whole():
    assert len(knobs()) == len(dataclasses.fields(TrainConfig))
    for name, knob in knobs().items():
        plain, optional = kind(name)
        assert plain in (bool, int, float, str)
        assert knob.group and knob.help.endswith(".") and knob.scale in ("linear", "log")
        if plain in (int, float) and not knob.choices:
            assert knob.low is not None and knob.high is not None and knob.low < knob.high
            assert knob.scale == "linear" or knob.low >= 0
        assert optional == (getattr(TrainConfig(), name) is None)


def test_defaults_only_lack_a_budget():
    with pytest.raises(ConfigError, match="budget"):
        from_mapping(to_mapping(TrainConfig()))
    assert from_mapping({"steps": 1}) == TrainConfig(steps=1)


@pytest.mark.parametrize("name", [name for name, knob in knobs().items() if knob.low is not None])
def test_both_ends_of_a_range_are_allowed_and_no_more(name):
    knob, (plain, _) = knobs()[name], kind(name)
    for end in (knob.low, knob.high):
        assert getattr(from_mapping(BUDGET | {name: plain(end)}), name) == end
    step = 1 if plain is int else 1e-9 + abs(knob.high) * 1e-6
    assert name in problems(BUDGET | {name: plain(knob.high) + step})
    assert name in problems(BUDGET | {name: plain(knob.low) - step})


@pytest.mark.parametrize("name", [name for name, knob in knobs().items() if knob.choices])
def test_a_value_beyond_the_choices_is_refused_with_all_of_them(name):
    wrong = "elsewhere" if kind(name)[0] is str else 33
    said = problems(BUDGET | {name: wrong})[name]
    assert all(str(choice) in said for choice in knobs()[name].choices)


@pytest.mark.parametrize(
    "name, text, value",
    [("steps", "12", 12), ("lr_g", "2e-4", 2e-4), ("batch", 32.0, 32), ("conditional", "no", False),
     ("conditional", True, True), ("size", "64", 64), ("seconds", "", None), ("loss", "hinge", "hinge"),
     ("dataset_limit", "none", None), ("penalty", "none", "none")],
)  # fmt: skip
def test_text_becomes_the_setting_s_own_type(name, text, value):
    got = getattr(from_mapping({"images": 5, name: text}), name)
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize(
    "name, value",
    [("steps", "many"), ("steps", 2.5), ("lr_g", "nan"), ("lr_g", float("inf")), ("lr_g", True),
     ("batch", None), ("batch", "none"), ("conditional", "maybe"), ("dataset", 3), ("seed", [1]),
     ("steps", "1e400"), ("steps", 10**400)],
)  # fmt: skip
def test_what_is_no_value_is_named_in_a_sentence(name, value):
    assert problems(BUDGET | {name: value})[name].startswith(f"{name} is ")


def test_all_problems_come_at_once():
    found = problems({"lr_g": 9, "steps": 0, "bacth": 3})
    assert list(found) == ["bacth", "lr_g", "steps"]
    assert "did you mean 'batch'" in found["bacth"]


def test_a_budget_that_cannot_be_read_is_one_problem_and_not_two():
    assert set(problems({"steps": "many"})) == {"steps"}
    assert set(problems({"lr_g": "much"})) == {"lr_g", "seconds"}


def test_a_learning_rate_too_large_by_powers_of_ten_is_answered_with_a_likely_one():
    said = problems({"steps": 5, "lr_g": 9})["lr_g"]
    assert said == "lr_g is 9, allowed are 1e-06 to 0.1. Did you mean 0.009?"
    assert problems({"steps": 0})["steps"] == "steps is 0, allowed are 1 to 100,000,000."


def test_settings_survive_a_round_trip_and_old_files_open():
    config = from_mapping({"steps": 7, "lr_d": 1e-3, "conditional": False})
    assert from_mapping(to_mapping(config)) == config
    assert from_mapping({"seconds": 3}).batch == TrainConfig().batch


def test_a_base_is_kept_where_nothing_is_said():
    base = from_mapping({"steps": 7, "batch": 8})
    assert from_mapping({"seed": 3}, base) == dataclasses.replace(base, seed=3)


def test_difference_names_what_changed():
    old = from_mapping({"steps": 7})
    new = dataclasses.replace(old, seed=4, steps=None)
    assert difference(old, old) == {}
    assert difference(old, new) == {"steps": (7, None), "seed": (0, 4)}


def test_the_nearest_name_or_all_of_them():
    assert nearest("MNITS", ["mnist", "kmnist", "glyphs"]) == "mnist" and nearest("zzz", ["b", "a"]) is None
    near, far = unknown_names(["mnits", "b", "zzz"], ["mnist", "b"], "datasets", "dataset")
    assert str(near) == "There is no data set named 'mnits'; did you mean 'mnist'?"
    assert far.code == "unknown" and near.field == far.field == "dataset"
    assert str(far) == "There is no data set named 'zzz'; known are b, mnist."
