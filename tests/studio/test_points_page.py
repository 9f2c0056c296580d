"""Points on the page: trained and watched like pictures, shown as a plot, not offered to Explore."""

import io

from PIL import Image

from gan_core.checkpoints import export_generator
from gan_core.config import ModelConfig
from gan_core.images import PLOT
from gan_core.networks import build_pair
from gan_core.presets import settings
from gan_core.runs.layout import create_run
from studio.dataset_preview import DatasetPreviews
from studio.forms import dataset_for, preset_for
from studio.models import ModelRegistry, explorable

MODEL = ModelConfig(network="mlp-2d", size=1, channels=2, classes=0, latent=2, g_width=8, d_width=8,
                    conditioning="class-logits", g_norm="none", d_norm="none", kind="points")  # fmt: skip


def test_a_generator_of_points_is_not_offered_to_explore(tmp_path):
    run = create_run(tmp_path / "runs", settings("ring", {}), "ring")
    export_generator(run.generator, build_pair(MODEL, 1)[0], MODEL, {"dataset": "ring"})
    assert not explorable(run)
    assert ModelRegistry(tmp_path, tmp_path / "runs").models() == []


def test_the_preview_of_points_is_a_plot():
    looks = DatasetPreviews("")
    assert looks.facts("grid")["count"] == 100_000
    assert (looks.facts("grid")["kind"], looks.facts("glyphs")["kind"]) == ("points", "pictures")
    assert Image.open(io.BytesIO(looks.picture("grid"))).size == (PLOT, PLOT)


def test_the_data_set_and_the_preset_choose_each_other():
    assert preset_for("ring", "digits") == "ring" and preset_for("mnist", "ring") == "digits"
    assert dataset_for("grid", "mnist", "") == "grid"


def test_a_visitor_reads_what_a_data_set_is_in_their_language(tmp_path):
    english, chinese = (DatasetPreviews(str(tmp_path)).facts("ring", tongue) for tongue in ("en", "zh"))
    assert (english["title"], chinese["title"]) == ("Ring of eight", "八点环")
    assert (english["licence"], chinese["licence"]) == (
        "made by this program; no restrictions",
        "由本程序生成，无限制",
    )
