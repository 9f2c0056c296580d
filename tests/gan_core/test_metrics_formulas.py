"""The formulas of gan_core.metrics at values computed by hand; altered copies of them must be found out."""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gan_core.metrics import coverage, frechet, manifold
from gan_core.metrics.inputs import Features, MetricInput


def cross(spread_x: float, spread_y: float, centre: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Four points with exactly this mean and the covariance diag(2/3 spread_x^2, 2/3 spread_y^2)."""
    return np.array([[spread_x, 0], [-spread_x, 0], [0, spread_y], [0, -spread_y]]) + np.array(centre)


def seen(labels: list[int], asked: list[int] | None = None, sure: float = 1.0) -> Features:
    """Pictures read as `labels` out of three classes, each with probability `sure`."""
    probabilities = np.full((len(labels), 3), (1 - sure) / 2)
    probabilities[np.arange(len(labels)), labels] = sure
    return Features(np.zeros((len(labels), 2)), probabilities, None if asked is None else np.array(asked))


def placed(points: list[list[float]]) -> Features:
    """Pictures at these places in feature space."""
    return Features(np.array(points, dtype=float), np.ones((len(points), 1)))


def inputs(made: Features, real: Features) -> MetricInput:
    return MetricInput(made, real, real)


def facts_of_frechet(module: Any) -> None:
    a, b = cross(3, 6), cross(9, 3, centre=(1, -2))
    by_hand = (1 + 4) + 2 / 3 * ((9 - 3) ** 2 + (3 - 6) ** 2)  # diagonal: sum of (sigma_a - sigma_b)^2
    assert module.frechet_distance(a, b) == pytest.approx(by_hand, rel=1e-9)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(400, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=(300, 5)) + 0.5
    assert module.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert module.frechet_distance(x, y) == pytest.approx(module.frechet_distance(y, x), rel=1e-9)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert module.frechet_distance(x @ turn, y @ turn) == pytest.approx(
        module.frechet_distance(x, y), rel=1e-9
    )
    s, t = np.cov(x.T), np.cov(y.T)
    product = np.sqrt(np.linalg.eigvals(s @ t).astype(complex)).real.sum()
    direct = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s + t) - 2 * product
    assert module.frechet_distance(x, y) == pytest.approx(direct, rel=1e-9)


def facts_of_coverage(module: Any) -> None:
    p, q = np.array([2, 1, 1]), np.array([1, 2, 1])
    assert module.divergence(p, q) == pytest.approx(0.25 * math.log(2))  # .5 ln 2 + .25 ln .5
    assert module.divergence(np.array([3, 1]), np.array([1, 1])) == pytest.approx(
        0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    )
    assert module.divergence(p, p) == 0
    assert module.divergence(np.array([1, 0]), np.array([1, 1])) == pytest.approx(math.log(2))
    assert module.divergence(np.array([1, 1]), np.array([1, 0])) == math.inf
    real = seen([0, 0, 1, 1, 2, 2], asked=[0, 0, 0, 0, 1, 2])
    made = seen([0, 0, 0, 1], asked=[0, 0, 1, 1], sure=0.7)
    by_hand = 0.75 * math.log(0.75 / (4 / 6)) + 0.25 * math.log(0.25 / (1 / 6))  # against the real labels
    assert module.class_kl(inputs(made, real)) == pytest.approx(by_hand)
    assert module.classes(inputs(made, real)) == 2
    assert module.confidence(inputs(made, real)) == pytest.approx(0.7)
    assert module.agreement(inputs(made, real)) == 0.75
    assert module.agreement(inputs(seen([0]), real)) is None
    assert module.classes(inputs(seen([0] * 98 + [1, 2]), real)) == 1  # one in a hundred is not enough


def facts_of_manifold(module: Any) -> None:
    line = [[0.0, 0], [1, 0], [2, 0], [3, 0]]  # third neighbours at 3, 2, 2, 3
    points = [[-2.9, 0], [-3.1, 0], [1, 1.9], [5.9, 0], [6.1, 0], [1, 2.9], [1.5, 2.2], [1.5, 2.7]]
    inside = [module.share_inside(np.array([point]), np.array(line)) for point in points]
    assert inside == [1, 0, 1, 1, 0, 0, 1, 0]
    assert module.share_inside(np.array(points), np.array(line)) == 0.5
    assert module.share_inside(np.array([[-3.0, 0]]), np.array(line)) == 1  # on the edge of a ball
    # the same ball by the nearest other centre only: radii 1
    assert module.share_inside(np.array([[1, 0.9], [1, 1.1]]), np.array(line), neighbour=1) == 0.5
    real = placed(line + [[100, 0], [101, 0], [102, 0], [103, 0]])
    half = placed([[0.5, 0], [1, 0.5], [1.5, 0], [2, 0.5], [0, 0.5], [2.5, 0], [1, 0], [1.2, 0.1]])
    assert module.precision(inputs(half, real)) == 1
    assert module.recall(inputs(half, real)) == 0.5
    assert module.precision(inputs(real, half)) == 0.5  # the two change places
    assert module.recall(inputs(real, half)) == 1
    # 12 points, 5 away from a line of 400: outside its small balls, within the large ones of any 12 of it
    many, few = placed([[x, 0] for x in range(400)]), placed([[x, 5] for x in range(100, 400, 25)])
    assert module.share_inside(few.features, many.features) == 0
    assert module.precision(inputs(few, many)) == module.recall(inputs(many, few)) == 1


FACTS: list[tuple[types.ModuleType, Callable[[Any], None]]] = [
    (frechet, facts_of_frechet), (coverage, facts_of_coverage), (manifold, facts_of_manifold),
]  # fmt: skip
MUTANTS = [
    (frechet, facts_of_frechet, "- 2 * cross", "+ 2 * cross"),
    (frechet, facts_of_frechet, "- 2 * cross", "- cross"),
    (frechet, facts_of_frechet, "np.sqrt(variances.clip(min=0))", "variances.clip(min=0)"),
    (frechet, facts_of_frechet, "cross = np.sqrt(", "cross = np.abs("),
    (frechet, facts_of_frechet, "gap @ gap", "np.sqrt(gap @ gap)"),
    (frechet, facts_of_frechet, "rows - rows.mean(axis=0)", "rows"),
    (frechet, facts_of_frechet, "(len(rows) - 1)", "len(rows)"),
    (coverage, facts_of_coverage, "p * np.log(p / q)", "np.log(p / q)"),
    (coverage, facts_of_coverage, "p * np.log(p / q)", "p * np.log(q / p)"),
    (coverage, facts_of_coverage, "p * np.log(p / q)", "p * np.log2(p / q)"),
    (coverage, facts_of_coverage, "(generated > 0) & (generated >= ENOUGH * real)", "generated > 0"),
    (coverage, facts_of_coverage, "inputs.real.read if", "inputs.real.read if True or"),
    (coverage, facts_of_coverage, "probabilities.max(", "probabilities.mean("),
    (manifold, facts_of_manifold, "neighbour + 1", "neighbour"),
    (manifold, facts_of_manifold, ".any(dim=1)", ".all(dim=1)"),
    (manifold, facts_of_manifold, "alpha=-2", "alpha=-1"),
    (manifold, facts_of_manifold, "share_inside(generated, real)", "share_inside(real, generated)"),
    (manifold, facts_of_manifold, "share_inside(real, generated)", "share_inside(generated, real)"),
    (manifold, facts_of_manifold, "len(inputs.generated), ", ""),
    (manifold, facts_of_manifold, ", len(inputs.real))", ")"),
]


@pytest.mark.parametrize(("module", "facts"), FACTS, ids=lambda value: value.__name__.split(".")[-1])
def test_formula(module: types.ModuleType, facts: Callable[[Any], None]) -> None:
    facts(module)


@pytest.mark.parametrize(("module", "facts", "old", "new"), MUTANTS)
def test_mutant_falls(module: types.ModuleType, facts: Callable[[Any], None], old: str, new: str) -> None:
    source = inspect.getsource(module)
    assert source.count(old) == 1
    mutant = types.ModuleType("mutant")
    exec(source.replace(old, new), mutant.__dict__)
    with pytest.raises(AssertionError), np.errstate(all="ignore"):
        facts(mutant)


def test_frechet_of_clouds_without_full_rank_is_finite() -> None:
    flat = np.zeros((5, 8))
    flat[:, 0] = [0, 1, 2, 3, 4]
    assert frechet.frechet_distance(flat, flat + 2) == pytest.approx(8 * 4)


def test_no_more_pictures_are_compared_than_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    monkeypatch.setattr(manifold, "AT_MOST", 10)
    monkeypatch.setattr(manifold, "share_inside", lambda *clouds: sizes.append([len(c) for c in clouds]))
    made, real = (placed([[float(x), 0] for x in range(count)]) for count in (30, 20))
    manifold.precision(inputs(made, real)), manifold.recall(inputs(made, real))
    assert sizes == [[10, 10]] * 2


def test_order_of_pictures_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    features, order = rng.normal(size=(200, 6)), rng.permutation(200)
    made, mixed = (Features(f, np.ones((200, 1))) for f in (features, features[order]))
    real = Features(rng.normal(size=(150, 6)), np.ones((150, 1)))
    assert frechet.frechet(inputs(made, real)) == pytest.approx(frechet.frechet(inputs(mixed, real)))


def test_sample_is_fixed_mixed_and_keeps_rows_together() -> None:
    features = np.arange(100.0).reshape(100, 1)
    everything = Features(features, features, np.arange(100))
    some = everything.sample(10)
    assert len(some) == 10 and everything.sample(200) is everything
    assert (some.features[:, 0] == some.labels).all() and (some.probabilities[:, 0] == some.labels).all()
    assert (some.features == everything.sample(10).features).all()
    assert some.features.max() > 50  # not the first ten: pictures often come sorted by class


def test_real_pictures_asked_the_same_question() -> None:
    rng = np.random.default_rng(4)
    made, real, other = (
        Features(rng.normal(size=(n, 3)) + m, np.ones((n, 1))) for n, m in ((50, 9), (80, 0), (70, 0))
    )
    question = MetricInput(made, real, other).if_real()
    assert len(question.generated) == 50 and question.real is other
    ratio = frechet.frechet(MetricInput(made, real, other)) / frechet.frechet(question)
    assert frechet.frechet_over_floor(MetricInput(made, real, other)) == pytest.approx(ratio)
    assert ratio > 100
