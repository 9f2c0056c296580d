"""InfoGAN: codes in z, the head that reads them, what both networks gain, and the matched accuracy."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gan_core import scoring
from gan_core.checkpoints import export_generator, load_generator, read_tensors, save_tensors
from gan_core.cli import main
from gan_core.codes import NUMBERS_SHARE, assignment, code_loss, guessed, matched_accuracy
from gan_core.config import ModelConfig, from_mapping
from gan_core.data import load
from gan_core.errors import RunError, WeightsError
from gan_core.latent import noise_transform, sample_latents
from gan_core.networks import NETWORKS, Head, build_pair
from gan_core.rules import applies
from gan_core.runs import RunWriter, create_run
from gan_core.sampling import Sampler
from gan_core.scoring import classes_found, score_codes
from gan_core.training import model_config
from gan_core.training.batch_sampler import Batch
from gan_core.training.compute import ComputeConfig
from gan_core.training.objective import objective_of
from gan_core.training.record import SampleGrid
from gan_core.training.session import open_session
from gan_core.training.snapshot import FILE
from gan_core.training.state import build_state
from gan_core.training.step import Fake, d_step, draw_fake, g_step

MODEL = ModelConfig(network="dcgan-s2d", size=16, channels=1, classes=0, latent=9, g_width=4, d_width=4,
                    conditioning="class-logits", code_classes=3, code_numbers=2)  # fmt: skip


def settings(**changes):
    return from_mapping({"steps": 2, "batch": 8, "dataset": "glyphs", "size": 16, "g_width": 4, "d_width": 4,
                         "conditional": False, "latent": 4, "code_classes": 3, "code_numbers": 2, **changes,
                         })  # fmt: skip


def test_z_is_noise_then_a_one_hot_code_then_even_numbers():
    z = sample_latents(30_000, 9, seed=1, noise="gaussian", codes=(3, 2))
    free, code, even = z[:, :4], z[:, 4:7], z[:, 7:]
    assert z.shape == (30_000, 9) and free.std().item() == pytest.approx(1, rel=0.02)
    assert set(code.unique().tolist()) == {0.0, 1.0} and (code.sum(1) == 1).all()
    assert code.mean(0).tolist() == pytest.approx([1 / 3] * 3, abs=0.01)
    assert even.abs().max() <= 1 and even.std().item() == pytest.approx(3**-0.5, rel=0.02)
    assert torch.equal(z[:5], sample_latents(5, 9, 1, "gaussian", (3, 2))), "row i depends on (seed, i) only"
    assert torch.equal(free, sample_latents(30_000, 9, 1)[:, :4]), "and its noise is what it would be anyway"
    assert torch.corrcoef(torch.cat([free, code[:, :1], even], 1).T).fill_diagonal_(0).abs().max() < 0.03
    uniform = noise_transform("uniform", 3, 2)(torch.randn(100, 9))
    assert uniform[:, :4].abs().max() <= 1 and (uniform[:, 4:7].sum(1) == 1).all()
    only_numbers = noise_transform("gaussian", 0, 2)(torch.randn(100, 9))
    assert only_numbers.shape == (100, 9) and only_numbers[:, 7:].abs().max() <= 1


def test_the_loss_by_hand():
    """Cross-entropy of the code, and a tenth of the normal's surprise, summed over both numbers."""
    assert NUMBERS_SHARE == 0.1
    z = torch.tensor([[9.0, 0.0, 1.0, 0.5, -0.5], [9.0, 1.0, 0.0, 0.0, 1.0]])
    answer = torch.tensor([[0.0, 2.0, 0.5, 0.0, 0.0, math.log(0.5)], [0.0, 2.0, 1.0, 1.0, math.log(3), 0.0]])
    entropy = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2))) / 2

    def surprise(x, mean, deviation):
        return math.log(deviation * math.sqrt(2 * math.pi)) + (x - mean) ** 2 / (2 * deviation**2)

    first = surprise(0.5, 0.5, 1) + surprise(-0.5, 0, 0.5)
    second = surprise(0, 1, 3) + surprise(1, 1, 1)
    expected = entropy + NUMBERS_SHARE * (first + second) / 2
    assert code_loss(answer, z, 2).item() == pytest.approx(expected, rel=1e-5)
    assert code_loss(answer[:, :2], z[:, :3], 2).item() == pytest.approx(entropy, rel=1e-5)
    numbers = code_loss(answer[:, 2:], z, 0).item()
    assert numbers == pytest.approx(NUMBERS_SHARE * (first + second) / 2, rel=1e-5)
    assert code_loss(torch.zeros(2, 2), z[:, :3], 2).item() == pytest.approx(math.log(2)), "a mere guess"


