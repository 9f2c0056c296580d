"""Settings <-> widgets by name: every setting has words and a widget, no local one is shown or taken."""

from __future__ import annotations

import dataclasses
import shlex
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from gan_core import cli, presets
from gan_core.config import TrainConfig, kind, knobs, to_mapping
from gan_core.errors import ConfigError
from gan_core.flags import command_line
from gan_core.training.distributed import SINGLE_PROCESS
from studio import forms, words
from studio.forms import build_form, configure, groups, preset_for, shown_knobs
from studio.tabs import train
from studio.words import TABLE

LOCAL = {name for name, about in knobs().items() if about.local}


@pytest.mark.parametrize("name", knobs())
def test_every_setting_has_a_label_and_its_sentence_in_both_languages(name: str) -> None:
    for key in (f"knobs.{name}.label", f"knobs.{name}.help", f"knobs.group.{knobs()[name].group}"):
        english, chinese = TABLE[key]
        assert english and chinese and english != chinese
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
    assert TABLE[f"knobs.{name}.help"][0] == knobs()[name].help


def test_no_words_are_left_over() -> None:
    named = {key.split(".")[1] for key in TABLE if key.startswith("knobs.")} - {"group"}
    assert named == set(knobs())


def test_a_setting_without_a_translation_has_its_own_name_and_help(monkeypatch: pytest.MonkeyPatch) -> None:
    about = knobs()["lr_g"]
    without = {key: row for key, row in TABLE.items() if not key.startswith(("knobs.lr_g.", "knobs.group."))}
    monkeypatch.setattr(words, "TABLE", without)
    with gr.Blocks() as page:
        shown = build_form(TrainConfig(seconds=10.0)).fields["lr_g"]
    assert (shown.label, shown.info) == ("lr_g", about.help)
    labels = {block.label for block in page.blocks.values() if isinstance(block, gr.Accordion)}
    assert about.group in labels
    widgets: Any = SimpleNamespace(changed=1, restore=2)
    told = train._difference(widgets, "digits", configure("digits", {"lr_g": 0.003}), "zh")
    assert told[1] == "<p>与配方不同：lr_g。</p>"


def test_the_form_shows_every_setting_but_the_local_ones() -> None:
    assert sorted(LOCAL) == ["data_root", "disk_mb", "start_from"]
    with gr.Blocks():
        form = build_form(TrainConfig(seconds=10.0))
    assert set(form.fields) == set(knobs()) - LOCAL == set(shown_knobs())
    assert [name for _, names in groups() for name in names] == list(shown_knobs())


def test_values_go_out_and_come_back_by_name_in_any_order() -> None:
    config = TrainConfig(seconds=10.0, lr_g=0.004, conditional=False, steps=70)
    with gr.Blocks():
        form = build_form(config, skip=("dataset",))
    shown = form.show(config)
    backwards = dict(reversed(shown.items()))
    read = form.read({**backwards, gr.Number(render=False): 5})
    assert read == {k: v for k, v in to_mapping(config).items() if k not in (*LOCAL, "dataset")}


def test_widgets_fit_their_settings() -> None:
    with gr.Blocks():
        fields = build_form(TrainConfig(seconds=10.0)).fields
    kinds = {name: type(widget).__name__ for name, widget in fields.items()}
    assert kinds["conditional"] == "Checkbox" and kinds["loss"] == kinds["size"] == "Dropdown"
    assert kinds["lr_g"] == kinds["seed"] == "Number" and kinds["d_steps"] == kinds["ema_rampup"] == "Slider"
    assert kinds["steps"] == kinds["penalty_weight"] == "Textbox", "a number field cannot be left empty"
    assert (fields["ema_rampup"].minimum, fields["ema_rampup"].maximum, fields["ema_rampup"].value) == (
        0.0,
        0.5,
        0.2,
    )


