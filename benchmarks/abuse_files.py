"""Files of those who mean harm, in a folder of runs that a server then opens."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file

from benchmarks.abuse_place import Place, held, serving
from gan_core.checkpoints import read_header
from gan_core.config import from_mapping
from gan_core.runs import RunWriter, create_run
from gan_core.runs.layout import RunPaths

SECRET = b"a file of the system"
DEEP = "[" * 50_000 + "]" * 50_000
SPOILT: Mapping[str, Mapping[str, str]] = {  # a generator's header, by what is wrong with it
    "names": {"info": '{"class_names": 7}'},
    "deep": {"info": f'{{"class_names": {DEEP}}}'},
    "step": {"info": '{"step": NaN}'},
    "pack": {"model": "pack"},
    "list": {"info": "[1]"},
}


def hostile_runs(data_root: str) -> str:
    """One bad file harms nobody: the server begins, and what is whole is shown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "runs"
        runs = _made(folder)
        with serving(folder, data_root) as place:
            told = _looked_at(place, runs)
    return told


def _made(folder: Path) -> dict[str, RunPaths]:
    """A healthy run and one a fault."""
    shipped = Path(__file__).parents[1] / "weights" / "mnist.safetensors"
    header, tensors = read_header(shipped), load_file(shipped)
    runs = {}
    for name in ("healthy", *SPOILT, "nan weights", "status", "status pipe", "curves pipe", "picture link"):
        config = from_mapping({"dataset": "glyphs", "steps": 1})
        run = runs[name] = create_run(folder, config)
        RunWriter(run).update(state="finished", step=1)
        RunWriter(run).record({"step": 1, "loss/D": 1.0})
        changed = dict(SPOILT.get(name, {}))
        if "model" in changed:
            changed["model"] = json.dumps(json.loads(header["model"]) | {"pack": "x"})
        spoilt = {key: value * float("nan") if name == "nan weights" and value.is_floating_point() else value
                  for key, value in tensors.items()}  # fmt: skip
        save_file(spoilt, run.generator, header | changed)
    status = json.loads(runs["status"].status.read_text())
    runs["status"].status.write_text(json.dumps(status | {"step": float("nan")}))
    for path in (runs["status pipe"].status, runs["curves pipe"].metrics):
        path.unlink()
        os.mkfifo(path)
    secret = folder.parent / "secret"
    secret.write_bytes(SECRET)
    picture = runs["picture link"].sample(1)
    picture.parent.mkdir(exist_ok=True)
    picture.symlink_to(secret)
    return runs


def _looked_at(place: Place, runs: Mapping[str, RunPaths]) -> str:
    """What the server shows of them."""
    ok, models = place.ask("models")
    held(ok and runs["healthy"].id in models, f"Explore does not show the healthy run: {models}")
    refused = [name for name, run in runs.items() if run.id not in models]
    held(set(refused) >= SPOILT.keys(), f"shown though unsound: {SPOILT.keys() - set(refused)}")
    ok, told = place.ask("generate", f"run:{runs['nan weights'].id}", 1, 1)
    held(not ok and "Traceback" not in told, f"pictures of NaN: {told}")
    sentences = 0
    for name, run in runs.items():
        ok, told = place.ask("run_status", run.id)
        held("Traceback" not in told and SECRET.decode() not in told, f"{name}: {told}")
        sentences += not ok
        answer = place.get(f"/studio/live?run={run.id}&charts=1")
        held(answer.status_code < 500, f"{name}: Watch answers {answer.status_code}")
    picture = place.get(f"/studio/sample?run={runs['picture link'].id}&step=1")
    held(picture.status_code == 404 and SECRET not in picture.content, "a system file is served")
    return (f"the server begins and shows {len(runs) - len(refused)} of {len(runs)} generators; "
            f"of {sentences} runs it says why they cannot be read")  # fmt: skip


CHECKED: Mapping[str, Callable[[str], str]] = {"Bad files in the folder of runs": hostile_runs}
