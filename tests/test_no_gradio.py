"""gan_core is a library by itself: it trains and draws in a process in which importing gradio is an error."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """
import sys
from pathlib import Path
sys.modules["gradio"] = None  # an import of it raises from here on

import gan_core
for path in Path(gan_core.__file__).parent.rglob("*.py"):
    parts = path.relative_to(Path(gan_core.__file__).parents[1]).with_suffix("").parts
    if parts[-1] != "__main__":
        __import__(".".join(parts))

from gan_core.cli import main
from gan_core.sampling import Sampler
runs = Path(sys.argv[1])
small = "--size 16 --g-width 4 --d-width 4 --latent 8 --batch 8 --precision fp32 --threads 1".split()
fixed = ["--memory-format", "contiguous", "--quiet"]
assert main(["train", "--preset", "glyphs", "--steps", "3", "--runs", str(runs), *small, *fixed]) == 0
pictures, labels = Sampler.load(next(runs.iterdir())).sample(4, seed=0)
print(pictures.shape, labels.tolist())
"""


def test_it_trains_and_draws_without_gradio(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "runs")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "(4, 1, 16, 16) [0, 1, 2, 3]"
