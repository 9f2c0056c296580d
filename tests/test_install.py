"""`pip install` makes the library and the command `dcgan-studio` work from anywhere, with all their files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SITE = sysconfig.get_path("purelib")  # what the studio runs on, and pip and setuptools
PROGRAM = """
import app, gan_core, studio
from pathlib import Path
from gan_core.messages import ENGLISH
from gan_core.metrics.classifier import WEIGHTS
from studio import page, services, words
print(Path(gan_core.__file__).parent.parent)
assert ENGLISH["meant"] and words.TABLE["shell.train"]
assert sorted(path.name for path in page.WEB.iterdir()) == {web}
assert WEIGHTS == services.WEIGHTS and (WEIGHTS / "mnist.safetensors").stat().st_size > 1000
"""


@pytest.mark.slow
@pytest.mark.parametrize("editable", [True, False], ids=["editable", "copied"])
def test_installed_it_works_from_anywhere(tmp_path: Path, editable: bool) -> None:
    """In an environment of its own, from a copy of what git keeps, in another working directory."""
    source, home, elsewhere = tmp_path / "source", tmp_path / "environment", tmp_path / "elsewhere"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        if name.startswith(("app.py", "gan_core/", "studio/", "weights/", "LICENSE", "pyproject", "require")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    about = {
        "cwd": elsewhere,
        "env": {**os.environ, "PYTHONPATH": SITE},
        "capture_output": True,
        "text": True,
    }
    elsewhere.mkdir()

    flags = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    install = [programs / "python", "-m", "pip", "install", *flags, *(["-e"] if editable else []), source]
    done = subprocess.run(install, **about)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr

    web = sorted(path.name for path in (ROOT / "studio" / "web").iterdir())
    program = [programs / "python", "-c", PROGRAM.replace("{web}", repr(web))]
    done = subprocess.run(program, **about)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(source if editable else home)
    for command in (
        [programs / "dcgan-studio", "--help"],
        [programs / "python", "-m", "gan_core", "presets"],
    ):
        done = subprocess.run(command, **about)  # type: ignore[call-overload]
        assert done.returncode == 0, done.stderr
        assert "--port" in done.stdout or "digits" in done.stdout
    told = list(home.rglob("dcgan_studio-*.dist-info/METADATA"))
    needed = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    assert told[0].read_text("utf-8").count("Requires-Dist: ") == sum(">=" in line for line in needed)
