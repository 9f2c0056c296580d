"""Stacked MNIST: three digits a picture, each used once a colour, and its classes counted."""

import math

import numpy as np
import pytest

from gan_core.data import mnist, stacked
from gan_core.metrics import read_stacked, stacked_modes
from gan_core.metrics.classifier import FeatureExtractor


def test_each_digit_is_used_once_in_each_colour(tmp_path, monkeypatch):
    digits = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((40, 28, 28, 1), np.uint8)
    monkeypatch.setattr(mnist, "read", lambda folder, split: (digits, np.arange(40) % 10))
    pictures, labels = stacked.read(tmp_path, "train")
    assert pictures.shape == (40, 28, 28, 3) and pictures.dtype == np.uint8
    colours = pictures[:, 0, 0]  # (40, 3): the number of the digit in each colour
    assert (np.sort(colours, axis=0) == np.arange(40)[:, None]).all()
    assert (labels == (colours % 10) @ np.array([100, 10, 1])).all()
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert (colours[:, one] == colours[:, other]).mean() < 0.2, "an order of its own"
    again, _ = stacked.read(tmp_path, "train")
    assert (again == pictures).all()


def test_modes_and_kl_by_hand():
    assert stacked_modes(np.arange(1000)) == pytest.approx({"modes": 1000, "reverse_kl": 0}, abs=1e-12)
    assert stacked_modes(np.array([7] * 5)) == pytest.approx({"modes": 1, "reverse_kl": math.log(1000)})
    half = stacked_modes(np.arange(500))
    assert half == pytest.approx({"modes": 500, "reverse_kl": math.log(2)})


def test_the_classifier_reads_each_colour_by_itself(monkeypatch):
    class Reader:
        def __call__(self, images):
            assert images.shape[1] == 1
            return None, np.eye(10)[images[:, 0, 0, 0]]

    monkeypatch.setattr(
        FeatureExtractor, "load", staticmethod(lambda name: Reader() if name == "mnist" else None)
    )
    images = np.zeros((2, 3, 32, 32), np.uint8)
    images[:, :, 0, 0] = [[1, 2, 3], [9, 0, 4]]
    assert read_stacked(images).tolist() == [123, 904]
