"""One round of updates, as the loop takes it and as a trial of its speed does."""

from __future__ import annotations

from gan_core.config import TrainConfig
from gan_core.training.feed import Feed
from gan_core.training.moving import Moving
from gan_core.training.state import State, follow
from gan_core.training.step import Objective, Outcome, d_step, draw_fake, g_step, lazy_step


def play(
    state: State, feed: Feed, config: TrainConfig, objective: Objective, moving: Moving, count: int
) -> tuple[Outcome, Outcome]:
    """D's steps, G's steps and the EMA, on `count` pictures each; the last outcome of either."""
    before = state.images
    for turn in range(state.step * config.d_steps, (state.step + 1) * config.d_steps):
        batch = feed.draw(state.images, count, state.world.share)
        drawn = draw_fake(state, batch.labels, count)
        if turn % config.penalty_every == 0:  # first, so that the gradient on the curves is the game's
            lazy_step(state, batch, drawn, objective)
        d = d_step(state, batch, drawn, objective)
        moving.react(d, count, state.world.mean)
        state.images += count
    for turn in range(config.g_steps):
        if turn > 0:  # the first one learns from the pictures that D has just seen
            drawn = draw_fake(state, batch.labels, count)
        g = g_step(state, batch, drawn, objective)
    follow(state.ema, state.G, min(config.ema * state.images, config.ema_images), state.images - before)
    return d, g
