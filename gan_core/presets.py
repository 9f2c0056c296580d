"""Named starting points: a row is a few settings that differ from the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gan_core.config import BUDGET, TrainConfig, difference, from_mapping
from gan_core.errors import ConfigError
from gan_core.knobs import unknown_names


@dataclass(frozen=True, slots=True)
class Preset:
    """A row of `PRESETS`: one sentence on what it is for, and the settings that differ from the defaults.

    Those that fail on purpose name the `cure`, the healthy preset to hold beside them. Most differ from it in
    the cause alone, some in several settings: tests/gan_core/test_presets.py says which.
    """

    summary: str
    settings: Mapping[str, Any]
    cure: str = ""


# As fast as two cores learn digits and come out well each time: without this little penalty D becomes so
# sharp in one run of twenty-four that G jumps to and fro for good, and at .008 in one of twelve.
FAST: Mapping[str, Any] = {
    "lr_g": 6e-3, "lr_d": 6e-3, "penalty": "r1-difference", "penalty_weight": 0.003, "penalty_every": 8,
}  # fmt: skip


# points in the plane; counted in steps, so that a slow machine gets as far
PLANE: Mapping[str, Any] = {
    "network": "mlp-2d", "size": 1, "conditional": False, "precision": "fp32", "latent": 2, "g_width": 48,
    "d_width": 48, "g_norm": "none", "d_norm": "none", "noise": "uniform", "initialisation": "orthogonal",
    "loss": "relativistic", "penalty": "r1-r2", "penalty_weight": 0.003, "penalty_every": 4, "batch": 512,
    "lr_g": 5e-3, "lr_end": 0.0,
}  # fmt: skip


# the game of the lessons below: drawn digits without labels, so that nothing but the game itself teaches
LESSON: Mapping[str, Any] = {
    "dataset": "glyphs", "conditional": False, "lr_g": 4e-3, "lr_d": 4e-3, "seconds": 20.0,
}  # fmt: skip


# the same by the Wasserstein game, whose one limit is the penalty, and by the textbook's networks
WASSERSTEIN: Mapping[str, Any] = {
    **LESSON, "loss": "wasserstein", "d_norm": "none", "penalty": "gradient-penalty", "lr_g": 1e-2,
    "lr_d": 1e-2,
}  # fmt: skip
TEXTBOOK: Mapping[str, Any] = {**LESSON, "network": "dcgan", "lr_g": 2e-4, "lr_d": 2e-4}


def lesson(summary: str, cure: str = "lesson", **changes: Any) -> Preset:
    """A preset that fails on purpose: the healthy one named `cure` with `changes`; None leaves one out."""
    healthy = {"lesson": LESSON, "lesson-wasserstein": WASSERSTEIN, "lesson-textbook": TEXTBOOK}[cure]
    changed = {**healthy, **changes}
    return Preset(summary, {name: value for name, value in changed.items() if value is not None}, cure=cure)


PRESETS: dict[str, Preset] = {
    "digits": Preset(
        "Handwritten digits within ten seconds, any of them on request.",
        {**FAST, "dataset": "mnist", "seconds": 10.0},
    ),
    "glyphs": Preset(
        "Drawn digits that need no download: try everything on a plane.",
        {**FAST, "dataset": "glyphs", "seconds": 10.0},
    ),
    "fashion": Preset(
        "Shirts, shoes and bags in a minute, any of them on request.",
        {**FAST, "dataset": "fashion-mnist", "seconds": 60.0},
    ),
    "sturdy": Preset(
        "Fashion for hours: made to hold its quality; learning rates do not decay, so it can always go on.",
        {"dataset": "fashion-mnist", "d_norm": "spectral", "loss": "hinge", "lr_g": 5e-4, "lr_d": 1e-3,
         "schedule": "constant", "class_weight": 0.0, "ema_half_life": 300_000, "seconds": 7200.0},
    ),
    "few-pictures": Preset(
        "For a hundred to five thousand pictures: changed a little at each look, so they are harder to "
        "learn by heart.",
        {"dataset": "fashion-mnist", "dataset_limit": 1000, "augment": "translation-cutout",
         "penalty": "r1-difference", "lr_g": 2e-3, "lr_d": 2e-3, "seconds": 300.0},
    ),
    "stacked": Preset(
        "Three digits at once, one a colour: made to find all of the thousand.",
        {"dataset": "stacked-mnist", "conditional": False, "loss": "relativistic",
         "penalty": "r1-difference", "lr_g": 4e-3, "lr_d": 4e-3, "g_width": 48, "d_width": 48,
         "seconds": 1800.0},
    ),
    "unlabelled": Preset(
        "Digits without being told which is which: the networks sort them into ten kinds of their own.",
        {"dataset": "mnist", "network": "dcgan-dense", "conditional": False, "latent": 30, "code_classes": 10,
         "loss": "hinge", "lr_g": 4e-3, "lr_d": 4e-3, "seconds": 60.0},
    ),
    "infogan": Preset(
        "Digits without labels, generated from a code of ten kinds whose meaning the networks find.",
        {"dataset": "mnist", "network": "dcgan-dense", "conditional": False, "latent": 14, "code_classes": 10,
         "lr_g": 4e-3, "lr_d": 4e-3, "seconds": 600.0},
    ),
    "textbook": Preset(
        "The DCGAN of the 2016 paper with its own learning rates, at 32 pixels: slow and famous.",
        {"dataset": "mnist", "network": "dcgan", "conditional": False, "latent": 100, "g_width": 64,
         "d_width": 64, "batch": 128, "lr_g": 2e-4, "lr_d": 2e-4, "beta1": 0.5, "beta2": 0.999, "lr_end": 1.0,
         "seconds": 300.0},
    ),
    "article-mlp": Preset(
        "The smallest GAN of the articles, one hidden layer each: speckled digits.",
        {"dataset": "mnist", "network": "mlp-28", "size": 28, "conditional": False, "latent": 100,
         "g_width": 128, "d_width": 128, "lr_g": 1e-3, "lr_d": 1e-3, "beta1": 0.5, "beta2": 0.999,
         "seconds": 60.0},
    ),
    "article-mlp-64": Preset(
        "The articles' fully connected net at 64 pixels, dropout against it: it does not know which pixels "
        "are neighbours, so digits and ground are grainy.",
        {"dataset": "mnist", "network": "mlp-64", "size": 64, "conditional": False, "latent": 100,
         "g_width": 256, "d_width": 256, "initialisation": "xavier", "lr_g": 2e-4, "lr_d": 2e-4,
         "beta1": 0.5, "beta2": 0.999, "lr_end": 1.0, "seconds": 180.0},
    ),
    "article-mlp-rgb": Preset(
        "The articles' fully connected net in colour, four layers that each double: speckled, blurred "
        "digits, three on top of each other.",
        {"dataset": "stacked-mnist", "network": "mlp-32-rgb", "conditional": False, "latent": 100,
         "g_width": 128, "d_width": 128, "initialisation": "xavier", "lr_g": 1e-3, "lr_d": 1e-3,
         "beta1": 0.5, "beta2": 0.999, "seconds": 180.0},
    ),
    "article-convnet": Preset(
        "The tutorials' convolutional net for 28 pixels, with their learning rates.",
        {"dataset": "mnist", "network": "convnet-28", "size": 28, "conditional": False, "latent": 100,
         "g_width": 64, "d_width": 64, "lr_g": 2e-4, "lr_d": 2e-4, "beta1": 0.5, "beta2": 0.999,
         "lr_end": 1.0, "seconds": 120.0},
    ),
    "ring": Preset(
        "Points around eight places on a circle: watch the generator find them all.",
        {**PLANE, "dataset": "ring", "steps": 3500},
    ),
    "grid": Preset(
        "Points around twenty-five places in a square: watch whether it forgets any.",
        {**PLANE, "dataset": "grid", "steps": 4800},
    ),
    "lesson": Preset(
        "A healthy game without labels, beside which the failing ones below can be held.", LESSON,
    ),
    "lesson-wasserstein": Preset(
        "A healthy Wasserstein game: a penalty limits the discriminator's slope.", WASSERSTEIN,
    ),
    "lesson-textbook": Preset(
        "The textbook's networks with batch norm in both: deep, and the signal comes through.", TEXTBOOK,
    ),
    "gpu-colour": Preset(
        "For a GPU: small colour photographs, steadied by spectral normalisation; not measured here.",
        {"dataset": "cifar10", "network": "sndcgan", "conditional": False, "loss": "hinge", "latent": 128,
         "g_width": 64, "d_width": 64, "d_norm": "spectral", "batch": 256, "lr_g": 2e-4, "lr_d": 2e-4,
         "beta1": 0.5, "beta2": 0.999, "ema_half_life": 500_000, "seconds": 3600.0},
    ),
    "gpu-colour-classes": Preset(
        "For a GPU: small colour photographs by class, with residual networks; not measured here.",
        {"dataset": "cifar10", "network": "resnet", "conditioning": "projection", "loss": "hinge",
         "latent": 128, "g_width": 128, "d_width": 64, "d_norm": "spectral", "d_steps": 2, "lr_g": 2e-4,
         "lr_d": 2e-4, "beta2": 0.9, "lr_end": 0.0, "ema_half_life": 500_000, "seconds": 7200.0},
    ),
    "gpu-colour-64": Preset(
        "For a GPU: colour pictures of 64 pixels without any norm, the game that covers variety best; "
        "not measured here.",
        {"dataset": "cifar10", "size": 64, "network": "r3", "conditional": False, "loss": "relativistic",
         "penalty": "r1-r2", "penalty_weight": 1.0, "d_norm": "none", "g_norm": "none", "g_width": 64,
         "d_width": 64, "lr_g": 2e-4, "lr_d": 2e-4, "ema_half_life": 500_000, "seconds": 14_400.0},
    ),
    "fail-d-wins": lesson(
        "Fails: the discriminator wins at once, and the generator is left without a hint.",
        loss="minimax", lr_g=2e-5, lr_d=6e-3,
    ),
    "fail-collapse": lesson(
        "Fails: the generator takes ten steps for each of the discriminator's, and draws one picture only.",
        g_steps=10, lr_g=2e-3, lr_d=2e-3, d_norm="none",
    ),
    "fail-divergence": lesson(
        "Fails: learning rates far too large, and nothing to scale the steps; the losses grow without end.",
        cure="lesson-wasserstein", lr_g=0.1, lr_d=0.1, optimiser="sgd", beta1=0.9,
    ),
    "fail-slow": lesson(
        "Fails: both learning rates two hundred times too small; after all that time it is still noise.",
        lr_g=2e-5, lr_d=2e-5,
    ),
    "fail-too-fast": lesson(
        "Fails: both learning rates twenty-five times too large; each step throws away what the last found.",
        lr_g=0.1, lr_d=0.1, lr_end=1.0,
    ),
    "fail-oscillation": lesson(
        "Fails: both chase each other in circles; pictures keep turning into others and never settle.",
        beta1=0.5, beta2=0.9, lr_g=1e-2, lr_d=1e-2, lr_end=1.0, ema_rampup=0.0,
    ),
    "fail-unconstrained": lesson(
        "Fails: the Wasserstein game without a limit on the discriminator's slope runs away.",
        cure="lesson-wasserstein", penalty=None,
    ),
    "fail-zero-init": lesson(
        "Fails: all weights start at 0, so all units stay alike and every picture is grey.",
        initialisation="zero",
    ),
    "fail-no-norm": lesson(
        "Fails: small first weights and no norm; the signal dies out on its way through the layers.",
        cure="lesson-textbook", g_norm="none", d_norm="none",
    ),
    "fail-memorise": lesson(
        "Fails: fifty pictures only; the discriminator knows them by heart and the generator copies them.",
        dataset_limit=50,
    ),
    "fail-wrong-label": lesson(
        "Fails: the common mistake of training the generator towards the label of fakes.",
        loss="mistake-wrong-label",
    ),
    "fail-double-sigmoid": lesson(
        "Fails: the common mistake of a sigmoid before a loss that has its own; learning is slow and weak.",
        loss="mistake-double-sigmoid", seconds=None, steps=300,
    ),
    "fail-stale-batch": lesson(
        "Fails: the common mistake of a fake batch that is cut off from the generator; it never learns.",
        loss="mistake-stale-batch",
    ),
    "fail-wrong-sign": lesson(
        "Fails: the common mistake of subtracting the two halves of the discriminator's loss.",
        loss="mistake-wrong-sign",
    ),
}  # fmt: skip


def settings(preset: str, changes: Mapping[str, Any]) -> TrainConfig:
    """The preset's settings with `changes` put in; a budget among them replaces the preset's.

    Raises:
        ConfigError: an unknown preset or setting, or a value out of range.
    """
    if problems := unknown_names([preset], PRESETS, "presets"):
        raise ConfigError.of(problems)
    base = dict(PRESETS[preset].settings)
    if any(changes.get(name) is not None for name in BUDGET):
        for name in BUDGET:
            base.pop(name, None)
    return from_mapping({**base, **changes})


def beyond_preset(preset: str, config: TrainConfig) -> dict[str, Any]:
    """The settings in which `config` differs from its preset, by name."""
    return {name: new for name, (_, new) in difference(settings(preset, {}), config).items()}
