"""Settings, declared once: each line here is also a flag, a widget, a tooltip and a row of the README.

`ModelConfig` is all that is needed to rebuild the two networks; `TrainConfig` is all that is needed to
repeat a run. Both are plain frozen data: no functions, no modules, no torch.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gan_core.errors import ConfigError
from gan_core.knobs import Knob, convert, knob, range_problem, unknown_names
from gan_core.messages import Message

BUDGET = frozenset({"seconds", "steps", "images"})  # one of them at least ends a run
KINDS = ("pictures", "points")  # of data: what one sample is, as its source says


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Shape of a generator and discriminator pair.

    `size` is the side of the square picture in pixels, `classes` the number of labels (0: unconditional),
    `latent` the length of z, InfoGAN's codes at its end included, `kind` a row of `KINDS`.
    """

    network: str
    size: int
    channels: int
    classes: int
    latent: int
    g_width: int
    d_width: int
    conditioning: str
    noise: str = "gaussian"
    d_norm: str = "batch"
    g_norm: str = "batch"
    d_dropout: float = 0.0
    g_conditioning: str = "concatenation"
    code_classes: int = 0
    code_numbers: int = 0
    d_minibatch_std: bool = False
    pack: int = 1
    kind: str = "pictures"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """All settings of one training run."""

    dataset: str = knob("mnist", "The pictures to learn from.", group="Data", table="datasets")
    data_root: str = knob("", "Folder that holds the data set's files.", group="Data", local=True)
    size: int = knob(32, "Side in pixels, 1 for points; doubling it costs about four times the time.",
                     group="Data", choices=(1, 16, 28, 32, 64, 128))  # fmt: skip
    dataset_limit: int | None = knob(None, "Learn from this many pictures only; left empty, from all.",
                                      group="Data", low=1, high=100_000_000)  # fmt: skip
    real_augment: str = knob("none", "Changes to the real pictures only, as if there were more of them.",
                             group="Data", table="real_augments")  # fmt: skip

    network: str = knob("dcgan-s2d", "The pair of networks that play against each other.",
                        group="Networks", table="networks")  # fmt: skip
    latent: int = knob(64, "Numbers of noise behind each picture; codes come on top.",
                       group="Networks", low=2, high=1024, scale="log")  # fmt: skip
    g_width: int = knob(32, "Width of the generator: wider draws finer detail and trains slower.",
                        group="Networks", low=4, high=512, scale="log")  # fmt: skip
    d_width: int = knob(32, "Width of the discriminator: wider judges more sharply and trains slower.",
                        group="Networks", low=4, high=512, scale="log")  # fmt: skip
    g_norm: str = knob("batch", "What keeps the generator's layers in measure.",
                       group="Networks", choices=("batch", "none"))  # fmt: skip
    d_norm: str = knob("batch", "What keeps the discriminator's layers in measure.",
                       group="Networks", choices=("batch", "spectral", "none"))  # fmt: skip
    d_dropout: float = knob(0.0, "Share of the discriminator's features dropped by chance: it learns slower.",
                            group="Networks", low=0.0, high=0.9)  # fmt: skip
    noise: str = knob("gaussian", "The noise that pictures are drawn from.", group="Networks", table="noises")
    initialisation: str = knob("dcgan", "How the first weights are initialised.",
                               group="Networks", table="initialisations")  # fmt: skip
    start_from: str = knob("", "Run, checkpoint or weights file to begin with, as far as its weights fit.",
                           group="Networks", local=True)  # fmt: skip
    conditional: bool = knob(True, "Tell both networks the label, so that you can ask for a class.",
                             group="Networks")  # fmt: skip
    conditioning: str = knob("class-logits", "How the discriminator uses the label.",
                             unless=("conditional", False), group="Networks",
                             choices=("class-logits", "projection", "auxiliary",
                                      "concatenation"))  # fmt: skip
    g_conditioning: str = knob("concatenation", "How the generator hears the label.",
                               unless=("conditional", False), group="Networks",
                               choices=("concatenation", "batch-norm"))  # fmt: skip
    code_classes: int = knob(0, "Kinds that the networks find by themselves and show when asked; 0 is off.",
                             group="Networks", low=0, high=100)  # fmt: skip
    code_numbers: int = knob(0, "Sliders that the networks find by themselves, such as slant; 0 is off.",
                             group="Networks", low=0, high=20)  # fmt: skip

    loss: str = knob("non-saturating", "The game that the two networks play.", group="Loss", table="losses")
    class_weight: float = knob(0.5, "How much the pictures must look like the class that was asked for.",
                               unless=("conditional", False),
                               only=("conditioning", ("class-logits", "auxiliary")),
                               group="Loss", low=0.0, high=10.0)  # fmt: skip
    code_weight: float = knob(1.0, "How much the pictures must show the codes they were generated from.",
                              unless=("codes", 0), group="Loss", low=0.0, high=10.0)  # fmt: skip
    mode_seeking: float = knob(0.0, "How much different noise must give different pictures; 0 is off.",
                               group="Loss", low=0.0, high=10.0)  # fmt: skip
    d_steps: int = knob(1, "Discriminator updates in each step.", group="Loss", low=1, high=20)
    g_steps: int = knob(1, "Generator updates in each step.", group="Loss", low=1, high=20)

    penalty: str = knob("none", "What holds the slope of the discriminator in check.",
                        group="Stabilisers", table="penalties")  # fmt: skip
    penalty_weight: float | None = knob(None, "Weight of the penalty; left empty, the one suggested for it.",
                                        unless=("penalty", "none"), group="Stabilisers",
                                        low=0.0, high=10_000.0)  # fmt: skip
    penalty_every: int = knob(1, "Steps between two penalties: more is faster and about as good.",
                              unless=("penalty", "none"), group="Stabilisers", low=1, high=64)  # fmt: skip
    clip_weights: float = knob(0.0, "Largest weight the discriminator may have; 0 is off.",
                               group="Stabilisers", low=0.0, high=10.0)  # fmt: skip
    clip_norm: float = knob(0.0, "Longest gradient that is followed in full; 0 is off.",
                            group="Stabilisers", low=0.0, high=10_000.0)  # fmt: skip
    clip_value: float = knob(0.0, "Largest entry of a gradient that is followed in full; 0 is off.",
                             group="Stabilisers", low=0.0, high=10_000.0)  # fmt: skip
    real_label: float = knob(1.0, "Label of real pictures for the discriminator: below 1 is label smoothing.",
                               group="Stabilisers", low=0.5, high=1.0)  # fmt: skip
    label_flip_prob: float = knob(0.0, "Probability that a pair's labels are flipped for the discriminator.",
                                    group="Stabilisers", low=0.0, high=0.5)  # fmt: skip
    instance_noise: float = knob(0.0, "Noise on all pictures that the discriminator sees; fades by the end.",
                                 group="Stabilisers", low=0.0, high=2.0)  # fmt: skip
    augment: str = knob("none", "Changes to real and generated pictures before the discriminator sees them.",
                        group="Stabilisers", table="augments")  # fmt: skip
    ada_target: float = knob(0.0, "Augment only while D is surer than this of real pictures; 0: always.",
                             unless=("augment", "none"), group="Stabilisers", low=0.0, high=1.0)  # fmt: skip
    ada_images: int = knob(50_000, "Pictures in which the probability of a change can go from 0 to 1.",
                           unless=("ada_target", 0.0), group="Stabilisers",
                           low=100, high=100_000_000)  # fmt: skip
    d_minibatch_std: bool = knob(
        False, "Show the discriminator how far four pictures differ: against sameness.", group="Stabilisers"
    )  # fmt: skip
    pack: int = knob(1, "Pictures that the discriminator judges together: against sameness.",
                     group="Stabilisers", low=1, high=4)  # fmt: skip
    l1: float = knob(0.0, "L1 regularisation: pulls all weights towards 0, each as hard.",
                     group="Stabilisers", low=0.0, high=1.0, scale="log")  # fmt: skip
    weight_decay: float = knob(0.0, "Pulls all weights towards 0, in proportion to their size.",
                               group="Stabilisers", low=0.0, high=1.0, scale="log")  # fmt: skip

    optimiser: str = knob("adam", "How gradients become steps.", group="Optimiser", table="optimisers")
    batch: int = knob(64, "Pictures looked at in one step: more is steadier and slower.",
                      group="Optimiser", low=2, high=4096, scale="log")  # fmt: skip
    batch_end: int | None = knob(None, "Let the batch double until it is this large; left empty, it stays.",
                                 group="Optimiser", low=2, high=65_536)  # fmt: skip
    lr_g: float = knob(8e-3, "Learning rate of the generator: too small is slow, too large never settles.",
                       group="Optimiser", low=1e-6, high=0.1, scale="log")  # fmt: skip
    lr_d: float = knob(8e-3, "Learning rate of the discriminator.",
                       group="Optimiser", low=1e-6, high=0.1, scale="log")  # fmt: skip
    beta1: float = knob(0.0, "How much of the previous direction Adam keeps; 0 suits fast GAN training.",
                        group="Optimiser", low=0.0, high=0.999)  # fmt: skip
    beta2: float = knob(0.99, "How long Adam remembers the size of past gradients.",
                        group="Optimiser", low=0.0, high=0.99999)  # fmt: skip
    schedule: str = knob("linear", "How the learning rates fall.",
                         group="Optimiser", choices=("linear", "cosine", "constant", "dynamic"))  # fmt: skip
    lr_end: float = knob(0.1, "Share of the learning rate left at the budget's end; 1 keeps it constant.",
                         unless=("schedule", "constant"), group="Optimiser", low=0.0, high=1.0)  # fmt: skip
    ema_rampup: float = knob(
        0.2, "EMA of the generator you see: its half-life as a share of all pictures seen; 0 is off.",
        group="Optimiser", low=0.0, high=0.5,
    )  # fmt: skip
    ema_half_life: int | None = knob(
        None,
        "Longest half-life of the EMA in pictures; left empty, 25 times the square root of all that the "
        "budget allows.",
        unless=("ema_rampup", 0.0), group="Optimiser", low=1, high=100_000_000,
    )  # fmt: skip

    seconds: float | None = knob(
        None,
        "Stop after this many seconds. The learning rate follows the clock: to repeat a run, give steps.",
        group="Budget", low=0.1, high=1e7,
    )  # fmt: skip
    steps: int | None = knob(None, "Stop after this many steps.",
                             group="Budget", low=1, high=100_000_000)  # fmt: skip
    images: int | None = knob(None, "Stop after this many real pictures were seen.",
                              group="Budget", low=1, high=1_000_000_000_000)  # fmt: skip

    seed: int = knob(
        0, "Same seed, same start, and the same run where its budget is in steps; another, another outcome.",
        group="Record", low=0, high=2**31 - 1,
    )  # fmt: skip
    log_every: int = knob(10, "Steps between two points of the curves.", group="Record", low=1, high=10_000)
    checkpoint_seconds: float = knob(20.0, "Seconds between two checkpoints of the whole training state.",
                                     group="Record", low=1.0, high=86_400.0)  # fmt: skip
    checkpoint_steps: int | None = knob(None, "Steps between two checkpoints; left empty, seconds decide.",
                                        group="Record", low=1, high=100_000_000)  # fmt: skip
    disk_mb: float = knob(100.0, "Megabytes that a run's checkpoints may fill; older ones are thinned out.",
                          group="Record", low=1.0, high=1e7, local=True)  # fmt: skip
    score_seconds: float = knob(60.0, "Seconds between two scores: the best generator is kept; 0: none.",
                                group="Record", low=0.0, high=86_400.0)  # fmt: skip
    retries: int = knob(0, "After divergence: how often to go back and halve the learning rates.",
                        group="Record", low=0, high=2)  # fmt: skip

    device: str = knob("auto", "Where to compute: auto takes an NVIDIA GPU when there is one.",
                       group="Machine", choices=("auto", "cpu", "cuda", "mps"))  # fmt: skip
    precision: str = knob("auto", "Number format; auto times both at the start and keeps the faster.",
                          group="Machine", choices=("auto", "fp32", "bf16"))  # fmt: skip
    memory_format: str = knob("auto", "Layout of pictures in memory; auto times both at the start.",
                              group="Machine", choices=("auto", "contiguous", "channels_last"))  # fmt: skip
    threads: int = knob(0, "Processor threads to use; 0 times a few counts at the start.",
                        group="Machine", low=0, high=256)  # fmt: skip

    @property
    def codes(self) -> int:
        """How many numbers of z are InfoGAN's codes."""
        return self.code_classes + self.code_numbers


