"""A discriminator that looks at several pictures together: minibatch deviation, and PacGAN's packs."""

import dataclasses

import pytest
import torch
from torch import nn

from gan_core.catalog import check
from gan_core.config import ModelConfig, from_mapping
from gan_core.errors import ConfigError
from gan_core.networks import NETWORKS, DiscriminatorOutput, Head, build_pair
from gan_core.networks.base import deviation
from gan_core.penalties import PENALTIES
from gan_core.training.batch_sampler import Batch
from gan_core.training.compute import ComputeConfig
from gan_core.training.distributed import DistributedContext
from gan_core.training.objective import Pack, objective_of
from gan_core.training.session import _check_shares, trial
from gan_core.training.setup import model_config
from gan_core.training.state import build_state
from gan_core.training.step import d_step, draw_fake, g_step, lazy_step

MODEL = ModelConfig(network="dcgan", size=16, channels=1, classes=0, latent=4, g_width=4, d_width=4,
                    conditioning="class-logits", d_norm="none")  # fmt: skip


def settings(**changes):
    return from_mapping({"steps": 1, "batch": 8, "dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4,
                         "conditional": False, "d_norm": "none", **changes})  # fmt: skip


def test_deviation_by_hand():
    """Groups of four in a row; the deviation of each feature over the group, then the mean over features."""
    first = torch.tensor([[0.0, 1.0], [2.0, 1.0], [0.0, 1.0], [2.0, 1.0]])  # deviations 1 and 0
    second = torch.tensor([[4.0, 0.0], [4.0, 6.0], [4.0, 0.0], [4.0, 6.0]])  # 0 and 3
    found = deviation(torch.cat([first, second]))
    assert found.shape == (8, 1)
    assert found[:, 0].tolist() == pytest.approx([0.5] * 4 + [1.5] * 4, abs=1e-3)


def test_the_slope_is_finite_where_all_pictures_are_alike():
    features = torch.ones(4, 3, requires_grad=True)
    deviation(features).sum().backward()
    assert features.grad.isfinite().all()


def test_the_head_looks_at_the_deviation_and_q_does_not():
    head = Head(2, dataclasses.replace(MODEL, d_minibatch_std=True, code_classes=3))
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[0.0, 0.0, 2.0]]))
        head.linear.bias.zero_()
    alike, varied = torch.ones(4, 2), torch.tensor([[1.0, 1.0], [3.0, 3.0]] * 2)
    assert head(alike, None).logits.tolist() == pytest.approx([0.0] * 4, abs=1e-3)
    assert head(varied, None).logits.tolist() == pytest.approx([2.0] * 4, abs=1e-3)
    assert torch.allclose(head(varied, None).codes[0], head(alike, None).codes[0])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("conditioning", ["projection", "concatenation", "auxiliary"])
def test_every_network_can_compare_and_groups_do_not_mix(name, conditioning):
    size = 32 if 32 in NETWORKS[name].sizes else NETWORKS[name].sizes[0]
    wanted = dataclasses.replace(MODEL, network=name, size=size, classes=3, conditioning=conditioning,
                                 d_minibatch_std=True)  # fmt: skip
    _, D = build_pair(wanted, seed=0)
    D.eval()
    labels = torch.arange(8) % 3
    pictures, changed = torch.rand(8, 1, size, size), None
    changed = pictures.clone()
    changed[3] = 0.0
    one, two = D(pictures, labels).logits, D(changed, labels).logits
    assert torch.allclose(one[4:], two[4:], atol=1e-6)
    assert not torch.equal(one[:3], two[:3]), "the others of the group notice"


def test_off_is_off():
    """The same weights by the same names, drawn in the same order."""
    plain = build_pair(MODEL, seed=3)[1].state_dict()
    same = build_pair(dataclasses.replace(MODEL, pack=1, d_minibatch_std=False), seed=3)[1].state_dict()
    assert plain.keys() == same.keys() and all(torch.equal(plain[name], same[name]) for name in plain)
    objective, _ = objective_of(settings(pack=1))
    pictures = torch.rand(4, 1, 16, 16)
    assert objective.augment(pictures) is pictures


