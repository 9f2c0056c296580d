"""Presets: each can be trained as it stands, and flags change only what they name."""

import pytest
from torch import nn

from gan_core.catalog import check
from gan_core.config import difference, from_mapping
from gan_core.errors import ConfigError
from gan_core.networks import build_pair
from gan_core.presets import BUDGET, PRESETS, beyond_preset, settings
from gan_core.training import model_config


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_stands(name):
    config = check(settings(name, {}))
    assert PRESETS[name].summary.endswith(".")
    assert any(getattr(config, budget) for budget in BUDGET)
    assert all(getattr(config, key) == value for key, value in PRESETS[name].settings.items())
    assert beyond_preset(name, config) == {}


@pytest.mark.parametrize("name", PRESETS)
def test_no_preset_says_what_the_defaults_say(name):
    plain = from_mapping({"steps": 1})
    said = {key: value for key, value in PRESETS[name].settings.items() if key not in (*BUDGET, "dataset")}
    assert not [key for key, value in said.items() if getattr(plain, key) == value]


# What each failing preset changes in its cure. One setting is the cause by itself; several are what it takes
# together, and which of them would do alone nobody has measured.
CAUSES = {
    "fail-d-wins": {"loss", "lr_g", "lr_d"},
    "fail-collapse": {"g_steps", "lr_g", "lr_d", "d_norm"},
    "fail-divergence": {"lr_g", "lr_d", "optimiser", "beta1"},
    "fail-slow": {"lr_g", "lr_d"},
    "fail-too-fast": {"lr_g", "lr_d", "lr_end"},
    "fail-oscillation": {"beta1", "beta2", "lr_g", "lr_d", "lr_end", "ema_rampup"},
    "fail-unconstrained": {"penalty"},
    "fail-zero-init": {"initialisation"},
    "fail-no-norm": {"g_norm", "d_norm"},
    "fail-memorise": {"dataset_limit"},
    "fail-wrong-label": {"loss"},
    "fail-double-sigmoid": {"loss"},
    "fail-stale-batch": {"loss"},
    "fail-wrong-sign": {"loss"},
}


def test_a_failing_preset_names_its_cure_and_differs_from_it_in_its_causes():
    failing = {name: row for name, row in PRESETS.items() if row.cure}
    assert {name for name in PRESETS if name.startswith("fail-")} == failing.keys() == CAUSES.keys()
    for name, row in failing.items():
        assert PRESETS[row.cure].cure == "" and row.summary.startswith("Fails: ")
        changed = difference(settings(row.cure, {}), settings(name, {})).keys() - BUDGET
        assert changed == CAUSES[name], name
        assert (settings(name, {}).seconds or 0) <= 30 and (settings(name, {}).steps or 0) <= 300


def test_a_budget_given_replaces_the_preset_s():
    config = settings("digits", {"steps": 20})
    assert (config.steps, config.seconds, config.images) == (20, None, None)
    assert settings("digits", {"steps": None}).seconds == settings("digits", {}).seconds
    both = settings("digits", {"steps": 20, "seconds": 3})
    assert (both.steps, both.seconds) == (20, 3.0)


def test_healthy_ones_come_first_then_those_for_a_gpu_and_failing_ones_last():
    groups = [2 if row.cure else int(row.summary.startswith("For a GPU")) for row in PRESETS.values()]
    assert groups == sorted(groups) and set(groups) == {0, 1, 2}
    assert all(row.cure or name.startswith("gpu-") == bool(group)
               for group, (name, row) in zip(groups, PRESETS.items()))  # fmt: skip


def linear_widths(net):
    return [layer.out_features for layer in net.modules() if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize(
    "preset, of_g, of_d",
    [("article-mlp", [128, 28**2], [128, 1]),
     ("article-mlp-64", [256, 512, 1024, 64**2], [1024, 512, 256, 1]),
     ("article-mlp-rgb", [128, 256, 512, 1024, 3 * 32**2], [512, 256, 1])],
)  # fmt: skip
def test_the_articles_nets_have_the_printed_widths(preset, of_g, of_d):
    G, D = build_pair(model_config(settings(preset, {})))
    assert linear_widths(G) == of_g and linear_widths(D) == of_d
    shares = {layer.p for layer in D.modules() if isinstance(layer, nn.Dropout)}
    assert shares == {0.3 if preset == "article-mlp-64" else 0.0}


def test_the_critic_by_class_is_no_giant():
    """It is asked twice a step; the published one, of the same width in all blocks, has 1.05 million."""
    G, D = build_pair(model_config(settings("gpu-colour-classes", {})))
    sizes = [sum(weight.numel() for weight in net.parameters()) for net in (G, D)]
    assert 1e6 < sizes[1] < 6e6 and sizes[1] < sizes[0]


def test_what_differs_from_the_preset():
    config = settings("fashion", {"seed": 4, "steps": 9})
    assert beyond_preset("fashion", config) == {"seed": 4, "steps": 9, "seconds": None}


@pytest.mark.parametrize(
    "preset, changes, sentence",
    [("digit", {}, "There is no preset named 'digit'; did you mean 'digits'?"),
     ("digits", {"lr": 1}, "There is no setting named 'lr'; "),
     ("digits", {"lr_g": 9}, "lr_g is 9, allowed are 1e-06 to 0.1. Did you mean 0.009?")],
)  # fmt: skip
def test_bad_ones_are_refused(preset, changes, sentence):
    with pytest.raises(ConfigError) as caught:
        settings(preset, changes)
    assert str(caught.value).startswith(sentence)
