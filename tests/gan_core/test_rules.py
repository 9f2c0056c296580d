"""Settings that do not go together."""

import pytest

from gan_core.catalog import check
from gan_core.cli import main
from gan_core.config import from_mapping
from gan_core.errors import ConfigError
from gan_core.presets import PRESETS, settings
from gan_core.rules import RULES, warnings
from gan_core.training.objective import objective_of

POINTS = {"dataset": "ring", "network": "mlp-2d", "size": 1, "precision": "fp32"}
BROKEN = {
    "network": {"dataset": "ring", "precision": "fp32"},
    "size": {"network": "mlp-2d", "size": 1},
    "dataset": {**POINTS, "augment": "translation"},
    "precision": {**POINTS, "precision": "auto"},
    "real_target": {"real_target": 0.9, "loss": "hinge"},
    "loss": {"loss": "wasserstein"},
    "penalty": {"penalty": "r1"},
    "penalty_every": {"penalty_every": 4},
    "augment": {"augment": "color-translation-cutout"},
    "initialisation": {"initialisation": "zero"},
    "optimiser": {"optimiser": "sgd"},
}
MENDED = {
    "network": POINTS,
    "size": POINTS,
    "dataset": POINTS,
    "precision": POINTS,
    "real_target": {"real_target": 0.9, "loss": "minimax"},
    "loss": {"loss": "wasserstein", "clip_weights": 0.01},
    "penalty": {"penalty": "r1", "d_norm": "none"},
    "penalty_every": {"penalty_every": 4, "penalty": "r1-difference"},
    "augment": {"augment": "color-translation-cutout", "dataset": "cifar10"},
    "initialisation": {"initialisation": "xavier"},
    "optimiser": {"optimiser": "sgd", "lr_g": 0.05},
}


def broken(changes):
    config = from_mapping({"steps": 1, **changes})
    return [rule.setting for rule in RULES if rule.broken(config)]


def test_every_rule_is_tried():
    assert [rule.setting for rule in RULES] == list(BROKEN) == list(MENDED)


@pytest.mark.parametrize("setting", BROKEN)
def test_each_speaks_when_broken_and_is_silent_when_mended(setting):
    assert setting in broken(BROKEN[setting])
    assert setting not in broken(MENDED[setting])


def test_a_refused_one_does_not_start_and_a_warned_one_does(capsys):
    refused = from_mapping({"steps": 1, **BROKEN["real_target"]})
    with pytest.raises(ConfigError, match="leave it at 1"):
        check(refused)
    warned = from_mapping({"steps": 1, **BROKEN["loss"]})
    assert check(warned) is warned and "gradient-penalty" in warnings(warned)[0]
    spaced = objective_of(from_mapping({"steps": 1, **BROKEN["penalty_every"]}))[0]
    assert spaced.lazy_penalty is None, "nothing to space out is nothing to step along"


def test_the_command_line_says_it_before_it_trains(tmp_path, capsys):
    small = ["--preset", "glyphs", "--steps", "1", "--size", "16", "--g-width", "4", "--d-width", "4"]
    quiet = ["--runs", str(tmp_path), "--quiet", "--threads", "1", "--precision", "fp32"]
    assert main(["train", *small, *quiet, "--loss", "wasserstein", "--memory-format", "contiguous"]) == 0
    assert capsys.readouterr().err.startswith("Note: The Wasserstein game needs a limit")
    assert main(["train", *small, *quiet, "--loss", "hinge", "--real-target", "0.9"]) == 2


def test_a_preset_that_is_meant_to_work_breaks_no_rule():
    assert not [name for name, row in PRESETS.items() if not row.cure and warnings(settings(name, {}))]
