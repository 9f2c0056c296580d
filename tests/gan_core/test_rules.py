"""Settings that do not go together."""

import dataclasses

import pytest

from gan_core.catalog import check
from gan_core.cli import main
from gan_core.config import from_mapping
from gan_core.errors import ConfigError
from gan_core.presets import PRESETS, settings
from gan_core.rules import RULES, applies, depends, warnings
from gan_core.training.controllers import batch_at
from gan_core.training.objective import objective_of

POINTS = {"dataset": "ring", "network": "mlp-2d", "size": 1, "precision": "fp32"}
BROKEN = {
    "network": {"dataset": "ring", "precision": "fp32"},
    "size": {"network": "mlp-2d", "size": 1},
    "dataset": {**POINTS, "augment": "translation"},
    "precision": {**POINTS, "precision": "auto"},
    "real_label": {"real_label": 0.9, "loss": "hinge"},
    "loss": {"loss": "wasserstein"},
    "penalty": {"penalty": "r1"},
    "penalty_every": {"penalty_every": 4},
    "augment": {"augment": "color-translation-cutout"},
    "ada_target": {"ada_target": 0.6},
    "ada_target, game": {"ada_target": 0.6, "augment": "translation", "loss": "relativistic"},
    "real_augment": {"real_augment": "shift"},
    "batch_end": {"batch": 64, "batch_end": 32},
    "batch_end, uneven": {"batch": 64, "batch_end": 100},
    "initialisation": {"initialisation": "zero"},
    "d_norm": {"initialisation": "zero", "network": "resnet"},
    "clip_weights": {"clip_weights": 0.01, "network": "sndcgan"},
    "g_conditioning": {"network": "r3", "g_conditioning": "batch-norm"},
    "conditioning": {"conditional": False, "conditioning": "projection"},
    "batch": {"batch": 20, "d_minibatch_std": True, "pack": 2, "conditional": False},
    "batch, one pack": {"batch": 4, "pack": 4, "conditional": False, "network": "dcgan-dense"},
    "pack": {"pack": 2},
    "code_classes": {"pack": 2, "code_classes": 10, "conditional": False},
    "d_minibatch_std": {"penalty": "r1", "d_norm": "none", "d_minibatch_std": True},
    "g_norm": {"network": "r3", "g_norm": "none", "d_norm": "spectral"},
    "optimiser": {"optimiser": "sgd", "lr_g": 0.05},
}
MENDED = {
    "network": POINTS,
    "size": POINTS,
    "dataset": POINTS,
    "precision": POINTS,
    "real_label": {"real_label": 0.9, "loss": "minimax"},
    "loss": {"loss": "wasserstein", "clip_weights": 0.01},
    "penalty": {"penalty": "r1", "d_norm": "none"},
    "penalty_every": {"penalty_every": 4, "penalty": "r1-difference"},
    "augment": {"augment": "color-translation-cutout", "dataset": "cifar10"},
    "ada_target": {"ada_target": 0.6, "augment": "translation"},
    "ada_target, game": {"ada_target": 0.6, "augment": "translation", "loss": "hinge"},
    "real_augment": {"real_augment": "none"},
    "batch_end": {"batch": 64, "batch_end": 64},
    "batch_end, uneven": {"batch": 48, "batch_end": 192},
    "initialisation": {"initialisation": "xavier"},
    "d_norm": {"initialisation": "zero", "d_norm": "none"},
    "clip_weights": {"clip_weights": 0.01, "d_norm": "none"},
    "g_conditioning": {"network": "sndcgan", "g_conditioning": "batch-norm", "g_norm": "none"},
    "conditioning": {"conditional": False},
    "batch": {"batch": 20, "d_minibatch_std": True},
    "batch, one pack": {"batch": 8, "pack": 4, "conditional": False, "network": "dcgan-dense"},
    "pack": {"pack": 2, "conditioning": "concatenation"},
    "code_classes": {"code_classes": 10, "conditional": False},
    "d_minibatch_std": {"penalty": "r1-difference", "d_norm": "none", "d_minibatch_std": True},
    "g_norm": {"network": "r3", "g_norm": "none", "d_norm": "none"},
    "optimiser": {"optimiser": "sgd", "lr_g": 0.05, "lr_d": 0.05},
}


def broken(changes):
    config = from_mapping({"steps": 1, **changes})
    return [name for name, rule in zip(BROKEN, RULES, strict=True) if rule.broken(config)]


def test_every_rule_is_tried():
    assert [rule.setting for rule in RULES] == [name.split(",")[0] for name in BROKEN]
    assert list(BROKEN) == list(MENDED)


