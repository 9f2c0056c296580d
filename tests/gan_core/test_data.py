"""Data sets: what they hold, how they are found, fetched and prepared, and what is said if one is missing."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import hashlib
import io
import multiprocessing
import os
import pickle
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from gan_core.data import DATASETS, available, download, glyphs, load, mnist, prepare
from gan_core.data.prepare import cache_folder, fit
from gan_core.errors import DataError

RNG = np.random.default_rng(0)
TINY = {
    "train": (RNG.integers(0, 256, (30, 28, 28), np.uint8), RNG.integers(0, 10, 30, np.uint8)),
    "t10k": (RNG.integers(0, 256, (20, 28, 28), np.uint8), RNG.integers(0, 10, 20, np.uint8)),
}


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def put_idx(folder: Path, packed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split, arrays in TINY.items():
        for kind, array in zip(("images-idx3", "labels-idx1"), arrays, strict=True):
            data, name = idx(array), f"{split}-{kind}-ubyte"
            (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(data) if packed else data)


def without_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has no package of Fashion-MNIST."""
    bare = dataclasses.replace(DATASETS["fashion-mnist"], system="")
    monkeypatch.setitem(DATASETS, "fashion-mnist", bare)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path: Path, cache: Path) -> Path:
    put_idx(tmp_path / "root" / "MNIST" / "raw")
    return tmp_path / "root"


@pytest.mark.parametrize("name", DATASETS)
def test_every_row_is_complete(name: str) -> None:
    source = DATASETS[name]
    assert source.name == name
    assert source.kind == ("points" if source.mixture else "pictures")
    assert source.channels in ((2,) if source.kind == "points" else (1, 3))
    assert len(set(source.classes)) == len(source.classes) >= 2
    assert not source.mixture or len(source.classes) == len(source.mixture.means)
    assert all((source.title, source.licence, source.origin, source.summary))
    assert source.downloads == bool(source.files) == (source.fetch is not None)


def test_classes_have_the_names_that_were_published_in_their_order() -> None:
    from torchvision import datasets

    assert list(DATASETS["kmnist"].classes) == datasets.KMNIST.classes
    clothes = ["T-shirt" if name == "T-shirt/top" else name for name in datasets.FashionMNIST.classes]
    assert list(DATASETS["fashion-mnist"].classes) == clothes
    assert list(DATASETS["mnist"].classes) == [name[0] for name in datasets.MNIST.classes]  # "0 - zero"


HERE = ("mnist", "fashion-mnist", "glyphs")


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_here_loads_as_bytes_with_labels(name: str, split: str) -> None:
    if not available(name):
        name = "glyphs"
    source, pictures = DATASETS[name], load(name, split=split)
    assert pictures.source is source
    assert pictures.images.shape == (len(pictures.labels), source.channels, 32, 32)
    assert (pictures.images.dtype, pictures.labels.dtype) == (np.uint8, np.int64)
    assert set(np.unique(pictures.labels)) == set(range(len(source.classes)))
    assert 15 < pictures.images.mean() < 130


