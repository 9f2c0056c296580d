"""What training itself moves: adaptive augmentation, D's learning rate, a batch that grows; and what is made
of real pictures only, and of G's variety."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from gan_core.augment import REAL_AUGMENTS, by_chance, flip, rotation, translation
from gan_core.config import ModelConfig, from_mapping
from gan_core.losses import LOSSES, MISTAKES
from gan_core.mode_seeking import mode_seeking
from gan_core.runs import RunPaths, create_run
from gan_core.runs.records import read_lines
from gan_core.training import train
from gan_core.training.batch_sampler import Batch, BatchSampler
from gan_core.training.compute import ComputeConfig
from gan_core.training.controllers import AdaptiveAugment, Controllers, DiscriminatorLrController, batch_at
from gan_core.training.iteration import train_iteration
from gan_core.training.objective import objective_of
from gan_core.training.setup import model_config
from gan_core.training.snapshot import load_state
from gan_core.training.state import build_state, set_learning_rates
from gan_core.training.step import Objective, StepOutput, draw_fake, g_step, lazy_step

MODEL = ModelConfig(network="dcgan-s2d", size=16, channels=1, classes=3, latent=4, g_width=4, d_width=4,
                    conditioning="class-logits")  # fmt: skip
TINY = {"dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4, "latent": 4, "batch": 8, "threads": 1,
        "precision": "fp32", "memory_format": "contiguous"}  # fmt: skip


def config(**changes):
    return from_mapping({"seconds": 1.0, "batch": 8, **changes})


def outcome(real, fake=0.0, count=8):
    return StepOutput(torch.zeros(()), torch.full((count,), float(real)), torch.full((count,), float(fake)))


def alone(seen):
    return seen


def test_the_chance_of_a_change_rises_while_d_is_surer_than_the_target_and_falls_while_not():
    ada = AdaptiveAugment((translation,), target=0.6, reach=320)
    for _ in range(3):
        ada.update(1.0, 8)
    assert ada.chance == 0.0, "it looks at four steps first"
    ada.update(1.0, 8)
    assert ada.chance == pytest.approx(4 * 8 / 320)
    for _ in range(400):
        ada.update(1.0, 8)
    assert ada.chance == 1.0
    for _ in range(4):
        ada.update(0.5, 8)
    assert ada.chance == pytest.approx(0.9)
    for _ in range(400):
        ada.update(0.5, 8)
    assert ada.chance == 0.0


def test_the_chance_stands_still_where_d_is_exactly_as_sure_as_the_target():
    """The paper's step goes by the sign of the difference, and that of 0 is 0."""
    ada = AdaptiveAugment((translation,), target=0.5, reach=320, chance=0.3)
    for sign in (0.5, 0.5, 0.25, 0.75):
        ada.update(sign, 8)
    assert (ada.chance, ada.signs) == (0.3, [])


def test_it_finds_the_chance_at_which_d_is_as_sure_as_asked():
    """A D whose certainty falls from 1 to 0 as the chance rises is held at the target."""
    ada = AdaptiveAugment((translation,), target=0.6, reach=2000)
    for _ in range(2000):
        ada.update(1 - ada.chance, 8)
    assert ada.chance == pytest.approx(0.4, abs=0.02)


def test_each_of_ds_steps_moves_the_chance_by_the_pictures_it_saw():
    """Four steps in one round, of 16 pictures each, though the run began with 8."""
    settings = config(augment="translation", ada_target=0.123, ada_images=640, d_steps=4)
    state, (objective, controllers) = build_state(settings, MODEL, ComputeConfig()), objective_of(settings)
    images = np.random.default_rng(0).integers(0, 256, (64, 1, 16, 16), dtype=np.uint8)
    controllers.adaptive_augment.chance = 0.5
    train_iteration(
        state,
        BatchSampler(images, np.arange(64) % 3, seed=0, device="cpu"),
        settings,
        objective,
        controllers,
        16,
    )
    assert (
        abs(controllers.adaptive_augment.chance - 0.5) == pytest.approx(4 * 16 / 640)
        and controllers.adaptive_augment.signs == []
    )


