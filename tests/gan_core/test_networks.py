"""Every network at every size it claims, with and without labels."""

import itertools

import pytest
import torch
from torch import nn

from gan_core.catalog import choices
from gan_core.config import ModelConfig
from gan_core.networks import NETWORKS, build_pair
from gan_core.networks.base import Head, to_pixels
from gan_core.networks.labels import ClassNorm

SHAPES = [(name, size) for name, row in NETWORKS.items() for size in row.sizes]


def model(**changes):
    sizes = NETWORKS[changes.get("network", "dcgan")].sizes
    base = {"network": "dcgan", "size": 32 if 32 in sizes else sizes[0], "channels": 1, "classes": 0,
            "latent": 8, "g_width": 4, "d_width": 4, "conditioning": "class-logits"}  # fmt: skip
    return ModelConfig(**{**base, **changes})


@pytest.mark.parametrize(("name", "size"), SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("classes", "conditioning"), [(0, "class-logits"), *((5, choice) for choice in choices("conditioning"))]
)
def test_shapes(name, size, channels, classes, conditioning):
    wanted = model(network=name, size=size, channels=channels, classes=classes, conditioning=conditioning)
    G, D = build_pair(wanted, seed=0)
    labels = torch.arange(6) % classes if classes else None
    pictures = G(torch.randn(6, 8), labels)
    assert pictures.shape == (6, channels, size, size)
    assert pictures.abs().max() <= 1
    output = D(pictures, labels)
    assert output.logits.shape == (6,)
    if classes and conditioning in ("class-logits", "auxiliary"):
        assert output.classes.shape == (6, classes)
    else:
        assert output.classes is None


@pytest.mark.parametrize("name", [name for name, size in SHAPES if size != 1])
def test_pixels_have_a_slope_in_bf16(name):
    G, _ = build_pair(model(network=name), seed=0)
    with torch.autocast("cpu", torch.bfloat16):
        assert G(torch.randn(4, 8)).dtype == torch.float32
        h = torch.full((1,), 4.0, dtype=torch.bfloat16, requires_grad=True)
        to_pixels(h).sum().backward()
    assert h.grad.item() == pytest.approx(1 - torch.tensor(4.0).tanh().item() ** 2, rel=0.01)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_label_reaches_both(name):
    for conditioning in set(choices("conditioning")) - {"auxiliary"}:  # whose D is not told, but asked
        G, D = build_pair(model(network=name, classes=3, conditioning=conditioning), seed=1)
        G.eval(), D.eval()
        z = torch.randn(32, 8)  # enough that not every ReLU of the smallest is shut
        zero, one = torch.zeros(32, dtype=torch.long), torch.ones(32, dtype=torch.long)
        assert not torch.equal(G(z, zero), G(z, one))
        size = model(network=name).size
        picture = torch.rand(32, 1, size, size)
        assert not torch.equal(D(picture, zero).logits, D(picture, one).logits)


@pytest.mark.parametrize("name", NETWORKS)
def test_in_eval_mode_a_picture_depends_on_its_own_z_alone(name):
    G, _ = build_pair(model(network=name), seed=2)
    G.eval()
    z = torch.randn(7, 8)
    assert torch.allclose(G(z)[3:4], G(z[3:4]), atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_gets_a_gradient(name):
    for classes, conditioning in itertools.product((0, 4), choices("conditioning")):
        G, D = build_pair(model(network=name, classes=classes, conditioning=conditioning), seed=3)
        labels = torch.arange(4) % classes if classes else None
        output = D(G(torch.randn(4, 8), labels), labels)
        total = output.logits.square().sum()
        if output.classes is not None:
            total = total + output.classes.square().sum()
        total.backward()
        unused = [n for n, p in [*G.named_parameters(), *D.named_parameters()] if p.grad is None]
        assert unused == []


def test_class_logits_take_the_logit_of_the_own_label():
    head = Head(2, model(classes=3))
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(torch.arange(6.0))
    answer = head(torch.randn(4, 2), torch.tensor([2, 0, 1, 2]))
    assert answer.logits.tolist() == [2.0, 0.0, 1.0, 2.0]
    assert answer.classes.tolist() == [[3.0, 4.0, 5.0]] * 4


def test_projection_by_hand():
    """Miyato & Koyama 2018, eq. 4: psi(phi(x)) + <v_y, phi(x)>."""
    head = Head(2, model(classes=2, conditioning="projection"))
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[1.0, 2.0]]))
        head.linear.bias.fill_(0.5)
        head.embedding.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
    features = torch.tensor([[3.0, 4.0], [3.0, 4.0]])
    assert head(features, torch.tensor([0, 1])).logits.tolist() == [14.5, 7.5]


