"""How the label reaches G and D: planes, heads, gains of batch norm; each against its formula."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gan_core.checkpoints import export_generator
from gan_core.config import ModelConfig, from_mapping
from gan_core.directions import principal_directions
from gan_core.losses import LOSSES
from gan_core.networks import NETWORKS, Head, build_pair
from gan_core.networks.labels import ClassNorm, LabelPlanes
from gan_core.rules import applies, built
from gan_core.sampling import Sampler
from gan_core.training import model_config
from gan_core.training.batch_sampler import Batch
from gan_core.training.compute import ComputeConfig
from gan_core.training.objective import objective_of
from gan_core.training.state import build_state
from gan_core.training.step import Fake, Objective, d_step, draw_fake, g_step

MODEL = ModelConfig(network="dcgan-s2d", size=16, channels=1, classes=3, latent=4, g_width=4, d_width=4,
                    conditioning="class-logits")  # fmt: skip
BY_NORM = dataclasses.replace(MODEL, g_conditioning="batch-norm")
NORMED = [name for name, row in NETWORKS.items() if row.fixed.get("g_norm", "batch") == "batch"]


def settings(**changes):
    return from_mapping({"steps": 1, "batch": 6, "dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4,
                         **changes})  # fmt: skip


def shaken(G):
    """The classes' gains and offsets moved apart, as learning does."""
    chance = torch.Generator().manual_seed(0)
    for name, parameter in G.named_parameters():
        if name.endswith(("gain", "offset")):
            parameter.data += 0.5 * torch.randn(parameter.shape, generator=chance)
    return G


def test_planes_show_the_own_class_beside_the_picture():
    class Inside(nn.Module):
        def forward(self, pictures, labels):
            return pictures, labels

    pictures = torch.randn(2, 1, 4, 4)
    shown, labels = LabelPlanes(Inside(), 3)(pictures, torch.tensor([2, 0]))
    assert labels is None and torch.equal(shown[:, :1], pictures)
    assert [plane.unique().tolist() for plane in shown[0, 1:]] == [[0.0], [0.0], [1.0]]
    assert [plane.unique().tolist() for plane in shown[1, 1:]] == [[1.0], [0.0], [0.0]]


def test_auxiliary_by_hand():
    """Odena et al. 2017: one logit says real or fake, K others name the class, and no label is told."""
    head = Head(2, dataclasses.replace(MODEL, conditioning="auxiliary"))
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(torch.tensor([7.0, 1.0, 2.0, 3.0]))
    answer = head(torch.randn(2, 2), torch.tensor([0, 2]))
    assert answer.logits.tolist() == [7.0, 7.0] and answer.classes.tolist() == [[1.0, 2.0, 3.0]] * 2


def test_an_auxiliary_d_learns_the_classes_of_real_pictures_and_of_fakes():
    """Eq. 3 of the paper: log P(C = c | X_real) + log P(C = c | X_fake), on D's side."""
    model = dataclasses.replace(MODEL, conditioning="auxiliary", d_norm="none")
    config = settings(conditioning="auxiliary", class_weight=0.7)
    batch = Batch(torch.rand(6, 1, 16, 16), torch.arange(6) % 3)
    fake = torch.rand(6, 1, 16, 16)
    objective, _ = objective_of(config)
    state = build_state(config, model, ComputeConfig())
    D = copy.deepcopy(state.D)
    on_real, on_fake = D(batch.images, None), D(fake, None)
    loss = LOSSES["non-saturating"].d(on_real.logits, on_fake.logits)
    loss = loss + 0.7 * F.cross_entropy(on_real.classes, batch.labels)
    loss = loss + 0.7 * F.cross_entropy(on_fake.classes, batch.labels)
    expected = torch.autograd.grad(loss, list(D.parameters()))
    d_step(state, batch, Fake(fake, torch.zeros(6, 4)), objective)
    for parameter, gradient in zip(state.D.parameters(), expected):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-4, atol=1e-7)
    assert not objective_of(settings())[0].names_fakes, "a logit a class learns from real pictures alone"