def test_a_chance_changes_that_share_of_the_pictures_and_leaves_the_others():
    torch.manual_seed(0)
    pictures = torch.zeros(20_000, 1, 1, 1)
    changed = by_chance(lambda p: p + 1, pictures, 0.3)
    assert set(changed.unique().tolist()) == {0.0, 1.0}
    assert changed.mean().item() == pytest.approx(0.3, abs=0.02)
    ada = AdaptiveAugment((lambda p: p + 1, lambda p: p + 2), 0.6, 100, chance=0.5)
    values = ada(pictures).flatten()
    shares = [(values == value).float().mean().item() for value in (0, 1, 2, 3)]
    assert shares == pytest.approx([0.25] * 4, abs=0.02), "each change by its own chance"


def test_d_slows_down_while_it_wins_every_pair_and_comes_back():
    d_lr_controller = DiscriminatorLrController()
    for _ in range(300):
        d_lr_controller.update(1.0)
    assert d_lr_controller.share == DiscriminatorLrController.LEAST
    for _ in range(300):
        d_lr_controller.update(0.5)
    assert d_lr_controller.share == 1.0
    settings = config(schedule="dynamic", lr_d=0.01, lr_end=1.0)
    state = build_state(settings, MODEL, ComputeConfig())
    set_learning_rates(
        state, settings, 0.5, Controllers(d_lr_controller=DiscriminatorLrController(share=0.25)).d_share
    )
    assert state.d_optimizer.param_groups[0]["lr"] == pytest.approx(0.0025)
    assert state.g_optimizer.param_groups[0]["lr"] == settings.lr_g


def test_pairs_are_what_counts_not_the_zero():
    """Logits of 5 against 4 are told apart in a game without a zero."""
    controllers = Controllers(d_lr_controller=DiscriminatorLrController())
    for _ in range(100):
        controllers.update(outcome(5.0, 4.0), 8, alone)
    assert controllers.d_lr_controller.right == pytest.approx(1.0, abs=0.01)


def test_controllers_see_the_mean_of_all_processes():
    controllers = Controllers(
        adaptive_augment=AdaptiveAugment((translation,), 0.6, 320),
        d_lr_controller=DiscriminatorLrController(),
    )
    controllers.update(outcome(1.0, -1.0, count=4), 8, lambda seen: seen - 0.5)
    assert controllers.adaptive_augment.signs == [0.5] and controllers.d_lr_controller.right == pytest.approx(
        0.5
    )


def test_the_state_of_controllers_is_saved_and_loaded():
    settings = config(augment="translation", ada_target=0.6, schedule="dynamic")
    _, controllers = objective_of(settings)
    for _ in range(6):
        controllers.update(outcome(2.0, -2.0), 8, alone)
    assert (
        controllers.adaptive_augment.chance > 0
        and len(controllers.adaptive_augment.signs) == 2
        and controllers.d_lr_controller.right > 0.5
    )
    _, fresh = objective_of(settings)
    fresh.load_state_dict(controllers.state_dict())
    assert fresh == controllers and fresh.state_dict() == controllers.state_dict()
    _, off = objective_of(config())
    off.load_state_dict(controllers.state_dict())
    assert off == Controllers(noises=[]) and off.state_dict() == {} and off.curves() == {}


def test_a_batch_doubles_at_even_distances_up_to_its_end():
    settings = config(batch=16, batch_end=64)
    counts = [batch_at(settings, progress) for progress in (0, 0.3, 0.34, 0.6, 0.67, 1.0, 1.2)]
    assert counts == [16, 16, 32, 32, 64, 64, 64]
    assert batch_at(config(batch=16), 0.9) == 16
    assert batch_at(config(batch=16, batch_end=100), 1.0) == 64, "never beyond what was asked for"


def test_a_run_with_a_growing_batch_sees_every_picture_in_turn(tmp_path):
    settings = from_mapping({**TINY, "batch": 4, "batch_end": 8, "steps": 4})
    records = list(train(settings, create_run(tmp_path, settings)))
    assert [record.images for record in records] == [4, 8, 16, 24]


