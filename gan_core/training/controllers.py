"""What training itself moves as a run goes on: noise that fades, and two controllers that watch D.

Their numbers belong to the state of the run: `state_dict` gives them for a checkpoint, `load_state_dict`
takes them back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gan_core.augment import InstanceNoise, by_chance
from gan_core.config import TrainConfig
from gan_core.training.step import StepOutput

OBSERVED = 4  # D-steps that ADA looks at before it moves, as in its paper


@dataclass(slots=True)
class AdaptiveAugment:
    """Adaptive augmentation: each change is made with a `chance` that rises while D is too sure of real
    pictures and falls while it is not.

    Too sure: the mean sign of D's logits on real pictures lies above `target`; exactly there the chance
    stands still. It can go from 0 to 1 within `reach` pictures. Source: Karras et al. 2020, arXiv 2006.06676,
    section 3.
    """

    changes: Sequence[Callable[[Tensor], Tensor]]
    target: float
    reach: int
    chance: float = 0.0
    signs: list[float] = field(default_factory=list)

    def __call__(self, pictures: Tensor) -> Tensor:
        """The pictures, each change made to a `chance` of them."""
        for change in self.changes:
            pictures = by_chance(change, pictures, self.chance)
        return pictures

    def update(self, sign: float, count: int) -> None:
        """Look at one D-step on `count` real pictures, the mean sign of whose logits is -1 to 1; move at each
        fourth."""
        self.signs.append(sign)
        if len(self.signs) == OBSERVED:
            sure = sum(self.signs) / OBSERVED
            direction = (sure > self.target) - (sure < self.target)
            self.chance = min(1.0, max(0.0, self.chance + direction * OBSERVED * count / self.reach))
            self.signs.clear()


@dataclass(slots=True)
class DiscriminatorLrController:
    """The "dynamic" schedule: D's learning rate falls while D tells real from fake too easily, and rises
    again.

    Easily: in more than `TARGET` of all pairs the real picture has the higher logit. Compared by pairs, it
    means the same in every game.
    """

    TARGET = 0.85
    LEAST = 0.02  # of D's learning rate is always left
    share: float = 1.0
    right: float = 0.5  # share of pairs, smoothed over about ten steps

    def update(self, right: float) -> None:
        """Look at one D-step that got this share of its pairs right."""
        self.right += 0.1 * (right - self.right)
        self.share = min(1.0, max(self.LEAST, self.share * math.exp(0.2 * (self.TARGET - self.right))))


@dataclass(frozen=True, slots=True)
class Controllers:
    """All of it in one run; whatever is off is not there."""

    noises: Sequence[InstanceNoise] = ()
    adaptive_augment: AdaptiveAugment | None = None
    d_lr_controller: DiscriminatorLrController | None = None

    @property
    def d_share(self) -> float:
        """What is left of D's learning rate, 0 to 1."""
        return self.d_lr_controller.share if self.d_lr_controller else 1.0

    def begin(self, progress: float) -> None:
        """Let instance noise fall to what is left of it at this share of the budget."""
        for noise in self.noises:
            noise.share = max(0.0, 1.0 - progress)

    def update(self, d: StepOutput, count: int, mean: Callable[[Tensor], Tensor]) -> None:
        """Let the controllers look at one D-step on `count` pictures, by its `mean` over all processes."""
        if self.adaptive_augment or self.d_lr_controller:
            seen = torch.stack([d.real.sign().mean(), (d.real > d.fake).float().mean()])
            sign, right = mean(seen).tolist()
            if self.adaptive_augment:
                self.adaptive_augment.update(sign, count)
            if self.d_lr_controller:
                self.d_lr_controller.update(right)

    def state_dict(self) -> dict[str, list[float]]:
        """What a checkpoint keeps of it."""
        ada, d_lr = self.adaptive_augment, self.d_lr_controller
        kept = {"adaptive_augment": [ada.chance, *ada.signs]} if ada else {}
        return kept | ({"d_lr_controller": [d_lr.share, d_lr.right]} if d_lr else {})

    def load_state_dict(self, numbers: Mapping[str, Sequence[float]]) -> None:
        """Take `numbers` back; what they lack begins afresh."""
        if self.adaptive_augment and "adaptive_augment" in numbers:
            self.adaptive_augment.chance, *self.adaptive_augment.signs = numbers["adaptive_augment"]
        if self.d_lr_controller and "d_lr_controller" in numbers:
            self.d_lr_controller.share, self.d_lr_controller.right = numbers["d_lr_controller"]

    def curves(self) -> dict[str, float]:
        """What it adds to a point of the curves."""
        ada = {"augment/probability": self.adaptive_augment.chance} if self.adaptive_augment else {}
        return ada | ({"learning_rate_share/D": self.d_lr_controller.share} if self.d_lr_controller else {})


def batch_at(config: TrainConfig, progress: float) -> int:
    """Pictures in one step at this share of the budget: `batch`, doubled at even distances up to `batch_end`.

    A batch that grows calms the end of a run as a falling learning rate does. Source: Smith et al. 2018,
    arXiv 1711.00489.
    """
    if config.batch_end is None:
        return config.batch
    doublings = int(math.log2(config.batch_end / config.batch) + 1e-9)
    done = int(max(0.0, min(progress, 0.999999)) * (doublings + 1))
    return int(config.batch * 2**done)
