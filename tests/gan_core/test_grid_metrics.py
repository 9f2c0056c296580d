"""What is measured of the sample grid: noise, sameness, missing classes and wrong labels show."""

from __future__ import annotations

import numpy as np
import pytest

from gan_core.data import DATASETS, load
from gan_core.metrics.grid_metrics import LEARNT_MOST, REAL, GridReference, NoveltyReference, measure_points

LABELS = np.arange(80) % 10


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Drawn digits, (N, 1, 32, 32), of which the first 2,000 are the reference's."""
    pictures = load("glyphs", size=32)
    return np.asarray(pictures.images), pictures.labels


@pytest.fixture(scope="module")
def reference(digits: tuple[np.ndarray, np.ndarray]) -> GridReference:
    """By the classifier of written digits, which reads drawn ones well enough."""
    return GridReference.over("glyphs", digits[0][:2000])


def grid(digits: tuple[np.ndarray, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Digits that the reference has not seen, of these classes."""
    images, kinds = digits[0][2000:], digits[1][2000:]
    places = [np.flatnonzero(kinds == k) for k in range(10)]
    return np.stack([images[places[k][i]] for i, k in enumerate(labels)])


def test_real_pictures_are_plausible_varied_and_of_all_classes(digits, reference) -> None:
    found = reference.measure(grid(digits, LABELS), LABELS)
    assert found["share/plausible"] > 0.9 and found["variety/pictures"] == pytest.approx(1, abs=0.1)
    assert found["share/readable"] > 0.7 and found["share/readable_real"] == pytest.approx(0.9, abs=0.1)
    shares = [found[f"classes/{k}"] for k in range(10)]
    assert sum(shares) == pytest.approx(1) and min(shares) > 0.03


def test_noise_is_neither_plausible_nor_readable_however_sure_the_classifier_is(reference) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 1, 32, 32), dtype=np.uint8)
    found = reference.measure(noise, LABELS)
    assert found["share/plausible"] == found["share/readable"] == 0
    grey = reference.measure(np.full((80, 1, 32, 32), 127, np.uint8))
    assert grey["share/plausible"] == 0 and grey["variety/pictures"] == pytest.approx(0, abs=1e-6)


def test_a_blank_picture_is_not_plausible_though_the_classifier_takes_it_for_a_1(reference) -> None:
    black = np.zeros((80, 1, 32, 32), np.uint8)
    read = reference.extractor(black)[1][0]
    assert read.max() > 0.9, "or this test shows nothing"
    found = reference.measure(black)
    assert found["share/plausible"] == found["share/readable"] == 0


def test_how_many_pixels_are_at_their_ends(digits, reference) -> None:
    some = grid(digits, LABELS)
    real = reference.measure(some)["saturation/pixels"]
    assert 0.3 < real < 0.97
    assert reference.measure(np.full_like(some, 255))["saturation/pixels"] == 1
    assert reference.measure(np.clip(some, 1, 254))["saturation/pixels"] == 0


def test_one_picture_again_and_again_has_no_variety_and_one_class(digits, reference) -> None:
    some = grid(digits, LABELS)
    sure = reference.extractor(some)[1][:, 3].argmax()  # the one that is read as a 3 most surely
    found = reference.measure(np.repeat(some[sure : sure + 1], 80, axis=0))
    assert found["variety/pictures"] == pytest.approx(0, abs=0.01)
    assert found["share/readable"] == 1 and [found[f"classes/{k}"] for k in range(10)] == [0, 0, 0, 1] + 6 * [
        0
    ]


def test_a_class_that_is_not_there_has_no_share(digits, reference) -> None:
    found = reference.measure(grid(digits, LABELS % 8))
    assert found["classes/8"] <= 0.03 >= found["classes/9"] and found["classes/1"] > 0.1


def test_what_shows_another_class_than_was_asked_for_is_not_readable(digits, reference) -> None:
    pictures = grid(digits, LABELS)
    assert reference.measure(pictures, (LABELS + 1) % 10)["share/readable"] < 0.1
    assert reference.measure(pictures)["share/readable"] > 0.7


def test_without_a_classifier_of_its_own_a_data_set_has_no_readable_pictures(digits) -> None:
    untrained = GridReference.over("kmnist", digits[0][:2000])
    found = untrained.measure(grid(digits, LABELS))
    assert found.keys() == {"share/plausible", "variety/pictures", "saturation/pixels"}
    assert found["share/plausible"] > 0.9 and found["variety/pictures"] == pytest.approx(1, abs=0.1)
    noise = np.random.default_rng(0).integers(0, 256, (80, 1, 32, 32), dtype=np.uint8)
    assert untrained.measure(noise)["share/plausible"] < 0.05
    assert len(untrained.features) == REAL


def test_motion_is_how_far_pictures_moved_over_how_far_real_ones_lie_apart(digits, reference) -> None:
    some, others = grid(digits, LABELS), grid(digits, (LABELS + 5) % 10)
    assert reference.motion(some, some) == {"motion/moved": 0}
    assert reference.motion(some, others)["motion/moved"] == pytest.approx(1, abs=0.15), "other digits"
    half = some.copy()
    half[:40] = others[:40]
    assert reference.motion(some, half)["motion/moved"] == pytest.approx(0.5, abs=0.1)
    flat = np.zeros((80, 1, 32, 32), np.uint8)
    blank = GridReference.over("glyphs", flat)
    assert blank.motion(flat, some)["motion/moved"] == 0, "where all real ones are one picture"


def test_copies_of_what_was_learnt_are_not_new_and_other_real_pictures_are(digits) -> None:
    images = digits[0]
    known = NoveltyReference.over(images[:50], images[50:])
    assert known is not None and known.measure(images[1000:1400])["novelty/pictures"] == pytest.approx(
        1, abs=0.1
    )
    assert known.measure(images[:50])["novelty/pictures"] < 0.01
    mixed = known.measure(np.concatenate([images[:40], images[1000:1040]]))["novelty/pictures"]
    assert 0.4 < mixed < 0.6
    assert NoveltyReference.over(images, images[:0]) is None, "nothing to hold it against"
    many = np.zeros((LEARNT_MOST // 1024 + 1, 1, 32, 32), np.uint8)
    assert NoveltyReference.over(many, many[:9]) is None
    assert NoveltyReference.over(many[1:], many[:9]) is not None


def test_points_at_their_places_are_plausible_and_places_left_out_have_no_share() -> None:
    mixture = DATASETS["ring"].mixture
    assert mixture is not None
    means = np.array(mixture.means)[[0, 0, 0, 1]] / mixture.reach
    points = np.concatenate([means, np.zeros((4, 2))]).reshape(-1, 2, 1, 1).astype(np.float32)
    found = measure_points(points, mixture)
    assert found["modes/points"] == 0.5
    assert [found[f"classes/{k}"] for k in range(8)] == [0.75, 0.25, 0, 0, 0, 0, 0, 0]


def test_points_of_a_generator_that_diverged_lie_nowhere() -> None:
    """Not at the place in the middle of the grid, where all that is no number would be drawn."""
    mixture = DATASETS["grid"].mixture
    assert mixture is not None
    found = measure_points(np.full((8, 2, 1, 1), np.nan, np.float32), mixture)
    assert found["modes/points"] == 0 and not any(found[f"classes/{k}"] for k in range(25))
