"""One training iteration, as the loop takes it and as a trial of its speed does."""

from __future__ import annotations

from gan_core.config import TrainConfig
from gan_core.training.batch_sampler import BatchSampler
from gan_core.training.controllers import Controllers
from gan_core.training.schedule import expected_images
from gan_core.training.state import State, half_life, update_ema
from gan_core.training.step import Objective, StepOutput, d_step, draw_fake, g_step, lazy_step


def train_iteration(
    state: State,
    batch_sampler: BatchSampler,
    config: TrainConfig,
    objective: Objective,
    controllers: Controllers,
    count: int,
) -> tuple[StepOutput, StepOutput]:
    """D's steps, G's steps and the EMA, on `count` pictures each; the last outcome of either."""
    before, budget = state.images_seen, expected_images(config, state.step, state.images_seen, state.seconds)
    for turn in range(state.step * config.d_steps, (state.step + 1) * config.d_steps):
        batch = batch_sampler.batch(state.images_seen, count, state.distributed.share)
        drawn = draw_fake(state, batch.labels, count)
        if turn % config.penalty_every == 0:  # first, so that the gradient on the curves is the game's
            lazy_step(state, batch, drawn, objective)
        d = d_step(state, batch, drawn, objective)
        controllers.update(d, count, state.distributed.mean)
        state.images_seen += count
    for turn in range(config.g_steps):
        if turn > 0:  # the first one learns from the pictures that D has just seen
            drawn = draw_fake(state, batch.labels, count)
        g = g_step(state, batch, drawn, objective)
    update_ema(state.ema, state.G, half_life(config, state.images_seen, budget), state.images_seen - before)
    return d, g
