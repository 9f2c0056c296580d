"""README cannot drift: its table, its commands, its six lines of Python, its links and its front matter."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from benchmarks import infogan, points, quality, stacked
from benchmarks.__main__ import SECTIONS
from benchmarks.failures import SIGNS
from gan_core.checkpoints import export_generator
from gan_core.cli import COMMANDS
from gan_core.config import ModelConfig
from gan_core.data import DATASETS
from gan_core.flags import parsed
from gan_core.losses import LOSSES
from gan_core.networks import build_pair
from gan_core.presets import PRESETS

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
        "train", "resume", "branch", "stop", "doctor", "sample", "score", "runs", "datasets", "presets",
    }  # fmt: skip
    for command in found:
        parsed(command, COMMANDS)


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


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_tree_names_every_module_of_the_library_and_no_other():
    core = ROOT / "gan_core"
    tree = section("The code in one minute").split("gan_core/  ")[1].split("\nweights/")[0]
    named = set(re.findall(r"[\w/]+\.py|\w+/(?=[ ,])", tree))
    there = {path.name for path in core.glob("*.py") if not path.name.startswith("_")}
    there |= {f"{path.parent.name}/" for path in core.glob("*/__init__.py")} - {"training/"}
    assert there <= named, f"not in the tree: {there - named}"
    assert all((core / name).exists() for name in named)
    assert {path.name for path in core.glob("training/*.py")} >= {"step.py", "loop.py"}


def test_every_data_set_has_its_licence():
    first = [line.split(" | ")[0] for line in section("Licences").splitlines() if line.startswith("| ")]
    listed = {re.sub(r"\W", "", name).lower() for cell in first for name in cell.split(",")}
    assert {name.replace("-", "") for name in DATASETS} == listed - {"dataset"}


def test_every_preset_that_fails_stands_there_with_its_cure_and_its_sign():
    text = section("Failing on purpose")
    rows = re.findall(r"^\| `(fail-[\w-]+)` \| .+? \| `([\w-]+)` \| (.+) \|$", text, re.MULTILINE)
    assert rows == [(name, row.cure, f"{SIGNS[name].measure.__name__} {SIGNS[name].limit()}")
                    for name, row in PRESETS.items() if row.cure]  # fmt: skip
    for measure in {sign.measure.__name__ for sign in SIGNS.values()}:
        assert f"*{measure}*" in text


def test_every_section_of_the_benchmarks_and_word_for_its_rows_is_one():
    text = section("Benchmarks")
    assert re.findall(r"^\| `(\w+)` \| .* \|$", text.split("`quality --only`")[0], re.M) == list(SECTIONS)
    table = text.split("`quality --only`")[1].split("\n\n")[0]
    words = [word.strip('"') for line in table.splitlines()[2:]
             for word in re.findall(r"`([^`]+)`", line.split(" | ")[0])]  # fmt: skip
    rows = [case.what for case in (*quality.CASES, *points.CASES, stacked.CASE)]
    rows += [f"loss {name}" for name in LOSSES] + [infogan.WHAT, "sturdy, Fashion-MNIST"]
    assert not [word for word in words if not any(word in row for row in rows)]
    assert not [row for row in rows if not any(word in row for word in words)], "rows without a word"


def test_every_row_of_the_quality_section_stands_in_the_table_as_it_is_printed():
    table = README.split("<!-- benchmarks -->")[1].split("<!-- /benchmarks -->")[0]
    rows = [f"| {case.what}: {name.replace('_', ' ')} (" for case in quality.CASES for name in case.aims]
    rows += [f"| {case.what} ({case.anchor})" for case in (*points.CASES, stacked.CASE)]
    rows += [f"| MNIST with labels, loss {name} (" for name in LOSSES]
    rows += [f"| {infogan.WHAT} (", "| sturdy, Fashion-MNIST, "]
    assert not [row for row in rows if row not in table]


@pytest.mark.parametrize("name", ["benchmarks", "train", "failures"])
def test_there_is_a_place_for_each_table(name):
    assert README.count(f"\n<!-- {name} -->\n") == README.count(f"\n<!-- /{name} -->\n") == 1


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
    pinned = re.search(r"^gradio>=([\d.]+),<([\d.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    least, asked, beyond = (
        [int(part) for part in version.split(".")] for version in (pinned[1], about["sdk_version"], pinned[2])
    )
    assert least <= asked < beyond


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_has_a_range_and_a_reason(name):
    lines = (ROOT / name).read_text("utf-8").splitlines()
    wanted = [line for line in lines if line and line[0] not in "#-"]
    assert wanted and all(re.fullmatch(r"[a-z]+>=[\d.]+,<[\d.]+ +# \w.*", line) for line in wanted)


def test_the_image_takes_what_the_page_needs():
    """Each name that .dockerignore lets through exists, and nothing that app.py imports is kept out."""
    passed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all((ROOT / name).exists() for name in passed)
    assert {"app.py", "gan_core", "studio", "weights", "requirements.txt", "packages.txt"} == set(passed)