@pytest.mark.parametrize("setting", BROKEN)
def test_each_speaks_when_broken_and_is_silent_when_mended(setting):
    assert setting in broken(BROKEN[setting])
    assert setting not in broken(MENDED[setting])


@pytest.mark.parametrize(
    "method", ["conditioning projection", "conditioning auxiliary", "conditioning concatenation",
               "g_conditioning batch-norm"],
)  # fmt: skip
def test_every_label_method_without_labels_is_warned_about(method):
    how = dict([method.split()])
    assert broken({**how, "conditional": False}) == ["conditioning"] and not broken(how)


@pytest.mark.parametrize("batch, pack, near", [(64, 3, "63 or 66"), (2, 4, "8 or 12"), (13, 2, "12 or 14")])
def test_a_batch_that_packs_tear_is_told_which_ones_they_do_not(batch, pack, near):
    settings = from_mapping({"steps": 1, "batch": batch, "pack": pack, "conditional": False})
    with pytest.raises(ConfigError, match=f"{pack} pictures together.* choose a batch of {near}"):
        check(settings)
    for better in map(int, near.split(" or ")):
        assert check(dataclasses.replace(settings, batch=better))


@pytest.mark.parametrize(
    "batch, asked, reached", [(64, 100, 64), (20, 100, 80), (6, 95, 48), (2, 65_535, 32_768)]
)
def test_a_batch_that_cannot_grow_as_asked_is_told_where_it_ends(batch, asked, reached):
    settings = from_mapping({"steps": 1, "batch": batch, "batch_end": asked})
    said = str(*warnings(settings))
    assert f"from {batch} it never reaches {asked};" in said
    assert said.endswith(f"choose a batch_end of {reached}, at which it ends, or {2 * reached}.")
    assert batch_at(settings, 1.0) == reached
    for better in (reached, 2 * reached):
        assert not broken({"batch": batch, "batch_end": better})


def test_a_refused_one_does_not_start_and_a_warned_one_does(capsys):
    refused = from_mapping({"steps": 1, **BROKEN["real_label"]})
    with pytest.raises(ConfigError, match="leave it at 1"):
        check(refused)
    warned = from_mapping({"steps": 1, **BROKEN["loss"]})
    assert check(warned) is warned and "gradient-penalty" in str(warnings(warned)[0])
    spaced = objective_of(from_mapping({"steps": 1, **BROKEN["penalty_every"]}))[0]
    assert spaced.lazy_penalty is None, "nothing to space out is nothing to step along"


def test_the_command_line_says_it_before_it_trains(tmp_path, capsys):
    small = ["--preset", "glyphs", "--steps", "1", "--size", "16", "--g-width", "4", "--d-width", "4"]
    quiet = ["--runs", str(tmp_path), "--quiet", "--threads", "1", "--precision", "fp32"]
    assert (
        main(
            [
                "train",
                *small,
                *quiet,
                "--loss",
                "wasserstein",
                "--penalty",
                "none",
                "--penalty-every",
                "1",
                "--memory-format",
                "contiguous",
            ]
        )
        == 0
    )
    assert capsys.readouterr().err.startswith("Note: The Wasserstein game needs a limit")
    assert main(["train", *small, *quiet, "--loss", "hinge", "--real-label", "0.9"]) == 2


def test_a_preset_that_is_meant_to_work_breaks_no_rule():
    assert not [name for name, row in PRESETS.items() if not row.cure and warnings(settings(name, {}))]


def test_what_a_network_has_by_definition_counts_as_chosen():
    assert "penalty" not in broken({"network": "r3", "penalty": "r1-r2"}), "r3 has no batch norm"
    assert "penalty" in broken({"network": "dcgan", "penalty": "r1-r2"})
    assert "loss" not in broken({"network": "resnet", "loss": "wasserstein"}), "its D has spectral norm"
    assert "loss" in broken({"network": "r3", "loss": "wasserstein", "d_norm": "spectral"})
    assert "g_norm" not in broken({"network": "mlp-28", "size": 28, "d_norm": "none"})
    assert "g_norm" in broken({"network": "mlp-64", "size": 64, "d_dropout": 0.5})


def test_what_a_network_does_not_listen_to_does_not_apply():
    config = from_mapping({"steps": 1, "network": "resnet"})
    assert not any(applies(name, config) for name in ("g_norm", "d_norm", "d_dropout"))
    config = from_mapping({"steps": 1, "network": "dcgan"})
    assert all(applies(name, config) and depends(name) for name in ("g_norm", "d_norm", "d_dropout"))
    assert applies("lr_g", config) and not depends("lr_g")