def test_several_g_steps_draw_fresh_pictures_each_time(tmp_path, monkeypatch):
    seen = []
    real_g_step = g_step

    def spy(state, batch, fake, objective):
        seen.append(fake.z)
        return real_g_step(state, batch, fake, objective)

    monkeypatch.setattr("gan_core.training.iteration.g_step", spy)
    settings = from_mapping({**TINY, "g_steps": 3, "d_steps": 2, "steps": 2})
    records = list(train(settings, create_run(tmp_path, settings)))
    assert len(seen) == 6 and not any(torch.equal(a, b) for a, b in zip(seen, seen[1:]))
    assert records[-1].images == 2 * 2 * 8, "real pictures are counted by D's steps"


def test_a_lazy_penalty_is_due_by_d_steps(tmp_path, monkeypatch):
    taken, where = [], "gan_core.training.iteration.lazy_step"
    monkeypatch.setattr(where, lambda state, *_: taken.append(state.images_seen // 8))
    settings = from_mapping({**TINY, "d_norm": "none", "penalty": "r1", "penalty_every": 4, "d_steps": 3,
                             "steps": 8})  # fmt: skip
    list(train(settings, create_run(tmp_path, settings)))
    assert taken == [0, 4, 8, 12, 16, 20], "before every fourth of D's 24 steps, from the first on"


def test_a_lazy_penalty_is_on_the_curves_until_the_next_and_a_checkpoint_keeps_it(tmp_path):
    settings = from_mapping({**TINY, "d_norm": "none", "penalty": "r1", "penalty_every": 4, "log_every": 1,
                             "steps": 7, "checkpoint_steps": 7})  # fmt: skip
    run = create_run(tmp_path, settings)
    list(train(settings, run))
    values = [line["penalty/D"] for line in read_lines(run.metrics)[0]]
    assert len(values) == 7 and len(set(values[:4])) == len(set(values[4:])) == 1 < len(set(values))
    state = build_state(settings, model_config(settings), ComputeConfig())
    load_state(state, run.checkpoint(7))
    assert state.lazy_penalty.item() == values[-1] > 0
    lazy_step(state, Batch(torch.zeros(8, 1, 16, 16), None), None, Objective(LOSSES["hinge"]))
    assert state.lazy_penalty is None, "a branch without a penalty shows none"


def test_adaptive_augmentation_is_on_the_curves_of_a_run(tmp_path):
    settings = from_mapping({**TINY, "augment": "translation", "ada_target": 0.1, "ada_images": 100,
                             "lr_g": 1e-6, "steps": 60})  # fmt: skip
    run = create_run(tmp_path, settings)
    list(train(settings, run))
    chances = [line["augment/probability"] for line in read_lines(RunPaths(run.path).metrics)[0]]
    assert chances[0] == 0.0 and max(chances) > 0.5, "D is sure of pictures that stand beside speckle"


def test_flip_mirrors_about_half_and_rotation_turns_about_the_middle():
    torch.manual_seed(0)
    pictures = torch.full((400, 1, 9, 9), -1.0)
    pictures[:, :, 4, 0] = 1.0
    flipped = flip(pictures)
    assert flipped[:, 0, 4, 8].eq(1).float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert torch.equal(flipped.sum((1, 2, 3)), pictures.sum((1, 2, 3)))
    disc = torch.full((50, 1, 33, 33), -1.0)
    disc[:, :, 14:19, 28] = 1.0  # a bar 12 pixels right of the middle
    turned = rotation(disc) + 1
    rows, columns = torch.meshgrid(torch.arange(33.0) - 16, torch.arange(33.0) - 16, indexing="ij")
    mass = turned.sum((1, 2, 3))
    y, x = ((turned[:, 0] * where).sum((1, 2)) / mass for where in (rows, columns))
    assert (x.square() + y.square()).sqrt().sub(12).abs().max() < 0.2, "as far from the middle as before"
    angles = torch.atan2(y, x) * 180 / math.pi
    assert angles.abs().max() <= 15.5 and angles.max() > 10 and angles.min() < -10
    assert rotation(torch.full((4, 1, 8, 8), -1.0)).eq(-1).all(), "black stays black at the corners"


def test_rotation_turns_evenly_by_up_to_15_degrees_and_keeps_short_numbers():
    """A slope from left to right is a slope afterwards, of the direction in which it was turned."""
    torch.manual_seed(0)
    slope = torch.linspace(-0.5, 0.5, 9).expand(6000, 1, 9, 9)
    turned = rotation(slope)[:, 0, 3:6, 3:6]
    down, right = turned[:, 2, 1] - turned[:, 0, 1], turned[:, 1, 2] - turned[:, 1, 0]
    angles = torch.atan2(down, right) * 180 / math.pi
    assert 14.95 < angles.max() < 15.01 and -15.01 < angles.min() < -14.95
    assert (torch.histc(angles, 10, -15, 15) / 6000 - 0.1).abs().max() < 0.015
    assert rotation(slope.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("name", REAL_AUGMENTS)
def test_real_pictures_are_changed_before_anyone_sees_them_and_fakes_never(name):
    images = np.random.default_rng(0).integers(0, 256, (32, 1, 16, 16), dtype=np.uint8)
    plain = BatchSampler(images, None, seed=0, device="cpu").batch(0, 32).images
    changed = BatchSampler(images, None, seed=0, device="cpu", change=REAL_AUGMENTS[name]).batch(0, 32).images
    assert changed.shape == plain.shape and torch.equal(changed, plain) == (name == "none")
    assert objective_of(config(real_augment=name))[0].augment(plain) is plain


def test_mode_seeking_by_hand():
    """|z - z'| is 2 and 1 a number, |x - x'| .5 and 1: ratios .25 and 1, mean .625, turned over 1.6."""
    z, other_z = torch.tensor([[1.0, 1.0], [0.0, 0.0]]), torch.tensor([[-1.0, -1.0], [1.0, -1.0]])
    x, other_x = torch.full((2, 1, 2, 2), 0.5), torch.tensor([1.0, -0.5]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    assert mode_seeking(z, other_z, x, other_x).item() == pytest.approx(1.6, rel=1e-3)
    alike = x.clone().requires_grad_(True)
    value = mode_seeking(z, other_z, alike + 1e-6 * torch.randn_like(x), x)
    assert value.item() == pytest.approx(20, rel=0.01), "a G that draws one picture pays most, but no fortune"
    value.backward()
    assert 0 < alike.grad.abs().sum() < 200


def test_mode_seeking_drives_pictures_of_one_label_apart():
    torch.manual_seed(0)
    settings = config(mode_seeking=1.0, lr_g=1e-3)
    state, objective = build_state(settings, MODEL, ComputeConfig()), objective_of(settings)[0]
    still = Objective(LOSSES["wasserstein"], mode_seeking_weight=1.0)
    nn.init.zeros_(state.D.head.linear.weight)  # D has no opinion: only the term speaks
    batch = Batch(torch.zeros(8, 1, 16, 16), torch.arange(8) % 3)

    def spread():
        z = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))
        return state.G(z, torch.zeros(64, dtype=torch.int64)).std(0).mean().item()

    before = spread()
    for _ in range(30):
        g_step(state, batch, draw_fake(state, batch.labels, 8), still)
    assert spread() > 1.5 * before and objective.mode_seeking_weight == 1.0


def test_a_stale_batch_prints_the_right_loss_and_teaches_nothing():
    state = build_state(config(), MODEL, ComputeConfig())
    batch = Batch(torch.zeros(8, 1, 16, 16), torch.arange(8) % 3)
    before = [p.detach().clone() for p in state.G.parameters()]
    fake = draw_fake(state, batch.labels, 8)
    right = LOSSES["non-saturating"].g(torch.zeros(8), state.D(fake.pictures, batch.labels).logits).item()
    g = g_step(state, batch, fake, Objective(MISTAKES["mistake-stale-batch"]))
    assert g.loss.item() == pytest.approx(right, rel=1e-4)
    assert all(torch.equal(a, b) for a, b in zip(before, state.G.parameters()))