def test_a_visitors_values_replace_those_of_the_preset() -> None:
    config = configure("digits", {"dataset": "glyphs", "seconds": 3, "lr_g": 0.004, "steps": None})
    base = presets.settings("digits", {"seconds": 3.0})
    assert config == dataclasses.replace(base, dataset="glyphs", lr_g=0.004)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"lr_g": 9}, "lr_g is 9, allowed are 1e-06 to 0.1"),
        ({"steps": 0}, "steps is 0"),
        ({"lr_gg": 1}, "did you mean 'lr_g'"),
        ({"dataset": "mnits"}, "did you mean 'mnist'"),
        ({"data_root": "/etc"}, "data_root is chosen by whoever runs this studio"),
        ({"lr_g": None}, "lr_g is None"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said_in_one_sentence(values: dict, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        configure("digits", values)
    assert said in str(error.value)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'digits'"):
        configure("digit", {})


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_the_command_line_repeats_the_run(preset: str, monkeypatch) -> None:
    own = preset if preset in ("ring", "grid") else "glyphs"  # points go with no other data
    values = {"dataset": own, "seconds": 12.5, "threads": 2}
    values |= {"lr_g": 0.0012345678901234567, "ema_rampup": 1 / 3}  # with all their digits
    values["conditional"] = preset == "textbook"  # its other value in every preset
    config = configure(preset, values)
    line = command_line(preset, config)
    assert line.startswith(f"python -m gan_core train --preset {preset} --dataset {own}")
    assert ("--lr-d" in line) == ("lr_d" in presets.beyond_preset(preset, config))
    assert trained(line, monkeypatch) == config


def trained(line: str, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """The settings that a command line trains with."""
    asked = []
    monkeypatch.setattr(cli, "_run_in_terminal", lambda begin, **__: asked.append(begin(SINGLE_PROCESS)[0]))
    monkeypatch.setattr("gan_core.runs.create_run", lambda *_, **__: type("Run", (), {"path": None}))
    assert cli.main(shlex.split(line)[3:]) == 0
    return asked[0]


def test_what_was_cleared_in_the_form_is_cleared_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    config = configure(
        "fail-memorise", {"dataset": "glyphs", "dataset_limit": "", "seconds": None, "steps": 7}
    )
    line = command_line("fail-memorise", config)
    assert line == (
        "python -m gan_core train --preset fail-memorise --dataset glyphs --dataset-limit none --steps 7"
    )
    assert trained(line, monkeypatch) == config and config.dataset_limit is None
    held = {name: None for name in knobs() if kind(name)[1] and name not in forms.ALWAYS}
    assert {"penalty_weight", "ema_half_life", "checkpoint_steps"} < set(held)
    for preset, row in presets.PRESETS.items():
        if cleared := held.keys() & row.settings.keys():
            own = preset if preset in ("ring", "grid") else "glyphs"
            config = configure(preset, {"dataset": own, **dict.fromkeys(cleared)})
            assert trained(command_line(preset, config), monkeypatch) == config, preset


def test_the_command_line_is_as_short_as_it_is_exact() -> None:
    config = configure("digits", {"dataset": "glyphs", "seconds": 60, "lr_g": 0.1 + 0.2 - 0.25, "lr_d": 1e-5})
    assert command_line("digits", config) == (
        "python -m gan_core train --preset digits --dataset glyphs "
        "--lr-g 0.050000000000000044 --lr-d 1e-05 --seconds 60"
    )


def test_a_data_set_proposes_its_recipe_and_keeps_one_that_fits() -> None:
    assert preset_for("fashion-mnist", "digits") == "fashion"
    assert preset_for("mnist", "unlabelled") == "unlabelled"
    assert preset_for("kmnist", "textbook") == "textbook"


def test_only_what_applies_is_shown() -> None:
    plain, held = (
        configure("unlabelled", {"conditional": True}),
        configure("fashion", {"penalty": "r1", "d_norm": "none"}),
    )
    assert not forms.applies("penalty_weight", plain) and forms.applies("penalty_weight", held)
    assert forms.applies("class_weight", plain) and forms.applies("lr_g", plain)
    assert not forms.applies("class_weight", configure("unlabelled", {}))
    with gr.Blocks():
        form = build_form(plain)
    assert not form.fields["penalty_every"].visible and form.fields["class_weight"].visible
    shown = {name: form.fit(held)[widget]["visible"] for name, widget in form.dependents.items()}
    assert shown["penalty_weight"] and shown["penalty_every"] and "lr_g" not in shown


def test_what_was_changed_from_the_recipe() -> None:
    config = configure("digits", {"lr_g": 0.001, "seconds": 5, "dataset": "glyphs"})
    assert forms.changed("digits", config) == ["lr_g"], "the budget and the pictures have fields of their own"