def knobs() -> dict[str, Knob]:
    """Every setting of `TrainConfig` by name, in order."""
    return {f.name: f.metadata["knob"] for f in fields(TrainConfig)}


def kind(name: str) -> tuple[type, bool]:
    """(plain type, may be None) of a `TrainConfig` setting: `steps` gives (int, True)."""
    hint = typing.get_type_hints(TrainConfig)[name]
    if isinstance(hint, types.UnionType):
        plain = next(t for t in typing.get_args(hint) if t is not type(None))
        return plain, True
    return hint, False


def from_mapping(values: Mapping[str, object], base: TrainConfig | None = None) -> TrainConfig:
    """`base` (or the defaults) with `values` put in, types converted and ranges checked.

    Missing names keep their value, so old runs open. Names of table rows (data set, network, loss) are
    checked by `gan_core.catalog.check`, which knows the tables.

    Raises:
        ConfigError: with every unknown name and every bad value at once.
    """
    problems = unknown_names(values, knobs(), "setting")
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if name in knobs():
            try:
                changes[name] = convert(value, *kind(name))
            except ValueError:
                about = {"value": repr(value), "kind": kind(name)[0].__name__}
                problems.append(Message("wrong-type", field=name, **about))
    config = dataclasses.replace(base or TrainConfig(), **changes)
    misread = BUDGET & {problem.field for problem in problems}  # a budget was given, though not a good one
    problems += [problem for problem in _unusable(config) if not (misread and problem.field in BUDGET)]
    if problems:
        raise ConfigError.of(problems)
    return config


def to_mapping(config: TrainConfig) -> dict[str, Any]:
    """The settings as plain JSON values, in order."""
    return dataclasses.asdict(config)


def difference(old: TrainConfig, new: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """Settings that differ, by name: (old value, new value)."""
    return {name: (getattr(old, name), getattr(new, name)) for name in knobs()
            if getattr(old, name) != getattr(new, name)}  # fmt: skip


def _unusable(config: TrainConfig) -> list[Message]:
    found = (range_problem(name, getattr(config, name), about) for name, about in knobs().items())
    problems = [problem for problem in found if problem]
    if all(getattr(config, name) is None for name in BUDGET):
        problems.append(Message("budget-missing", field="seconds"))
    return problems
