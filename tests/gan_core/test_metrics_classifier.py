"""The shipped classifiers, their files, and the scores that they give."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gan_core.metrics as metrics
from gan_core import data
from gan_core.checkpoints import read_header, read_tensors, save_tensors
from gan_core.errors import DataError, WeightsError
from gan_core.metrics import METRICS, FeatureExtractor, classifiers, real_labels, reference, score
from gan_core.metrics.classifier import (
    WEIGHTS,
    ClassifierNetwork,
    ClassifierShape,
    read_classifier,
    save_classifier,
)

PROMISED = {"mnist": 0.992, "fashion-mnist": 0.92}
BESIDE_THE_REPOSITORY = str(Path(__file__).resolve().parents[3] / "shared" / "data")
FEW = 600


@pytest.fixture
def few_glyphs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[data.Pictures]:
    """The "mnist" of this test is 600 drawn digits and 600 others; gives the training split."""

    def load(name: str, *, split: str, **about: Any) -> data.Pictures:
        assert name == "mnist"
        every = data.load("glyphs", split=split)
        return dataclasses.replace(every, images=every.images[:FEW], labels=every.labels[:FEW])

    def forget() -> None:
        reference.extract_real_features.cache_clear()
        metrics._of_real_pictures.cache_clear()

    train = load("mnist", split="train")
    monkeypatch.setattr(reference, "load", load)
    monkeypatch.setattr(reference, "cache_folder", lambda: tmp_path)
    forget()
    yield train
    forget()


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_shipped_classifier_keeps_its_promise(name: str) -> None:
    path = WEIGHTS / f"classifier-{name}.safetensors"
    extractor = FeatureExtractor.load(name)
    assert path.stat().st_size <= 2_000_000
    assert extractor.info["dataset"] == name and extractor.info["classes"] == list(
        data.DATASETS[name].classes
    )
    assert {"schema", "architecture", "seed", "epochs"} <= set(extractor.info)
    assert extractor.info["test_accuracy"] >= PROMISED[name]
    root = next((root for root in ("", BESIDE_THE_REPOSITORY) if data.available(name, root)), None)
    if root is not None:  # 2,000 of the pictures that the stated figure comes from
        test = data.load(name, split="test", root=root)
        chosen = np.sort(np.random.default_rng(0).permutation(len(test.labels))[:2000])
        read = extractor(test.images[chosen])[1].argmax(axis=1)
        assert (read == test.labels[chosen]).mean() == pytest.approx(
            extractor.info["test_accuracy"], abs=0.015
        )


def test_drawn_digits_are_read_as_what_they_are() -> None:
    glyphs = data.load("glyphs", split="test")
    read = FeatureExtractor.load("mnist")(glyphs.images[:300])[1].argmax(axis=1)
    assert (read == glyphs.labels[:300]).mean() > 0.5


def test_words_of_the_classifier() -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 1, 32, 32), dtype=np.uint8)
    extractor = FeatureExtractor.load("mnist")
    features, probabilities = extractor(images)
    assert features.shape == (7, 128) and features.dtype == np.float64 and features.min() >= 0
    assert probabilities.shape == (7, 10) and probabilities.sum(axis=1) == pytest.approx(1)
    alone, _ = extractor(images[3:4])
    assert alone[0] == pytest.approx(features[3], abs=1e-4)  # the company of a picture does not matter
    large = images.repeat(2, axis=2).repeat(2, axis=3)
    assert extractor(np.full_like(large, 255))[0] == pytest.approx(
        extractor(np.full_like(images, 255))[0], abs=1e-3
    )
    assert extractor is FeatureExtractor.load("mnist")
    assert extractor(images[:0])[0].shape == (0, 128)


def test_28_pixels_are_classified_at_the_size_that_they_have_among_real_ones(tmp_path: Path) -> None:
    """Enlarged to 32, digits would be a seventh larger than real ones, which get a border."""
    digits = data.load("glyphs", split="test").images[:FEW]
    small = np.ascontiguousarray(digits[:, :, 2:30, 2:30])
    same = np.zeros_like(digits)
    same[:, :, 2:30, 2:30] = small
    for extractor in (FeatureExtractor.load("mnist"), FeatureExtractor.untrained(1)):
        assert (extractor(small)[0] == extractor(same)[0]).all() and (
            extractor(small)[1] == extractor(same)[1]
        ).all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "cache_folder", lambda: tmp_path)
        seen = [
            reference.extract_features(extractor, images, np.zeros(FEW)).features for images in (small, same)
        ]
    assert (seen[0] == seen[1]).all() and len(list(tmp_path.iterdir())) == 1, "what is kept is kept once"
    assert metrics.frechet_distance(*seen) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 3, 32, 32), np.uint8),
        np.zeros((2, 1, 32, 32), np.float32),
        np.zeros((1, 32, 32), np.uint8),
    ],
)
def test_pictures_of_another_kind(images: np.ndarray) -> None:
    with pytest.raises(WeightsError, match="uint8 pictures of shape"):
        FeatureExtractor.load("mnist")(images)


def test_no_classifier_for_this_name() -> None:
    assert set(PROMISED) <= set(classifiers())
    with pytest.raises(WeightsError, match="did you mean 'fashion-mnist'"):
        FeatureExtractor.load("fashion_mnist")
    with pytest.raises(WeightsError, match="no classifier"):
        FeatureExtractor.load("../classifier-mnist")


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    torch.manual_seed(1)
    shape = ClassifierShape(channels=3, classes=4, width=4, features=6)
    network = ClassifierNetwork(shape).eval()
    info = {"dataset": "things", "classes": ["a", "b", "ç", "d"], "epochs": 2}
    save_classifier(network, shape, info, tmp_path / "classifier-things.safetensors")
    assert classifiers(tmp_path) == ["things"]
    extractor = FeatureExtractor.load("things", tmp_path)
    assert extractor.shape == shape and extractor.info.items() >= info.items()
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    features, logits = network(torch.from_numpy(images) / 255)
    assert extractor(images)[0] == pytest.approx(features.detach().numpy(), abs=1e-5)
    assert extractor(images)[1] == pytest.approx(logits.softmax(dim=1).detach().numpy(), abs=1e-5)


def test_damaged_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    whole = WEIGHTS / "classifier-mnist.safetensors"
    header, tensors = read_header(whole), read_tensors(whole)
    cases = {"gone": "no weights file", "cut": "not a whole", "pickled": "not a whole"}
    for length in (0, 5, 300, whole.stat().st_size - 1):
        (tmp_path / f"cut{length}").write_bytes(whole.read_bytes()[:length])
        cases[f"cut{length}"] = "not a whole"
    (tmp_path / "cut").write_bytes(whole.read_bytes()[:9000])
    (tmp_path / "pickled").write_bytes(pickle.dumps({"weights": [1.0]}))
    altered = {
        "other": ({**header, "format": "gan_core.generator"}, "not a classifier"),
        "nameless": ({"schema": "1"}, "not a classifier"),
        "newer": ({**header, "schema": "99"}, "newer version"),
        "vague": ({"format": header["format"]}, "makes no sense"),
        "torn": ({**header, "architecture": "{"}, "makes no sense"),
        "odd": ({**header, "architecture": json.dumps({"width": 9})}, "makes no sense"),
        "unfit": ({**header, "architecture": json.dumps({"channels": 1, "classes": 11})}, "do not fit"),
    }
    for name, (words, sentence) in altered.items():
        save_tensors(tmp_path / name, tensors, words)
        cases[name] = sentence
    for name, sentence in cases.items():
        with pytest.raises(WeightsError, match=sentence):
            read_classifier(tmp_path / name)


def test_scores_of_real_pictures_and_of_spoilt_ones(few_glyphs: data.Pictures) -> None:
    images, labels = few_glyphs.images, few_glyphs.labels
    besides = {metric.beside for metric in METRICS.values() if metric.beside}
    good = score(images, labels, "mnist")
    assert set(good) == set(METRICS) | besides
    assert good["frechet_over_floor"] == pytest.approx(good["frechet"] / good["floor"])
    assert good["frechet"] == pytest.approx(good["floor"])  # the same two sets the other way round
    assert good["precision"] == good["recall_real"] and good["recall"] == good["precision_real"]
    assert good["classes"] == 10 and good["class_kl"] < 0.05
    half = np.resize(images[labels < 5], images.shape)  # five classes, whatever was asked for, under noise
    noise = np.random.default_rng(0).integers(-90, 90, images.shape)
    bad = score(np.clip(half + noise, 0, 255).astype(np.uint8), labels, "mnist")
    for name, metric in METRICS.items():
        assert metric.better in ("lower", "higher")
        one, two = (good, bad) if metric.better == "lower" else (bad, good)
        assert one[name] < 0.95 * two[name], name
    assert bad["frechet_over_floor"] > 3


def test_what_stands_beside_is_what_as_many_real_pictures_get(few_glyphs: data.Pictures) -> None:
    """At a hundred pictures the distance of real from real is several times that at six hundred."""
    beside = score(few_glyphs.images[:100], few_glyphs.labels[:100], "mnist")
    test, train = reference.extract_real_features("mnist")
    some = np.random.default_rng(0).permutation(FEW)[:100]
    floor = metrics.frechet_distance(test.features[some], train.features)
    assert beside["floor"] == pytest.approx(floor)
    assert floor > 2 * metrics.frechet_distance(test.features, train.features)
    assert beside["confidence_real"] == pytest.approx(test.probabilities[some].max(axis=1).mean())
    assert beside["agreement_real"] == (test.read == test.labels)[some].mean()


def test_the_reference_is_of_all_classes_where_pictures_come_sorted(
    few_glyphs: data.Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = reference.load

    def by_class(name: str, **about: Any) -> data.Pictures:
        every = given(name, **about)
        order = np.argsort(every.labels, kind="stable")
        return dataclasses.replace(every, images=every.images[order], labels=every.labels[order])

    monkeypatch.setattr(reference, "load", by_class)
    monkeypatch.setattr(reference, "SAMPLE", 100)
    test, train = reference.extract_real_features("mnist")
    assert (len(test), len(train)) == (FEW, 100)
    assert np.bincount(train.labels, minlength=10).min() >= 3


def test_score_does_not_depend_on_order_and_needs_no_labels(few_glyphs: data.Pictures) -> None:
    order = np.argsort(few_glyphs.labels)
    mixed = score(few_glyphs.images, None, "mnist")
    by_class = score(few_glyphs.images[order], None, "mnist")
    assert mixed == pytest.approx(by_class, rel=1e-4)
    assert not {"agreement", "agreement_real"} & set(mixed)
    one = score(few_glyphs.images[few_glyphs.labels == 1], None, "mnist")  # complete collapse to a class
    assert one["recall"] < 0.5 * one["recall_real"] and one["class_kl"] > 0.5


def test_real_pictures_are_classified_once(
    few_glyphs: data.Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    test, train = reference.extract_real_features("mnist")
    reference.extract_real_features.cache_clear()
    monkeypatch.setattr(FeatureExtractor, "__call__", None)
    again = reference.extract_real_features("mnist")  # from disk: the classifier can no longer be asked
    assert (again[0].features == test.features).all() and (again[1].labels == train.labels).all()
    assert len(test) == FEW and (test.labels == data.load("glyphs", split="test").labels[:FEW]).all()


def test_labels_to_ask_for_come_in_real_shares(few_glyphs: data.Pictures) -> None:
    labels = data.load("glyphs", split="test").labels[:FEW]
    asked = real_labels("mnist", FEW)
    assert (np.bincount(asked) == np.bincount(labels)).all() and (asked != labels).any()
    assert (asked == real_labels("mnist", FEW)).all(), "the same each time"
    assert (real_labels("mnist", 1500) == np.tile(asked, 3)[:1500]).all()


@pytest.mark.parametrize(
    "ask",
    [lambda root: real_labels("mnist", 5, root), lambda root: reference.extract_real_features("mnist", root)],
)
def test_real_pictures_are_looked_for_where_one_says(tmp_path: Path, ask: Any) -> None:
    with pytest.raises(DataError, match="nowhere"):
        ask(str(tmp_path / "nowhere"))


def test_a_handful_of_pictures_is_too_few(few_glyphs: data.Pictures) -> None:
    with pytest.raises(DataError, match="at least 10 pictures, there are 3"):
        score(few_glyphs.images[:3], None, "mnist")


def test_it_is_not_called_fid() -> None:
    names = {*METRICS, *(metric.beside for metric in METRICS.values())}
    assert not any("fid" in name.lower() and "confid" not in name for name in names)


def test_the_script_that_trains_classifiers_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    path = WEIGHTS.parent / "tools" / "train_classifiers.py"
    spec = importlib.util.spec_from_file_location("train_classifiers", path)
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "BATCH", 50)
    every = data.load("glyphs")
    few = dataclasses.replace(every, images=every.images[:FEW], labels=every.labels[:FEW])
    network, shape = script.train(few, epochs=4, seed=0)
    extractor = FeatureExtractor(shape, {}, network.state_dict())
    assert (extractor(few.images)[1].argmax(axis=1) == few.labels).mean() > 0.6
    still = torch.rand(4, 1, 32, 32)
    monkeypatch.setattr(script, "SHIFT", 0)
    moved = script.augment(still, mirror=False)
    assert torch.allclose(moved[::2], still[::2], atol=1e-4) and not torch.allclose(
        moved[1], still[1], atol=0.1
    )