def test_the_map_is_read_only(root: Path) -> None:
    pictures = load("mnist", root=str(root))
    assert isinstance(pictures.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        pictures.images[0, 0, 0, 0] = 1


@pytest.mark.parametrize("packed", [False, True])
def test_28_pixels_are_padded_with_black_and_not_resized(tmp_path: Path, cache: Path, packed: bool) -> None:
    put_idx(tmp_path / "MNIST" / "raw", packed)
    for split, stem in (("train", "train"), ("test", "t10k")):
        pictures = load("mnist", split=split, root=str(tmp_path))
        images, labels = TINY[stem]
        assert (pictures.images[:, 0, 2:30, 2:30] == images).all()
        assert pictures.images.sum(dtype=np.int64) == images.sum(dtype=np.int64)
        assert (pictures.labels == labels).all()


@pytest.mark.parametrize("size", [16, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_other_sizes_keep_the_picture(size: int, channels: int) -> None:
    ramp = np.linspace(20, 220, 32)[None, None, :, None] * np.ones((2, 32, 1, channels))
    resized = fit(ramp.astype(np.uint8), size)
    assert resized.shape == (2, channels, size, size)
    expected = np.interp((np.arange(size) + 0.5) / size * 32 - 0.5, np.arange(32), np.linspace(20, 220, 32))
    assert np.abs(resized - expected).max() <= 4


@pytest.mark.parametrize("size", [16, 28, 32, 64, 128])
def test_28_pixels_get_their_border_on_the_way_to_every_other_size(size: int) -> None:
    """Else a digit would be an eighth larger at 64 than at 32."""
    images = np.full((1, 28, 28, 1), 200, np.uint8)
    fitted = fit(images, size)
    if size == 28:
        assert (fitted == 200).all() and fitted.shape == (1, 1, 28, 28)
        return
    framed = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    assert (fitted == fit(framed, size)).all() and fitted.shape == (1, 1, size, size)
    bright = (fitted[0, 0, size // 2] > 100).sum()
    assert bright == size * 28 // 32, "as large a share of the side as at 32"


def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((1, 32, 32, 1), np.uint8)
    stripes[:, :, ::2] = 200
    assert np.abs(fit(stripes, 16)[..., 2:-2].astype(int) - 100).max() <= 10


def test_the_second_load_reads_the_prepared_file_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load("mnist", root=str(root))
    monkeypatch.setattr(mnist, "read_idx", None)
    again = load("mnist", root=str(root))
    assert (again.images == first.images).all()
    assert (again.labels == first.labels).all()


def test_any_program_can_read_the_prepared_files(root: Path, cache: Path) -> None:
    pictures = load("mnist", root=str(root))
    images, labels = (np.load(path) for path in sorted(cache.iterdir()))
    assert (images == pictures.images).all() and images.dtype == np.uint8
    assert (labels == pictures.labels).all() and labels.dtype == np.int64


def damage_tail(data: bytes) -> bytes:
    return data[:-1]


def damage_head(data: bytes) -> bytes:
    return b"\xff" * 8 + data[8:]


def damage_header(data: bytes) -> bytes:
    return data.replace(b"}", b" ", 1)  # what NumPy's reader makes of it is no ValueError


def damage_length(data: bytes) -> bytes:
    return data + data[-1:]


@pytest.mark.parametrize("part", ["images", "labels"])
@pytest.mark.parametrize("damage", [damage_tail, damage_head, damage_header, damage_length, lambda data: b""])
def test_a_damaged_prepared_file_is_made_again(root: Path, cache: Path, damage: object, part: str) -> None:
    load("mnist", root=str(root))
    (path,) = cache.glob(f"*-{part}.npy")
    whole = path.read_bytes()
    path.write_bytes(damage(whole))  # type: ignore[operator]
    pictures = load("mnist", root=str(root))
    assert (pictures.images[:, 0, 2:30, 2:30] == TINY["train"][0]).all()
    assert path.read_bytes() == whole


def test_a_missing_half_is_made_again(root: Path, cache: Path) -> None:
    load("mnist", root=str(root))
    next(cache.glob("*-labels.npy")).unlink()
    assert (load("mnist", root=str(root)).labels == TINY["train"][1]).all()


def test_a_full_disk_is_one_sentence(root: Path, cache: Path) -> None:
    """A file that may not grow fails as one on a full disk does."""
    resource = pytest.importorskip("resource", reason="Windows has no such limits")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(DataError, match="Set GAN_CACHE to a folder with space"):
            load("mnist", root=str(root))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(cache.iterdir()), "nothing half made is left"


def test_changed_source_files_are_prepared_anew(root: Path) -> None:
    load("mnist", root=str(root))
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(idx(255 - TINY["train"][0]))
    os.utime(path, ns=(1, 1))
    assert (load("mnist", root=str(root)).images[:, 0, 2:30, 2:30] == 255 - TINY["train"][0]).all()


def _load_in_child(root: str, barrier: object, answers: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    answers.put(int(load("mnist", root=root).images.sum(dtype=np.int64)))  # type: ignore[attr-defined]


def test_two_processes_at_once(root: Path, cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    children = [context.Process(target=_load_in_child, args=(str(root), barrier, answers)) for _ in range(2)]
    for child in children:
        child.start()
    sums = [answers.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert sums == [TINY["train"][0].sum(dtype=np.int64)] * 2
    assert len(list(cache.iterdir())) == 2  # no scratch left behind


def test_a_cache_that_cannot_be_written_is_one_sentence(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GAN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="Set GAN_CACHE"):
        load("mnist", root=str(root))


@pytest.mark.parametrize(
    ("system", "below", "named"),
    [("linux", ".cache", "XDG_CACHE_HOME"), ("darwin", "Library/Caches", None),
     ("win32", "AppData/Local", "LOCALAPPDATA")],
)  # fmt: skip
def test_cache_folder_is_the_users_own(
    system: str, below: str, named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GAN_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / below / "gan_core"
    if named:
        monkeypatch.setenv(named, str(tmp_path / "elsewhere"))
        assert cache_folder() == tmp_path / "elsewhere" / "gan_core"
    monkeypatch.setenv("GAN_CACHE", str(tmp_path / "given"))
    assert cache_folder() == tmp_path / "given"


def test_a_missing_root_says_where_it_looked_and_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_system(monkeypatch)
    for name in ("mnist", "fashion-mnist", "kmnist", "cifar10"):
        assert not available(name, str(tmp_path))
        with pytest.raises(DataError) as caught:
            load(name, root=str(tmp_path))
        sentence = str(caught.value)
        assert str(tmp_path.resolve() / DATASETS[name].folder) in sentence
        assert f"python -m gan_core datasets --download {name}" in sentence
        assert "--data-root DIR" in sentence


def test_the_systems_folder_comes_last(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_idx(tmp_path / "system", packed=True)
    source = dataclasses.replace(DATASETS["fashion-mnist"], system=str(tmp_path / "system"))
    monkeypatch.setitem(DATASETS, source.name, source)
    assert available(source.name, str(tmp_path / "elsewhere"))
    own = tmp_path / "own" / source.folder
    put_idx(own)
    (own / "t10k-labels-idx1-ubyte").write_bytes(idx(np.full(20, 7, np.uint8)))
    assert set(load(source.name, split="test", root=str(tmp_path / "own")).labels) == {7}


def test_root_by_argument_then_environment_then_folder(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAN_DATA", str(root))
    assert available("mnist")
    assert not available("mnist", str(tmp_path / "other"))
    monkeypatch.delenv("GAN_DATA")
    monkeypatch.chdir(tmp_path)
    assert not available("mnist")
    root.rename(tmp_path / "data")
    assert available("mnist")


def test_unknown_names() -> None:
    with pytest.raises(DataError, match="did you mean 'fashion-mnist'"):
        load("fashion_mnist")
    with pytest.raises(DataError, match="did you mean 'mnist'"):
        available("mnits")
    with pytest.raises(DataError, match="train and test"):
        load("glyphs", split="validation")


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\x08\x03", idx(TINY["train"][0])[:-5], b"\0\0\x0d\x01\0\0\0\0", b"<html>"]
)
def test_a_damaged_source_file_is_named(root: Path, data: bytes) -> None:
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(DataError, match="train-images-idx3-ubyte is damaged"):
        load("mnist", root=str(root))


def test_more_damage(root: Path) -> None:
    folder = root / "MNIST" / "raw"
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(TINY["t10k"][1]))
    with pytest.raises(DataError, match="do not belong together"):
        load("mnist", root=str(root))
    put_idx(folder, packed=True)
    (folder / "train-images-idx3-ubyte").unlink()
    packed = folder / "train-images-idx3-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"ubyte\.gz cannot be read"):
        load("mnist", root=str(root))
    packed.unlink()
    for split in ("train-images-idx3", "train-labels-idx1"):
        shape = (0, 28, 28) if "images" in split else (0,)
        (folder / f"{split}-ubyte").write_bytes(idx(np.zeros(shape, np.uint8)))
    with pytest.raises(DataError, match="has no pictures"):
        load("mnist", root=str(root))


# --- the cache's size


def test_what_was_opened_longest_ago_makes_room(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age, size in enumerate((16, 32, 64)):
        load("mnist", size=size, root=str(root))
        for path in cache.glob(f"mnist-{size}-*"):
            os.utime(path, (0, 1000 * (age + 1)))
    total = sum(path.stat().st_size for path in cache.iterdir())
    load("mnist", size=16, root=str(root))  # opened again: now the newest
    monkeypatch.setattr(prepare, "cache_limit", lambda: total)
    load("mnist", size=28, root=str(root))
    names = {"-".join(path.name.split("-")[:2]) for path in cache.iterdir()}
    assert names == {"mnist-16", "mnist-28", "mnist-64"} and len(list(cache.iterdir())) == 6
    assert sum(path.stat().st_size for path in cache.iterdir()) <= total


def test_what_is_mapped_stays_readable_when_its_file_goes(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = load("mnist", size=32, root=str(root)).images
    before = np.array(images)
    monkeypatch.setattr(prepare, "cache_limit", lambda: before.nbytes)
    load("mnist", size=28, root=str(root))
    assert not list(cache.glob("mnist-32-*")) or os.name == "nt"
    assert (images == before).all()


def test_what_is_larger_than_the_cache_may_be_is_one_sentence(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("mnist", size=16, root=str(root))
    there = sorted(cache.iterdir())
    monkeypatch.setenv("GAN_CACHE_MB", "0")
    with pytest.raises(
        DataError, match=r"MNIST at 128 pixels takes 1 MB, and .* 0 MB: choose a smaller size"
    ):
        load("mnist", size=128, root=str(root))
    assert sorted(cache.iterdir()) == there, "nothing went for what does not fit anyway"


@pytest.mark.parametrize(
    ("told", "megabytes"), [("", 4000), ("250", 250), ("-3", 4000), ("x", 4000), ("9" * 30, 4000)]
)
def test_the_limit_is_told_in_megabytes(told: str, megabytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_CACHE_MB", told)
    assert prepare.cache_limit() == megabytes * 1_000_000


# --- downloads, checked and unpacked by torchvision's own code, from a server of our own


@pytest.fixture
def server(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/", folder
        http.shutdown()
        thread.join()


def serve_idx(kind: str, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    put_idx(server[1], packed=True)
    sums = [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in sorted(server[1].iterdir())]
    monkeypatch.setattr(getattr(datasets, kind), "mirrors", [server[0]])
    monkeypatch.setattr(getattr(datasets, kind), "resources", sums)


@pytest.mark.parametrize(
    "name, kind", [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST"), ("kmnist", "KMNIST")]
)
def test_download(
    name: str, kind: str, server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_idx(kind, server, monkeypatch)
    without_system(monkeypatch)
    root = tmp_path / "new" / "root"
    pictures = load(name, root=str(root), download=True)
    assert (pictures.images[:, 0, 2:30, 2:30] == TINY["train"][0]).all()
    assert available(name, str(root))
    assert sorted(path.name for path in (root / kind / "raw").iterdir()) == sorted(DATASETS[name].files)
    assert [path.name for path in root.iterdir()] == [kind]  # no scratch left behind
    assert (load(name, split="test", root=str(root)).labels == TINY["t10k"][1]).all()


def test_a_wrong_check_sum_is_one_sentence_and_leaves_nothing(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_idx("KMNIST", server, monkeypatch)
    path = server[1] / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(TINY["train"][0])))
    with pytest.raises(DataError) as caught:
        load("kmnist", root=str(tmp_path / "root"), download=True)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "t10k-images-idx3-ubyte.gz" in sentence and "corrupted" in sentence
    assert not available("kmnist", str(tmp_path / "root"))
    assert not [path for path in (tmp_path / "root").rglob("*") if path.is_file()]


def test_a_server_that_sends_too_much_is_one_sentence_and_leaves_nothing(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_idx("KMNIST", server, monkeypatch)
    monkeypatch.setattr(download, "MOST", 100)
    with pytest.raises(DataError, match=r"could not be downloaded into .* sends more than 0 MB"):
        load("kmnist", root=str(tmp_path / "root"), download=True)
    assert not [path for path in (tmp_path / "root").rglob("*") if path.is_file()]


@pytest.mark.parametrize(("limit", "words"), [("SILENCE", "timed out"), ("PATIENCE", "takes longer than")])
def test_a_server_that_falls_silent_or_drips_is_not_waited_for(
    limit: str, words: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    over = threading.Event()

    class Slow(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):  # nobody listens any more
                while limit == "PATIENCE" and not over.wait(0.02):
                    self.wfile.write(b"drip")
            over.wait(30)

        def log_message(self, *args: object) -> None:
            pass

    monkeypatch.setattr(download, limit, 0.2)
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        monkeypatch.setattr(datasets.KMNIST, "mirrors", [f"http://127.0.0.1:{http.server_port}/"])
        begin = time.monotonic()
        with pytest.raises(DataError, match=words):
            load("kmnist", root=str(tmp_path), download=True)
        assert time.monotonic() - begin < 20
        over.set()
        http.shutdown()
        thread.join()


def test_another_mirror_is_asked_when_the_first_has_it_not(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    serve_idx("KMNIST", server, monkeypatch)
    monkeypatch.setattr(datasets.KMNIST, "mirrors", ["http://127.0.0.1:9/", server[0]])
    assert len(load("kmnist", root=str(tmp_path / "root"), download=True).images)


def test_no_server_is_one_sentence(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(datasets.KMNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataError, match=r"KMNIST could not be downloaded into .*refused"):
        load("kmnist", root=str(tmp_path), download=True)


def test_cifar10(server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import CIFAR10

    images = RNG.integers(0, 256, (6, 4, 3, 32, 32), np.uint8)
    files = {
        name: pickle.dumps({"data": part.reshape(4, -1), "labels": [i, 1, 2, 3]})
        for i, (name, part) in enumerate(zip(DATASETS["cifar10"].files[:6], images, strict=True))
    }
    files["batches.meta"] = pickle.dumps({"label_names": list(DATASETS["cifar10"].classes)})
    with tarfile.open(server[1] / "c.tar.gz", "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    sums = [[name, hashlib.md5(data).hexdigest()] for name, data in files.items()]
    monkeypatch.setattr(CIFAR10, "url", server[0] + "c.tar.gz")
    monkeypatch.setattr(CIFAR10, "filename", "c.tar.gz")
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5((server[1] / "c.tar.gz").read_bytes()).hexdigest())
    monkeypatch.setattr(CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(CIFAR10, "test_list", sums[5:6])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums[6][1]})

    root = str(tmp_path / "root")
    pictures = load("cifar10", root=root, download=True)
    assert (pictures.images == images[:5].reshape(20, 3, 32, 32)).all()
    assert pictures.labels[::4].tolist() == [0, 1, 2, 3, 4]
    assert (load("cifar10", split="test", root=root).images == images[5]).all()
    assert load("cifar10", size=64, root=root).images.shape == (20, 3, 64, 64)

    (tmp_path / "root" / "cifar-10-batches-py" / "data_batch_2").write_bytes(b"os.system('no')")
    with pytest.raises(DataError, match="cifar-10-batches-py are damaged"):
        load("cifar10", root=root)


# --- drawn digits


def test_glyphs_are_always_the_same_and_balanced() -> None:
    images, labels = glyphs.make(500, seed=3)
    again, _ = glyphs.make(500, seed=3)
    other, _ = glyphs.make(500, seed=4)
    assert images.shape == (500, 32, 32, 1)
    assert (images == again).all()
    assert (images != other).any()
    assert np.bincount(labels).tolist() == [50] * 10
    assert len(np.unique(images.reshape(500, -1), axis=0)) == 500


def test_glyphs_are_white_on_black_whole_and_in_the_middle() -> None:
    images, _ = glyphs.make(2000, seed=5)
    ink = images[..., 0] / 255.0
    assert (images.max((1, 2, 3)) > 200).all()
    assert 0.08 < ink.mean() < 0.2
    assert ((images > 0) & (images < 255)).mean() > 0.05  # smooth edges
    edge = np.concatenate([ink[:, [0, -1]].ravel(), ink[:, :, [0, -1]].ravel()])
    assert edge.mean() < 0.003
    rows = (ink.sum(2) * np.arange(32)).sum(1) / ink.sum((1, 2))
    assert abs(rows.mean() - 15.5) < 1


def test_glyphs_can_be_told_apart_and_differ_between_splits() -> None:
    """The nearest of 4,000 training pictures names the digit of a test picture: legible, and no copies."""
    train, test = load("glyphs", size=16), load("glyphs", size=16, split="test")
    assert (len(train.labels), len(test.labels)) == (20_000, 4_000)
    a = train.images[:4000].reshape(4000, -1).astype(np.float32)
    b = test.images[:1000].reshape(1000, -1).astype(np.float32)
    distance = (a**2).sum(1) - 2 * b @ a.T + (b**2).sum(1)[:, None]  # (1000, 4000)
    nearest = distance.argmin(1)
    assert (train.labels[nearest] == test.labels[:1000]).mean() > 0.9
    assert distance.min() > 1000


def test_20000_glyphs_in_under_two_seconds() -> None:
    """Processor time, so that a busy machine does not matter; one thread does it all."""
    start = time.process_time()
    glyphs.make(20_000, seed=0)
    assert time.process_time() - start < 2.0


def test_looking_for_data_imports_no_torch() -> None:
    code = "import sys; from gan_core.data import DATASETS, available; [available(n) for n in DATASETS]; " \
           "sys.exit('torch' in sys.modules or 'torchvision' in sys.modules)"  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
