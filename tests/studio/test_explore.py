"""The registry of models and the pictures drawn from it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generators import make_model_run, write_generator
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from gan_core.errors import ConfigError, WeightsError
from gan_core.latent import ASTRAY
from studio import pictures
from studio.api import generate, interpolate
from studio.models import Model, ModelRegistry
from studio.pictures import View, parse
from studio.tabs import explore
from studio.words import TABLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    write_generator(tmp_path / "weights" / "mnist.safetensors")
    write_generator(tmp_path / "weights" / "a-plain.safetensors", ())
    return tmp_path


@pytest.fixture
def registry(folder: Path) -> ModelRegistry:
    return ModelRegistry(folder / "weights", folder / "runs", kept=2)


@pytest.fixture
def client(registry: ModelRegistry) -> TestClient:
    return TestClient(Starlette(routes=pictures.routes(registry)))


def read(answer: Any) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"))


def test_list_has_shipped_first_then_runs_and_nothing_else(folder: Path, registry: ModelRegistry) -> None:
    (folder / "weights" / "classifier.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    (folder / "weights" / "broken.safetensors").write_bytes(b"\xff" * 64)
    (folder / "weights" / "pickle.safetensors").write_bytes(b"\x80\x04K\x01.")
    (folder / "weights" / "folder.safetensors").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "weights" / "pipe.safetensors")  # whoever opens it waits for ever
    run = make_model_run(folder / "runs")
    make_model_run(folder / "runs").generator.unlink()
    assert [model.name for model in registry.models()] == ["mnist", "a-plain", f"run:{run.id}"]
    assert registry.models()[0].classes == tuple("0123456789")
    assert not registry.models()[1].classes


@pytest.mark.parametrize("name", ["minst", "", "run:", "run:../x", "../mnist", "a/b", "run:nothing", "\0"])
def test_unknown_names_are_refused_in_a_sentence(registry: ModelRegistry, name: str) -> None:
    with pytest.raises(WeightsError, match="There is no"):
        registry.model(name)
    with pytest.raises(WeightsError, match="did you mean 'mnist'"):
        registry.model("minst")


def test_a_run_in_training_is_live_and_says_so(folder: Path, registry: ModelRegistry) -> None:
    run = make_model_run(folder / "runs", state="running")
    model = registry.model(f"run:{run.id}")
    assert model.live and model.state == "running"
    (english, name), (chinese, _) = (explore.choices([model], tongue)[0] for tongue in ("en", "zh"))
    assert name == f"run:{run.id}" and english.endswith("training now") and chinese.endswith("正在训练")


def test_a_sampler_is_loaded_once_a_version_and_few_are_kept(folder: Path, registry: ModelRegistry) -> None:
    run = make_model_run(folder / "runs", state="running")
    first = registry.model(f"run:{run.id}")
    assert registry.load(first)[0] is registry.load(first)[0]
    write_generator(run.generator, seed=9)
    os.utime(run.generator, ns=(1, 1))
    second = registry.model(f"run:{run.id}")
    assert second.version != first.version
    z = registry.load(second)[0].latents(1, 0)
    assert not np.array_equal(
        registry.load(second)[0].pictures(z), registry.load(registry.model("mnist"))[0].pictures(z)
    )
    kept = registry.load(second)[0]
    registry.load(registry.model("a-plain"))
    assert registry.load(second)[0] is kept
    registry.load(registry.model("mnist"))  # one too many: a-plain goes, which was not used for longest
    assert registry.load(second)[0] is kept


def test_image_at_the_ends_is_the_sample_that_was_picked(client: TestClient) -> None:
    sheet = read(client.get("/studio/explore/grid?model=mnist&seed=5"))
    assert sheet.shape == (4 * 16, 10 * 16)
    for t, index in ((0, 3), (1, 27)):
        image = read(client.get(f"/studio/explore/image?model=mnist&seed=5&a=3&b=27&t={t}"))
        row, column = divmod(index, 10)
        cell = sheet[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16]
        assert np.abs(image.astype(int) - cell).max() <= 1


def test_strip_is_the_way_in_equal_steps(client: TestClient) -> None:
    query = "model=mnist&seed=5&a=3&b=13&d=0.5,-1"
    strip = read(client.get(f"/studio/explore/strip?{query}"))
    assert strip.shape == (16, pictures.STRIP * 16)
    for i in (0, 4, 8):
        image = read(client.get(f"/studio/explore/image?{query}&t={i / 8}"))
        assert np.abs(image.astype(int) - strip[:, i * 16 : i * 16 + 16]).max() <= 1


@pytest.mark.parametrize("other", ["t=0.3", "t=0.4&interpolation=linear", "t=0.4&seed=1", "t=0.4&label=7",
                                   "t=0.4&d=0,1", "t=0.4&a=1", "t=0.4&b=2"])  # fmt: skip
def test_every_part_of_the_address_changes_the_picture(client: TestClient, other: str) -> None:
    base = read(client.get("/studio/explore/image?model=mnist&t=0.4"))
    spelled = "seed=0&a=0&b=1&interpolation=spherical&d=0,0"
    again = read(client.get(f"/studio/explore/image?model=mnist&t=0.4&{spelled}"))
    assert np.array_equal(base, again)
    assert not np.array_equal(base, read(client.get(f"/studio/explore/image?model=mnist&{other}")))


def test_the_way_from_a_to_b_suits_the_noise(
    folder: Path, registry: ModelRegistry, client: TestClient
) -> None:
    write_generator(folder / "weights" / "uniform.safetensors", noise="uniform")
    ways = {row["name"]: row["interpolation"] for row in client.get("/studio/explore/models").json()}
    assert ways == {"mnist": "spherical", "a-plain": "spherical", "uniform": "linear"}
    for name, own, other in (("mnist", "spherical", "linear"), ("uniform", "linear", "spherical")):
        image = f"/studio/explore/image?model={name}&t=0.4"
        plain, asked, against = (
            read(client.get(image + query))
            for query in ("", f"&interpolation={own}", f"&interpolation={other}")
        )
        assert np.array_equal(plain, asked) and not np.array_equal(plain, against)
    assert TABLE["explore.interpolation.astray"][0] == ASTRAY, "the page and the library say the same"


def test_the_api_goes_the_way_of_the_noise(folder: Path, registry: ModelRegistry) -> None:
    write_generator(folder / "weights" / "uniform.safetensors", noise="uniform")
    drawn = np.asarray(interpolate(registry, "uniform", 1, 2, 0.5))
    sampler, _ = registry.load(registry.model("uniform"))
    z = (sampler.latents(1, 1) + sampler.latents(1, 2)) / 2
    assert np.array_equal(drawn, sampler.pictures(z, np.zeros(1, np.int64))[0, 0])


def test_a_file_of_unknown_noise_is_no_model(folder: Path, registry: ModelRegistry) -> None:
    path = folder / "weights" / "mnist.safetensors"
    path.write_bytes(path.read_bytes().replace(b"gaussian", b"gaussiam"))
    assert [model.name for model in registry.models()] == ["a-plain"]


def test_a_chosen_class_fills_the_grid(client: TestClient, registry: ModelRegistry) -> None:
    sheet = read(client.get("/studio/explore/grid?model=mnist&label=4"))
    expected = registry.load(registry.model("mnist"))[0].sample(40, 0, 4)[0][0, 0]
    assert np.array_equal(sheet[:16, :16], expected)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [("t=2", "t is '2', allowed are 0 to 1."), ("t=nan", "t is 'nan'"), ("seed=-1", "seed is '-1'"),
     ("a=40", "a is '40', allowed are 0 to 39."), ("label=10", "label is '10'"), ("d=1,x", "d is 'x'"),
     ("interpolation=spherica", "did you mean 'spherical'"), ("seed=1e400", "seed is")],
)  # fmt: skip
def test_bad_values_are_refused_in_a_sentence(client: TestClient, query: str, sentence: str) -> None:
    answer = client.get(f"/studio/explore/image?model=mnist&{query}")
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


def test_all_bad_values_are_named_at_once(registry: ModelRegistry) -> None:
    with pytest.raises(ConfigError) as error:
        parse({"t": "9", "seed": "x", "interpolation": "zigzag"}, registry.model("mnist"))
    assert {problem.field for problem in error.value.problems} == {"t", "seed", "zigzag"}


def test_an_unknown_or_damaged_model_is_a_sentence(folder: Path, client: TestClient) -> None:
    assert client.get("/studio/explore/image?model=nope").status_code == 404
    path = folder / "weights" / "mnist.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    answer = client.get("/studio/explore/image?model=mnist")
    assert answer.status_code == 404
    assert "mnist.safetensors is not a whole safetensors file" in answer.json()["error"]


def test_only_an_address_that_names_the_version_is_kept(client: TestClient, registry: ModelRegistry) -> None:
    version = registry.model("mnist").version
    kept = client.get(f"/studio/explore/image?model=mnist&v={version}").headers["cache-control"]
    assert "immutable" in kept
    for query in ("", "&v=old"):
        assert client.get(f"/studio/explore/image?model=mnist{query}").headers["cache-control"] == "no-store"


def test_saving_gives_an_enlarged_crisp_png(client: TestClient) -> None:
    small = read(client.get("/studio/explore/image?model=mnist"))
    answer = client.get("/studio/explore/image?model=mnist&format=png&scale=8&save=my/../pic")
    assert answer.headers["content-disposition"] == 'attachment; filename="my----pic.png"'
    assert np.array_equal(read(answer), small.repeat(8, 0).repeat(8, 1))
    answer = client.get("/studio/explore/image?model=mnist&format=png&save=数字7")
    assert answer.headers["content-disposition"] == 'attachment; filename="--7.png"'
    huge = read(client.get("/studio/explore/grid?model=mnist&format=png&scale=" + "9" * 5000))
    assert max(huge.shape) <= 4096


def test_description_for_the_page(client: TestClient) -> None:
    row = client.get("/studio/explore/models").json()[0]
    assert row["name"] == "mnist" and row["columns"] == 10 and row["rows"] == 4 and row["strip"] == 9
    assert row["about"] == {"dataset": "glyphs", "step": 100, "images": 6400, "seconds": 3.0}


def test_class_choices_come_in_the_readers_language() -> None:
    model = Model("m", Path(), "", ("Coat", "7"), {})
    names = [str(name) for name, _ in explore.class_choices(model)]
    assert "explore.class.each" in names[0] and "class.Coat" in names[1] and names[2] == "7"
    assert explore.class_choices(None) == []


def test_columns_are_classes_where_they_fit() -> None:
    assert [pictures.columns(Model("m", Path(), "", tuple("abc" * n)[:n], {})) for n in (0, 2, 3, 40)] == [
        10,
        2,
        3,
        10,
    ]
    assert View().seed == 0


def test_api_pictures(registry: ModelRegistry) -> None:
    assert generate(registry, "mnist", 1, 23).size == (160, 48)
    assert generate(registry, "mnist", 1, 3).size == (48, 16)
    first = np.asarray(generate(registry, "mnist", 7, 1))
    assert np.array_equal(first, np.asarray(interpolate(registry, "mnist", 7, 8, 0)))
    assert not np.array_equal(first, np.asarray(interpolate(registry, "mnist", 7, 8, 1)))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("mnist", 0, 0), "count is 0, it must be a whole number from 1 to 400"),
        (("mnist", 0, 10**400), "count is 1000"),
        (("mnist", 0, 2.5), r"count is 2\.5"),
        (("mnist", -1, 4), "seed is -1"),
        (("mnist", None, 4), "seed is None"),
        (("mnist", True, 4), "seed is True"),
        (("mnist", float("nan"), 4), "seed is nan"),
        (("minst", 0, 4), "did you mean 'mnist'"),
    ],
)
def test_api_refuses_in_a_sentence(registry: ModelRegistry, arguments: Any, sentence: str) -> None:
    with pytest.raises((ConfigError, WeightsError), match=sentence):
        generate(registry, *arguments)
    with pytest.raises(ConfigError, match=r"t is 1\.5, it must be a number from 0 to 1"):
        interpolate(registry, "mnist", 0, 1, 1.5)
