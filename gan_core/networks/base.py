"""What every pair of networks shares: the forms of their answers, labels, and the first weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_core.config import ModelConfig

GROUP = 4  # pictures that the minibatch deviation compares
TINY = 1e-8  # under its square root: the slope is finite where all are alike


class DiscriminatorOutput(NamedTuple):
    """A discriminator's answer to N pictures."""

    logits: Tensor  # (N,) logits: above 0 means "real"
    classes: Tensor | None  # (N, K) logits of the label, where the discriminator names it
    codes: Tensor | None = None  # (N, K + 2 M), what it reads of InfoGAN's codes: see `gan_core.codes`


@dataclass(frozen=True, slots=True)
class Network:
    """A row of `NETWORKS`.

    `generator(model)` builds a module called as G(z (N, latent), labels (N,) or None) that gives pictures
    (N, C, H, W) in [-1, 1]; `discriminator(model)` one called as D(pictures, labels) that gives a
    `DiscriminatorOutput`. `fixed` holds the settings that belong to its definition: they are built as it
    says, whatever was asked for.
    """

    generator: Callable[[ModelConfig], nn.Module]
    discriminator: Callable[[ModelConfig], nn.Module]
    sizes: tuple[int, ...]
    paper: str
    summary: str
    fixed: Mapping[str, Any] = field(default_factory=dict)


def join_label(z: Tensor, labels: Tensor | None, classes: int) -> Tensor:
    """z (N, latent) followed by the label as a one-hot row: (N, latent + classes).

    Labels are whole numbers (N,), or shares (N, classes) for pictures between classes.
    """
    if classes == 0:
        return z
    if labels is None:
        raise ValueError("a conditional generator needs labels")
    shares = labels if labels.is_floating_point() else F.one_hot(labels, classes)
    return torch.cat([z, shares.to(z.dtype)], dim=1)


class Head(nn.Module):
    """The last layer of a discriminator: features (N, F) and labels (N,) to a `DiscriminatorOutput`.

    Without classes, or where the label has come in before: one logit. `class-logits`: a real/fake logit per
    class, of which the sample's own is taken, and K logits that name the class. `auxiliary`: one real/fake
    logit, and K that name the class (Odena et al. 2017, arXiv 1610.09585). `projection`: one logit plus the
    inner product of features and label embedding (Miyato & Koyama 2018, arXiv 1802.05637, eq. 4).

    With `d_minibatch_std` one number more is looked at, `deviation`. With codes in z a second, small head
    reads them from the same features: InfoGAN's Q.
    """

    def __init__(self, features: int, model: ModelConfig) -> None:
        super().__init__()
        answers = model.code_classes + 2 * model.code_numbers
        q_head = QHead(features, answers, model.d_norm) if answers else None
        self.compares = model.d_minibatch_std
        features += self.compares
        self.classes, self.how = model.classes, model.conditioning if model.classes else ""
        outputs = {"class-logits": 2 * model.classes, "auxiliary": 1 + model.classes}.get(self.how, 1)
        self.linear = nn.Linear(features, outputs)
        self.embedding = nn.Embedding(model.classes, features) if self.how == "projection" else None
        self.q_head = q_head

    def forward(self, features: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        seen = torch.cat([features, deviation(features)], dim=1) if self.compares else features
        output = self.classify(seen, labels)
        return output if self.q_head is None else output._replace(codes=self.q_head(features))

    def classify(self, features: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        """The real/fake logit, and those of the classes where the head names them."""
        out = self.linear(features)  # (N, outputs): real/fake first, then the classes
        if self.how == "class-logits":
            assert labels is not None
            logits = out[:, : self.classes].gather(1, labels[:, None])[:, 0]
            return DiscriminatorOutput(logits, out[:, self.classes :])
        logits = out[:, 0]
        if self.embedding is not None:
            assert labels is not None
            logits = logits + (self.embedding(labels) * features).sum(1)
        return DiscriminatorOutput(logits, out[:, 1:] if self.how == "auxiliary" else None)


def to_pixels(h: Tensor) -> Tensor:
    """What a generator's last layer gives, of any size, as pixels: float32 in [-1, 1].

    In bf16 all beyond 3.5 would round to 1 itself, where tanh has no slope: the ground of a digit could not
    be mended any more.
    """
    return torch.tanh(h.float())


def deviation(features: Tensor) -> Tensor:
    """How far a picture's group differs within itself: features (N, F) to (N, 1), the same for a group.

    The standard deviation over `GROUP` pictures in a row, the mean over the features. A constant map before a
    convolution is one number before a linear head. Source: Karras et al. 2018, arXiv 1710.10196, section 3.
    """
    groups = features.float().view(-1, GROUP, features.shape[1])  # (N / 4, 4, F)
    spread = (groups.var(1, correction=0) + TINY).sqrt().mean(1)  # (N / 4,)
    return spread.repeat_interleave(GROUP)[:, None].to(features.dtype)


class QHead(nn.Sequential):
    """Q of InfoGAN: features (N, F) to (N, answers) by one hidden layer of 128.

    Source: Chen et al. 2016, arXiv 1606.03657, appendix C.
    """

    def __init__(self, features: int, answers: int, norm: str) -> None:
        middle = nn.BatchNorm1d(128) if norm == "batch" else nn.Identity()
        super().__init__(nn.Linear(features, 128), middle, nn.LeakyReLU(0.1), nn.Linear(128, answers))


class NormFree(nn.Module):
    """A part without norm, whose first weights must have the right size by themselves."""

    def begin(self, generator: torch.Generator | None) -> None:
        """Draw them in place."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Initialisation:
    """A row of `INITIALISATIONS`: `fill(weight, generator)` draws a layer's first weights in place."""

    fill: Callable[[Tensor, torch.Generator | None], object]
    paper: str
    summary: str


INITIALISATIONS: dict[str, Initialisation] = {
    "dcgan": Initialisation(
        lambda weight, generator: nn.init.normal_(weight, 0.0, 0.02, generator=generator),
        "Radford et al. 2016, arXiv 1511.06434, section 3.1", "Normal, standard deviation 0.02.",
    ),
    "xavier": Initialisation(
        lambda weight, generator: nn.init.xavier_normal_(weight, generator=generator),
        "Glorot and Bengio 2010, eq. 16", "Normal, smaller the more inputs and outputs a layer has.",
    ),
    "orthogonal": Initialisation(
        lambda weight, generator: nn.init.orthogonal_(weight, generator=generator),
        "Saxe et al. 2014, arXiv 1312.6120", "Rows at right angles: nothing is lost on the way through.",
    ),
    "zero": Initialisation(
        lambda weight, generator: nn.init.zeros_(weight),
        "-", "All weights 0: every unit does the same for ever. A lesson, not a choice.",
    ),
}  # fmt: skip


def init_weights(module: nn.Module, generator: torch.Generator | None = None, how: str = "dcgan") -> None:
    """Draw all convolution, linear and embedding weights as the row `how` says; biases 0."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)):
            INITIALISATIONS[how].fill(layer.weight, generator)
            if getattr(layer, "bias", None) is not None:
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    if how == "dcgan":  # a network without norm needs first weights of its own in place of these
        for layer in module.modules():
            if isinstance(layer, NormFree):
                layer.begin(generator)