def test_same_seed_same_weights_and_dcgan_spread():
    one, _ = build_pair(model(g_width=64), seed=5)
    two, _ = build_pair(model(g_width=64), seed=5)
    other, _ = build_pair(model(g_width=64), seed=6)
    weights = [net.state_dict()["ups.0.0.weight"] for net in (one, two, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert weights[0].std().item() == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize("width", [7, 28, 44])
def test_r3_takes_any_width_in_groups_of_about_16(width):
    """Uneven groups are refused by torch, so they are made a little larger; even ones stay as they were."""
    G, D = build_pair(model(network="r3", g_width=width, d_width=width), seed=0)
    assert D(G(torch.randn(2, 8))).logits.shape == (2,)
    for block in [*G.blocks, *D.blocks]:
        wide, groups = block.two.in_channels, block.two.groups
        fitting = [count for count in range(1, max(1, wide // 16) + 1) if wide % count == 0]
        assert groups == fitting[-1]
    even, _ = build_pair(model(network="r3", g_width=width // 4 * 8 + 8), seed=0)
    assert all(block.two.in_channels == 16 * block.two.groups for block in even.blocks)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_below_zero_keeps_the_share_that_was_published(name, monkeypatch):
    """A fifth, a tenth in sndcgan; torch takes a hundredth where nothing is said."""
    shares, leaky_relu = [], nn.functional.leaky_relu

    def spy(h, negative_slope=0.01, inplace=False):
        shares.append(negative_slope)
        return leaky_relu(h, negative_slope, inplace)

    monkeypatch.setattr(nn.functional, "leaky_relu", spy)
    G, D = build_pair(model(network=name, channels=2 if NETWORKS[name].sizes == (1,) else 1), seed=0)
    pictures = G(torch.randn(4, 8))
    assert set(shares) <= ({0.0} if name == "mlp-2d" else {0.2})
    shares.clear()
    D(pictures)
    assert set(shares) == {"sndcgan": {0.1}, "resnet": set()}.get(name, {0.2})


def test_batch_norm_epsilon_is_small():
    """A popular repository passes 0.8 where epsilon stands."""
    for name in NETWORKS:
        for net in build_pair(model(network=name), seed=0):
            for layer in net.modules():
                assert getattr(layer, "eps", 0) < 1e-3


def first_layer(G, z, labels):
    """What the first linear layer makes of z, after its norm if one follows, features last: (N, width)."""
    inside = {part for norm in G.modules() if isinstance(norm, ClassNorm) for part in norm.children()}
    whole = (module for module in G.modules() if isinstance(module, ClassNorm) or not list(module.children()))
    seen = []
    hooks = [
        module.register_forward_hook(lambda module, _, out: seen.append((module, out)))
        for module in whole if module not in inside
    ]  # fmt: skip
    G(z, labels)
    for hook in hooks:
        hook.remove()
    (first, out), (second, after) = seen[:2]
    assert isinstance(first, nn.Linear)
    if isinstance(second, (nn.BatchNorm1d, nn.BatchNorm2d, ClassNorm)):
        out = after
    return (out.permute(0, 2, 3, 1) if out.ndim == 4 else out).flatten(1)


@pytest.mark.parametrize(
    ("classes", "g_conditioning"), [(0, "concatenation"), (3, "concatenation"), (3, "batch-norm")]
)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_latent_map_is_the_slope_of_the_first_layer_and_its_norm(name, classes, g_conditioning):
    """Against the Jacobian, with statistics and gains as they are after training: unlike for each feature."""
    G, _ = build_pair(model(network=name, classes=classes, g_conditioning=g_conditioning), seed=0)
    torch.manual_seed(1)
    with torch.no_grad():
        for key, value in G.state_dict().items():
            if key.endswith("running_var"):
                value.uniform_(0.1, 4.0)
        for norm in G.modules():
            if isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d)) and norm.affine:
                norm.weight.normal_()
            elif isinstance(norm, ClassNorm):
                norm.gain.normal_()
    G.eval()
    shares = torch.full((1, classes), 1 / classes) if classes else None  # of all classes the same
    slope = torch.autograd.functional.jacobian(lambda z: first_layer(G, z, shares)[0], torch.randn(1, 8))
    assert torch.allclose(G.latent_map(), slope[:, 0], atol=1e-6)