def test_class_norm_by_hand():
    """gain of the class * (h - mean) / deviation + offset of the class."""
    norm = ClassNorm(nn.BatchNorm2d(2), 3)
    norm.gain.data = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    norm.offset.data = torch.tensor([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]])
    h = torch.randn(4, 2, 3, 3)
    variance = h.var((0, 2, 3), keepdim=True, correction=0)
    plain = (h - h.mean((0, 2, 3), keepdim=True)) / (variance + 1e-5).sqrt()
    norm.labels = torch.tensor([2, 0, 1, 2])
    out = norm(h)
    for row, label in enumerate(norm.labels.tolist()):
        expected = plain[row] * norm.gain[label].view(2, 1, 1) + norm.offset[label].view(2, 1, 1)
        assert torch.allclose(out[row], expected, atol=1e-5)


@pytest.mark.parametrize("name", NORMED)
def test_with_class_norms_the_label_changes_the_picture_and_nothing_else_hears_it(name):
    row = NETWORKS[name]
    size = 32 if 32 in row.sizes else row.sizes[0]
    G, _ = build_pair(dataclasses.replace(BY_NORM, network=name, size=size), seed=1)
    z, first, second = torch.randn(2, 4), torch.tensor([0, 0]), torch.tensor([1, 1])
    G.eval()
    assert torch.equal(G(z, first), G(z, second)), "all classes start alike"
    shaken(G)
    assert not torch.allclose(G(z, first), G(z, second))
    one_hot = F.one_hot(second, 3).float()
    assert torch.allclose(G(z, second), G(z, one_hot), atol=1e-6), "all of one class is that class"
    assert G(z, torch.full((2, 3), 1 / 3)).isfinite().all()
    assert not any(isinstance(m, nn.BatchNorm2d) and m.affine for m in G.modules())
    assert G.latent_map().shape[1] == 4
    G.train()
    G(z, first).sum().backward()
    assert all(p.grad is not None for p in G.parameters())


def test_every_class_learns_its_own_gains_only():
    state = build_state(settings(), BY_NORM, ComputeConfig())
    labels = torch.zeros(6, dtype=torch.int64)
    fake = draw_fake(state, labels, 6)
    objective = Objective(LOSSES["non-saturating"])
    g_step(state, Batch(torch.rand(6, 1, 16, 16), labels), fake, objective)
    gain = next(p for name, p in state.G.named_parameters() if name.endswith("gain"))
    assert (gain[0] != 1).any() and (gain[1:] == 1).all()
    assert all(m.labels is None for m in state.G.modules() if isinstance(m, ClassNorm))


def test_a_file_with_class_norms_says_so_and_draws_between_classes(tmp_path):
    G, _ = build_pair(BY_NORM, seed=0)
    shaken(G)
    export_generator(tmp_path / "g.safetensors", G, BY_NORM, {})
    sampler = Sampler.load(tmp_path / "g.safetensors")
    assert sampler.model == BY_NORM
    z = sampler.latents(1, 0).repeat(5, 1)
    t, one_hot = np.linspace(0, 1, 5, dtype=np.float32)[:, None], np.eye(3, dtype=np.float32)
    shares = (1 - t) * one_hot[0] + t * one_hot[1]
    pictures = sampler.pictures(z, shares).astype(int)
    assert np.array_equal(pictures[[0, 4]], sampler.pictures(z[:2], np.array([0, 1])))
    jumps = np.abs(np.diff(pictures, axis=0)).mean((1, 2, 3))
    assert 0 < jumps.max() < np.abs(pictures[0] - pictures[4]).mean(), "a way, not one jump"
    assert principal_directions(sampler, 4)[0].shape == (4, 4)


def test_first_layer_of_class_norms_is_measured_with_the_mean_gain():
    G, _ = build_pair(BY_NORM, seed=0)
    plain, _ = build_pair(dataclasses.replace(MODEL, classes=0), seed=0)
    assert torch.allclose(G.latent_map(), plain.latent_map())
    G.G.projection.norm.gain.data = torch.tensor([1.0, 2.0, 6.0])[:, None].expand(3, 8).clone()
    assert torch.allclose(G.latent_map(), 3 * plain.latent_map())


def test_settings_reach_the_networks():
    model = model_config(settings(g_conditioning="batch-norm", conditioning="concatenation"))
    assert model.g_conditioning == "batch-norm" and model.conditioning == "concatenation"
    assert built(settings(), "g_norm") == "batch"
    for choice, names in (("class-logits", True), ("auxiliary", True), ("projection", False),
                          ("concatenation", False)):  # fmt: skip
        assert applies("class_weight", settings(conditioning=choice)) == names
    assert not applies("class_weight", settings(conditional=False))
