"""The shipped generators still draw what they are asked for: a network that changes must take them along."""

from pathlib import Path

import pytest

from gan_core.metrics import FeatureExtractor
from gan_core.sampling import Sampler

WEIGHTS = Path(__file__).parents[2] / "weights"


@pytest.mark.parametrize(("name", "least"), [("mnist", 0.98), ("fashion-mnist", 0.90)])
def test_the_classifier_reads_what_was_asked_for(name: str, least: float) -> None:
    path = WEIGHTS / f"{name}.safetensors"
    assert path.stat().st_size <= 8_000_000
    pictures, labels = Sampler.load(path).sample(1000, seed=5)
    _, probabilities = FeatureExtractor.load(name)(pictures)
    assert (probabilities.argmax(1) == labels).mean() >= least