def test_a_pack_is_its_pictures_one_after_the_other():
    pictures = torch.arange(6.0)[:, None, None, None].expand(6, 1, 2, 2)
    packs = Pack(3)(pictures)
    assert packs.shape == (2, 3, 2, 2) and packs[:, :, 0, 0].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    coloured = Pack(2)(torch.randn(4, 3, 2, 2))
    assert coloured.shape == (2, 6, 2, 2)


@pytest.mark.parametrize("changes", [
    {}, {"penalty": "r1"}, {"penalty": "gradient-penalty", "loss": "wasserstein"}, {"loss": "relativistic"},
    {"conditional": True, "conditioning": "concatenation"}, {"penalty": "r1-difference", "penalty_every": 2},
    {"loss": "hinge", "d_minibatch_std": True, "network": "r3"},
])  # fmt: skip
def test_steps_on_packs_give_a_logit_a_pack(changes):
    config = check(settings(pack=2, **changes))
    model = model_config(config)
    state, (objective, _) = build_state(config, model, ComputeConfig()), objective_of(config)
    labels = torch.arange(8) % 10 if config.conditional else None
    batch = Batch(torch.rand(8, 1, 16, 16), labels)
    fake = draw_fake(state, labels, 8)
    d = d_step(state, batch, fake, objective)
    lazy_step(state, batch, fake, objective)
    g = g_step(state, batch, fake, objective)
    assert d.real.shape == d.fake.shape == g.fake.shape == (4,)
    assert all(p.grad is not None for p in state.G.parameters())
    trial(config, ComputeConfig())()


class Plane(nn.Module):
    """A linear D of packs: its slope is w everywhere."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, pictures, labels=None):
        return DiscriminatorOutput((pictures.flatten(1) * self.w).sum(1), None)


def test_penalties_are_of_the_packs_slope():
    """R1 is half the squared length of the slope by all pictures of the pack, not by each of them."""
    w = torch.randn(2 * 9)
    pack, D = Pack(2), Plane(w)
    real, fake = pack(torch.randn(8, 1, 3, 3)), pack(torch.randn(8, 1, 3, 3))
    asked = ("r1", "gradient-penalty")
    found = {name: PENALTIES[name].function(D, real, fake, None).item() for name in asked}
    assert found["r1"] == pytest.approx(0.5 * w.square().sum().item())
    assert found["gradient-penalty"] == pytest.approx((w.norm() - 1).square().item(), rel=1e-4)


def test_a_pack_of_labels_reaches_d_as_planes_of_each_picture():
    config = settings(pack=2, conditional=True, conditioning="concatenation")
    _, D = build_pair(model_config(config), seed=0)
    packs = torch.rand(2, 2, 16, 16)
    plain = D(packs, torch.tensor([0, 1, 2, 3])).logits
    other = D(packs, torch.tensor([0, 1, 2, 4])).logits
    assert plain[0] == other[0] and plain[1] != other[1]


def test_what_does_not_divide_is_refused_in_one_sentence():
    cases = [({"pack": 3}, "at 3 pictures together, and 8"),
             ({"batch": 6, "d_minibatch_std": True}, "at 4 pictures together, and 6"),
             ({"pack": 2, "conditional": True}, "cannot be that of one label")]  # fmt: skip
    for changes, said in cases:
        with pytest.raises(ConfigError, match=said):
            check(settings(**changes))


@pytest.mark.parametrize("pack", [2, 4])
@pytest.mark.parametrize("network", ["dcgan", "dcgan-dense"])
def test_batch_norm_needs_two_packs(network, pack):
    """Over one pack alone there is no mean to take: torch refuses it in a dense layer."""
    few = settings(pack=pack, batch=pack, d_norm="batch", network=network)
    said = f"two of {pack} pictures, .* {pack} in all: .* of {2 * pack} or more"
    with pytest.raises(ConfigError, match=said):
        check(few)
    for better in ({"batch": 2 * pack}, {"d_norm": "none"}, {"d_norm": "spectral"}):
        trial(check(dataclasses.replace(few, **better)), ComputeConfig())()
    shared = dataclasses.replace(few, batch=2 * pack)
    _check_shares(shared, DistributedContext())
    with pytest.raises(ConfigError, match=f"{pack} in all"):
        _check_shares(shared, DistributedContext(world_size=2))
