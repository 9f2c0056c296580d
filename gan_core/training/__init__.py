"""Training: read step.py and iteration.py for the algorithm, loop.py for everything around it."""

from gan_core.training.loop import StepRecord, train
from gan_core.training.session import trial, warm_up
from gan_core.training.setup import model_config

__all__ = ["StepRecord", "model_config", "train", "trial", "warm_up"]
