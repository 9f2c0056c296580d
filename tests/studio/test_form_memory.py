"""What a browser kept of the Train form is put back as far as it can be used, and never believed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gan_core.presets import settings
from studio.form_memory import LONGEST, recall
from studio.tabs.train import BUDGETS, CUSTOM


def recalled(**kept: Any) -> tuple[str, Any]:
    return recall(json.dumps(kept), "glyphs", BUDGETS)


def test_the_form_comes_back_as_it_was_left() -> None:
    left = {"dataset": "fashion-mnist", "preset": "fail-memorise", "budget": 60, "seconds": 10.0,
            "lr_g": 0.003, "dataset_limit": "", "conditional": False, "loss": "hinge", "steps": "500",
            "d_steps": 2}  # fmt: skip
    preset, config = recalled(**left)
    assert (preset, config.dataset, config.seconds, config.dataset_limit) == (
        "fail-memorise", "fashion-mnist", 60.0, None,
    )  # fmt: skip
    assert (config.lr_g, config.conditional, config.loss) == (0.003, False, "hinge")
    assert (config.steps, config.d_steps) == (500, 2)
    base = settings("fail-memorise", {})
    assert base.dataset_limit == 50 and config.lr_d == base.lr_d, "what was not kept is the recipe's"


@pytest.mark.parametrize(
    ("budget", "seconds", "found"),
    [(30, 7.5, 30.0), (CUSTOM, 7.5, 7.5), (CUSTOM, None, None), ("x", 7.5, 7.5), (10**9, "many", 10.0)],
)
def test_the_choice_of_time_counts_or_else_the_number_beside_it(
    budget: Any, seconds: Any, found: float | None
) -> None:
    assert recalled(preset="glyphs", budget=budget, seconds=seconds)[1].seconds == found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr_g", 9), ("lr_g", None), ("lr_g", "NaN"), ("lr_g", [1]), ("loss", "pearson"), ("loss", {}),
        ("size", 48), ("steps", "-5"), ("seed", 1.5), ("conditional", "perhaps"), ("network", None),
        ("data_root", "/etc"), ("start_from", "/etc/passwd"), ("disk_mb", 1), ("dataset", "mnits"),
        ("preset", ["glyphs"]), ("d_norm", True), ("batch", 1e400), ("gone_setting", 3),
    ],
)  # fmt: skip
def test_one_bad_value_is_left_out_and_the_rest_stays(name: str, value: Any) -> None:
    _, config = recalled(**{"preset": "glyphs", "lr_d": 0.002, name: value})
    assert config == replace(settings("glyphs", {"dataset": "glyphs"}), lr_d=0.002)


NO_FORM = ("", "{", "[]", "7", "null", "[" * 9000, '{"lr_g": ' + " " * LONGEST + "0.001}", "\0")


@pytest.mark.parametrize("text", NO_FORM, ids=range(len(NO_FORM)))
def test_what_is_no_form_is_that_of_a_new_visitor(text: str) -> None:
    preset, config = recall(text, "glyphs", BUDGETS)
    assert preset == "glyphs" and config == settings("glyphs", {"dataset": "glyphs"})