def test_logits_of_the_code_have_no_bounds():
    """A popular repository puts a softmax before the cross-entropy, which has one of its own."""
    head = Head(4, MODEL).eval()
    assert head(1000 * torch.randn(50, 4), None).codes.abs().max() > 1.5


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_answers_and_both_sides_learn_from_the_answer(name):
    """The gradient of the codes alone reaches Q, D's trunk and all of G: elsewhere it gets lost."""
    sizes = NETWORKS[name].sizes
    G, D = build_pair(dataclasses.replace(MODEL, network=name, size=32 if 32 in sizes else sizes[0]), seed=0)
    z = sample_latents(8, 9, 1, codes=(3, 2))
    answer = D(G(z)).codes
    assert answer.shape == (8, 3 + 2 * 2)
    code_loss(answer, z, 3).backward()
    assert [n for n, p in G.named_parameters() if p.grad is None or p.grad.isnan().any()] == []
    assert sum(p.grad.abs().sum() for p in G.parameters()) > 0
    outside = [n for n, p in D.named_parameters() if p.grad is None]
    assert all("head.linear" in n for n in outside), "all but the logit itself"


def test_the_term_is_in_both_steps_and_each_moves_its_own_network():
    quiet, loud = settings(code_weight=0.0), settings(code_weight=2.0)
    batch = Batch(torch.rand(8, 1, 16, 16) * 2 - 1, None)
    moved = {}
    for config in (quiet, loud):
        state, (objective, _) = build_state(config, MODEL, ComputeConfig()), objective_of(config)
        fake = draw_fake(state, None, 8)
        assert fake.z.shape == (8, 9)
        d_step(state, batch, fake, objective)
        q = [p.grad for name, p in state.D.named_parameters() if "q_head" in name]
        assert all(g is None for g in q) == (config is quiet)
        on_fake = state.D(fake.pictures, None)
        adversarial = objective.loss.g(torch.zeros(8), on_fake.logits)
        total = adversarial + config.code_weight * code_loss(on_fake.codes, fake.z, 3)
        expected = torch.autograd.grad(total, list(state.G.parameters()), retain_graph=True)
        g_step(state, batch, fake, objective)
        for parameter, gradient in zip(state.G.parameters(), expected):
            assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-6)
        moved[config.code_weight] = torch.cat([p.grad.flatten() for p in state.G.parameters()])
    assert not torch.allclose(moved[0.0], moved[2.0])


def test_q_learns_to_read_a_code_that_is_plain_to_see():
    config = settings(code_numbers=0, lr_d=5e-3)
    model = model_config(config)
    state, (objective, _) = build_state(config, model, ComputeConfig()), objective_of(config)
    batch = Batch(torch.rand(8, 1, 16, 16) * 2 - 1, None)
    for _ in range(60):
        z = state.draw_z(8)
        shown = z[:, 4:].argmax(1).float().view(-1, 1, 1, 1) - 1
        d_step(state, batch, Fake(shown.expand(8, 1, 16, 16), z), objective)
    code = torch.arange(3).float().view(-1, 1, 1, 1) - 1
    with torch.no_grad():
        answer = state.D(code.expand(3, 1, 16, 16).repeat(4, 1, 1, 1)).codes
    assert guessed(answer, 3).tolist() == [0, 1, 2] * 4


def test_off_is_off():
    plain = dataclasses.replace(MODEL, code_classes=0, code_numbers=0)
    older = {name: value for name, value in dataclasses.asdict(plain).items() if not name.startswith("code_")}
    one, two = build_pair(plain, seed=3), build_pair(ModelConfig(**older), seed=3)
    for a, b in zip(one, two):
        assert a.state_dict().keys() == b.state_dict().keys()
        assert all(torch.equal(a.state_dict()[name], b.state_dict()[name]) for name in a.state_dict())
    assert not any("q_head" in name for name in one[1].state_dict())
    assert torch.equal(sample_latents(4, 6, 2), sample_latents(4, 6, 2, "gaussian", (0, 0)))
    assert not applies("code_weight", settings(code_classes=0, code_numbers=0))
    assert applies("code_weight", settings(code_classes=0)) and settings().codes == 5


def test_a_file_with_codes_says_so_and_draws_by_them(tmp_path):
    G, _ = build_pair(MODEL, seed=0)
    path = tmp_path / "g.safetensors"
    export_generator(path, G, MODEL, {})
    sampler = Sampler.load(path)
    z = sampler.latents(6, 4)
    assert sampler.model == MODEL and z.shape == (6, 9) and (z[:, 4:7].sum(1) == 1).all()
    assert sampler.pictures(z).shape == (6, 1, 16, 16)
    for codes in ({"code_classes": 9}, {"code_numbers": -1}, {"code_classes": "3"}):
        header = {"format": "gan_core.generator", "schema": "1",
                  "model": json.dumps(dataclasses.asdict(MODEL) | codes)}  # fmt: skip
        save_tensors(path, G.state_dict(), header)
        with pytest.raises(WeightsError, match="asks for a network"):
            load_generator(path)


