"""What all tests share: a cache of their own, and where the real data is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_core.data import available

BESIDE = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of this session's own; data is where GAN_DATA says, or beside the checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        if not os.environ.get("GAN_DATA") and BESIDE.is_dir():
            patch.setenv("GAN_DATA", str(BESIDE))
        yield


@pytest.fixture(scope="session")
def real_set(environment: None) -> str:
    """The best data set of this machine: MNIST, else Fashion-MNIST, else drawn digits."""
    return next(name for name in ("mnist", "fashion-mnist", "glyphs") if available(name))
