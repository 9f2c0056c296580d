"""The baseline of speed is fair: the plain loop makes the very steps of ours; parts are counted right."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks import train as benchmark
from benchmarks.parts import Call, Timer, profile, seen
from benchmarks.plain import PlainLoop
from benchmarks.train import BEGUN, Pace, opened, rates, settings, side, speeds, stepper
from gan_core.networks import NETWORKS
from gan_core.training.setup import chosen, model_config

SMALL = {"size": 16, "g_width": 4, "d_width": 4, "latent": 8, "batch": 8, "precision": "fp32",
         "memory_format": "contiguous", "threads": 1, "dataset_limit": 50, "lr_g": 1e-3,
         "lr_d": 1e-3}  # fmt: skip
TINY = Pace(rounds=1, seconds=0.0, steps=1, run=1.0)


@pytest.mark.parametrize("changes", [
    {}, {"conditional": False, "loss": "hinge"}, {"loss": "relativistic", "conditioning": "projection"},
    {"network": "sndcgan", "d_norm": "none"}, {"network": "mlp-28", "size": 28, "conditional": False},
], ids=lambda changes: " ".join(map(str, changes.values())))  # fmt: skip
def test_the_plain_loop_and_ours_make_the_same_steps(changes):
    with opened({**SMALL, **changes}) as session:
        config, state = session.config, session.state
        order = torch.cat(
            [session.batch_sampler._rows((BEGUN + k) * config.batch, config.batch) for k in range(3)]
        )
        plain = PlainLoop(config, model_config(config), chosen(config), order=order.tolist())
        plain.images = state.images_seen
        begin = [value.clone() for value in state.D.parameters()]
        step = stepper(session)
        for _ in range(3):
            step(), plain.step()
    assert any((a - b).abs().max() > 1e-3 for a, b in zip(begin, state.D.parameters())), "it learned"
    for ours, theirs in ((state.G, plain.G), (state.D, plain.D), (state.ema, plain.ema)):
        for (name, a), b in zip(ours.named_parameters(), theirs.parameters()):
            assert torch.allclose(a, b, rtol=0, atol=1e-5), name


def test_it_refuses_what_it_does_not_know():
    config = settings({**SMALL, "penalty": "r1", "d_norm": "none"})
    with pytest.raises(ValueError, match="no penalty"):
        PlainLoop(config, model_config(config), chosen(config))


def test_contestants_take_turns_and_the_median_counts():
    turns: list[str] = []
    found = rates({name: lambda name=name: turns.append(name) for name in "ab"}, Pace(3, 0.0, 2))
    assert "".join(turns) == "ab" + "aabb" * 3 and found.keys() == {"a", "b"}
    assert min(found.values()) > 0


def test_products_are_those_of_the_formula():
    given = torch.zeros(2, 3, 8, 8)
    assert Call(nn.Conv2d(3, 5, 3, padding=1), given, False, False).products() == 2 * 64 * 5 * 3 * 9
    assert Call(nn.ConvTranspose2d(3, 5, 4, 2, 1), given, True, True).products() == 3 * 2 * 64 * 5 * 3 * 16
    assert Call(nn.Linear(7, 4), torch.zeros(2, 7), False, True).products() == 2 * 2 * 7 * 4


def test_a_profile_accounts_for_the_whole_step():
    with opened(SMALL) as session:
        step = stepper(session)
        calls = seen(session, step)
        parts = profile(session, step, 3)
    of_d = [call for call in calls if call.layer is session.state.D.downs[0][0]]
    assert [(call.passes_on, call.learns) for call in of_d] == [(False, True), (False, True), (True, False)]
    whole, products = parts.pop("whole step"), parts.pop("products")
    assert sum(parts.values()) == pytest.approx(whole) and products > 0
    assert all(seconds > 0 for name, seconds in parts.items() if name != "rest")
    assert all(parameter.requires_grad for parameter in session.state.D.parameters()), "as it was"


def test_a_timer_adds_up_even_what_fails():
    timer = Timer()
    with pytest.raises(ZeroDivisionError):
        timer.around(lambda x: 1 / x)(0)
    first = timer.seconds
    assert first > 0 and timer.around(lambda x: 1 / x)(2) == 0.5 and timer.seconds > first


def test_every_network_and_loss_has_a_row(monkeypatch):
    monkeypatch.setattr(benchmark, "against_plain", lambda name, *_: name)
    rows = speeds(print, "Speed", TINY)
    drawn = [f"network {name}" for name, row in NETWORKS.items() if row.sizes != (1,)]  # pictures, not points
    assert drawn == rows[: len(drawn)] and "loss hinge" in rows
    assert side("mlp-64") == 64 and side("dcgan") == 32


@pytest.mark.parametrize("only", ["Speed, network mlp-28", "Lazy R1", "Beside the steps"])
def test_rows_are_measured(only):
    said: list[str] = []
    rows = speeds(said.append, only, TINY)
    assert rows and said and all(any(letter.isdigit() for letter in row.result) for row in rows)
