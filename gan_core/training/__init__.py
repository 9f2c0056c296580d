"""Training: read step.py and iteration.py for the algorithm, loop.py for everything around it."""

from gan_core.training.loop import StepRecord, train
from gan_core.training.session import model_config, trial, warm_up

__all__ = ["StepRecord", "model_config", "train", "trial", "warm_up"]