def test_the_grid_shows_one_value_of_the_code_a_column():
    sample_grid = SampleGrid(MODEL, seed=0)
    assert sample_grid.columns == 3 and sample_grid.labels is None
    assert sample_grid.z[:, 4:7].argmax(1).tolist() == [0, 1, 2] * (len(sample_grid.z) // 3)


@pytest.mark.parametrize("seed", range(8))
def test_assignment_is_the_cheapest_of_all(seed):
    costs = np.random.default_rng(seed).integers(-9, 10, (5, 5)).astype(float)
    chosen = assignment(costs)
    assert sorted(chosen) == list(range(5))
    best = min(sum(costs[i, p[i]] for i in range(5)) for p in itertools.permutations(range(5)))
    assert costs[np.arange(5), chosen].sum() == pytest.approx(best)


def test_matched_accuracy_by_hand():
    labels = np.array([0, 0, 1, 1, 2, 2, 2, 2])
    assert matched_accuracy((labels + 1) % 3, labels, 3) == 1.0, "names do not matter"
    # code 0 is the best for 2 (3 of 4) and for 0 (2 of 2); it may stand for one class only
    guesses = np.array([0, 0, 1, 2, 0, 0, 0, 2])
    assert matched_accuracy(guesses, labels, 3) == pytest.approx((3 + 1 + 0) / 8)
    assert matched_accuracy(np.zeros(8, dtype=int), labels, 3) == 0.5, "one code for all is its largest class"
    chance = np.random.default_rng(0).integers(0, 10, (2, 20_000))
    assert matched_accuracy(chance[0], chance[1], 10) < 0.13


@pytest.fixture
def taught(tmp_path):
    """A run whose D was taught to read digit k as code k + 3, and the share that it reads so at both of its
    checkpoints: after 20 batches, which its scores call the best, and after 20 more."""
    config = settings(code_classes=10, code_numbers=0, threads=1, precision="fp32",
                      memory_format="contiguous")  # fmt: skip
    run = create_run(tmp_path, config, "glyphs")
    session = open_session(config, RunWriter(run), resume=False)
    state, pictures = session.state, load("glyphs", size=16)
    for lesson in range(40):
        some = slice(100 * lesson, 100 * lesson + 100)
        state.d_optimizer.zero_grad()
        codes = state.D(torch.from_numpy(pictures.images[some].copy()) / 127.5 - 1).codes
        F.cross_entropy(codes, torch.from_numpy(pictures.labels[some] + 3) % 10).backward()
        state.d_optimizer.step()
        if lesson in (19, 39):
            state.step += 1
            session.save()
    session.export(), session.export(best=True)
    for step, best in ((1, True), (2, False)):
        session.writer.score({"step": step, "best": best})
    return run, [read_well(session.model, run.checkpoint(step)) for step in (1, 2)]


def read_well(model, folder):
    """The share of test pictures whose digit the saved D reads as its code, the first 10 of its answers."""
    _, D = build_pair(model)
    kept = {name[2:]: value for name, value in read_tensors(folder / FILE).items() if name.startswith("D.")}
    D.load_state_dict(kept)
    pictures = load("glyphs", size=16, split="test")
    with torch.no_grad():
        codes = D.eval()(torch.from_numpy(pictures.images.copy()) / 127.5 - 1).codes
    return (codes.argmax(1).numpy() == (pictures.labels + 3) % 10).mean()


def test_a_run_with_codes_is_scored_by_its_checkpoint(tmp_path, taught):
    run, (first, last) = taught
    assert 0.5 < first < last - 0.02, "both read most digits, and not equally well"
    assert score_codes(run) == pytest.approx(last) and score_codes(run, best=True) == pytest.approx(first)
    assert classes_found(run) == {"matched_accuracy": score_codes(run)}
    run.config.unlink()
    assert classes_found(run) == {}, "a generator alone has no D to ask"
    other = create_run(tmp_path, settings(), "glyphs")
    with pytest.raises(RunError, match="no checkpoint with a code of 10 kinds"):
        score_codes(other)
    assert classes_found(other) == {}


def test_the_score_of_an_infogan_run_names_the_matched_accuracy(taught, monkeypatch, capsys):
    run, (first, last) = taught
    monkeypatch.setattr(scoring, "score_generator", lambda sampler, **about: {"confidence": 0.5})
    for flags, accuracy in (([], last), (["--best"], first)):
        assert main(["score", str(run.path), *flags]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == ["confidence", "matched_accuracy"]
        assert float(lines[1].split()[1]) == pytest.approx(accuracy, rel=1e-4)
    for source, flags in ((run.generator, []), (run.path, ["--dataset", "mnist"])):
        assert main(["score", str(source), *flags]) == 0
        assert "matched_accuracy" not in capsys.readouterr().out
