"""README cannot drift: its table, its commands, its six lines of Python, its links and its front matter."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from gan_core.checkpoints import export_generator
from gan_core.cli import _parser
from gan_core.config import ModelConfig
from gan_core.networks import build_pair

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import readme_settings  # noqa: E402

README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[list[str]]:
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    parts = [shlex.split(line, comments=True) for line in lines if line.startswith(program)]
    return [part[len(program.split()) :] for part in parts]


def test_the_table_of_settings_is_current():
    assert readme_settings.renewed(README) == README, "run: python tools/readme_settings.py"


def test_every_command_is_one_that_the_command_line_takes():
    found = commands("python -m gan_core")
    assert {command[0] for command in found} == {
        "train", "resume", "branch", "sample", "score", "runs", "datasets", "presets",
    }  # fmt: skip
    for command in found:
        _parser().parse_args(command)


def test_the_lines_of_python_run_and_save_a_picture(tmp_path, monkeypatch):
    model = ModelConfig(network="dcgan-s2d", size=32, channels=1, classes=10, latent=64, g_width=4, d_width=4,
                        conditioning="class-logits")  # fmt: skip
    (tmp_path / "weights").mkdir()
    export_generator(tmp_path / "weights" / "mnist.safetensors", build_pair(model, seed=0)[0], model, {})
    monkeypatch.chdir(tmp_path)
    (program,) = blocks("python")
    exec(program, {})
    with Image.open("sevens.png") as strip:
        assert strip.size == (320, 32)


def test_blocks_that_are_not_run_are_python_all_the_same():
    for block in blocks("python no-run"):
        rows = re.sub(r'^"([\w-]+)": (.*?),\n(?=\n|\Z)', r'_ = {"\1": \2}\n', block, flags=re.M | re.S)
        compile(rows, "README.md", "exec")


def test_every_file_it_names_is_there():
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)", README) + re.findall(r'src="(?!https?:)([^"]+)', README)
    written = re.findall(r"`((?:gan_core|studio|tests|tools|benchmarks|weights)/[\w./-]+)`", README)
    assert linked and written
    assert not [name for name in linked + written if not (ROOT / name).exists()]


def test_the_front_matter_is_a_space_s():
    about = yaml.safe_load(README.split("---\n")[1])
    assert {"title", "emoji", "colorFrom", "colorTo", "license"} <= set(about)
    assert about["sdk"] == "gradio" and (ROOT / about["app_file"]).is_file()
    assert isinstance(about["python_version"], str) and len(about["short_description"]) <= 60
    pinned = re.search(r"^gradio>=([\d.]+),<(\d+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    asked = [int(part) for part in about["sdk_version"].split(".")]
    assert [int(part) for part in pinned[1].split(".")] <= asked and asked[0] < int(pinned[2])


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_has_a_range_and_a_reason(name):
    lines = (ROOT / name).read_text("utf-8").splitlines()
    wanted = [line for line in lines if line and line[0] not in "#-"]
    assert wanted and all(re.fullmatch(r"[a-z]+>=[\d.]+,<\d+ +# \w.*", line) for line in wanted)


def test_the_image_takes_what_the_page_needs():
    """Each name that .dockerignore lets through exists, and nothing that app.py imports is kept out."""
    passed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all((ROOT / name).exists() for name in passed)
    assert {"app.py", "gan_core", "studio", "weights", "requirements.txt", "packages.txt"} == set(passed)
