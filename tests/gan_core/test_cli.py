"""The command line: what it writes and prints, and one sentence for everything that cannot be."""

import io
import json
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core import worker
from gan_core.cli import COMMANDS, main
from gan_core.config import from_mapping
from gan_core.flags import SETTING
from gan_core.messages import Message
from gan_core.runs import RunPaths, control, create_run, read_settings, read_status
from gan_core.runs.reader import checkpoint_steps
from gan_core.runs.writer import amend_status
from gan_core.sampling import Sampler

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"size": 16, "g-width": 4, "d-width": 4, "latent": 8, "batch": 8, "precision": "fp32",
         "memory-format": "contiguous", "threads": 1}  # fmt: skip
NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU that is asked for is here")
FLAGS = [part for name, value in SMALL.items() for part in (f"--{name}", str(value))]


def train_flags(runs: Path, *more: str) -> list[str]:
    return ["train", "--preset", "glyphs", "--runs", str(runs), "--quiet", *FLAGS, *more]


@pytest.fixture(scope="module")
def run(tmp_path_factory, environment) -> RunPaths:
    """A run of twelve steps, trained once for the tests that only read it."""
    root = tmp_path_factory.mktemp("cli") / "runs"
    assert main(train_flags(root, "--steps", "12")) == 0
    return RunPaths(next(root.iterdir()))


@pytest.fixture
def refuse(capsys):
    """Run a command that must fail: exit code 2, nothing but one sentence on standard error."""

    def check(*argv: object) -> str:
        capsys.readouterr()
        try:
            code = main([str(part) for part in argv])
        except SystemExit as error:
            code = error.code
        out, err = capsys.readouterr()
        assert (code, out) == (2, "")
        assert err.count("\n") == 1 and "Traceback" not in err
        return err.strip()

    return check


def test_train_ends_with_the_run_s_directory_alone_on_the_last_line(tmp_path, capsys):
    assert main(train_flags(tmp_path / "runs", "--steps", "3", "--no-conditional", "--seed", "5")) == 0
    run = RunPaths(Path(capsys.readouterr().out.splitlines()[-1]))
    assert run.path.parent == tmp_path / "runs"
    status, (preset, config) = read_status(run), read_settings(run)
    assert (status.state, status.step, preset) == ("finished", 3, "glyphs")
    assert (config.seed, config.conditional, config.seconds, config.steps) == (5, False, None, 3)
    assert Sampler.load(run.path).model.classes == 0


def test_a_budget_in_images(tmp_path, capsys):
    assert main(train_flags(tmp_path, "--images", "20")) == 0
    assert read_status(RunPaths(Path(capsys.readouterr().out.split()[-1]))).step == 3  # 8 a step


def test_every_setting_is_a_flag_with_its_sentence(capsys):
    from gan_core.config import knobs

    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = "".join(capsys.readouterr().out.split())  # lines are broken anywhere
    for name, knob in knobs().items():
        assert f"--{name.replace('_', '-')}" in shown
        assert "".join(knob.help.split()) in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_help_speaks_of_values_as_a_person_would(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0 and SETTING.upper() not in shown
    assert not re.search(r"--(\w[\w-]*) (?=[A-Z_]*_)[A-Z_]+", shown), "no name of a variable"
    if command in ("train", "branch"):
        flat = " ".join(shown.split())
        for words in (
            "--dataset NAME The pictures",
            "--dataset-limit N|none Learn",
            "--lr-g X Learning rate",
            "--device auto|cpu|cuda|mps Where",
            "--data-root PATH Folder",
            "Optimiser:",
        ):
            assert words in flat
        assert len(flat.split("options:")[0]) < 300, "the usage is no list of all settings"


def test_sample_as_a_grid(run, tmp_path, capsys):
    out = tmp_path / "new" / "grid.png"
    assert main(["sample", str(run.path), "--n", "25", "--out", str(out)]) == 0
    with Image.open(out) as grid:
        assert grid.size == (10 * 16, 3 * 16) and grid.mode == "L"
    assert capsys.readouterr().out.strip().endswith(str(out))


def test_sample_as_arrays_repeats_with_the_seed(run, tmp_path):
    arrays = []
    for seed in (1, 1, 2):
        out = tmp_path / "samples.npz"
        assert main(["sample", str(run.generator), "--n", "7", "--seed", str(seed), "--out", str(out)]) == 0
        with np.load(out) as file:
            assert sorted(file) == ["images", "labels"]
            images, labels = file["images"], file["labels"]
        assert (images.dtype, images.shape) == (np.uint8, (7, 16, 16, 1))
        assert labels.tolist() == [0, 1, 2, 3, 4, 5, 6]
        arrays.append(images)
    assert (arrays[0] == arrays[1]).all() and (arrays[0] != arrays[2]).any()


def test_sample_one_label(run, tmp_path):
    out = tmp_path / "sevens.npz"
    assert main(["sample", str(run.path), "--n", "4", "--label", "7", "--out", str(out)]) == 0
    with np.load(out) as file:
        assert file["labels"].tolist() == [7] * 4


def test_resume_goes_on_to_a_longer_end(tmp_path, capsys):
    """A stopped run keeps its budget: after half of it, resume does the other half."""
    config = from_mapping({name.replace("-", "_"): value for name, value in SMALL.items()}
                          | {"dataset": "glyphs", "steps": 12})  # fmt: skip
    run = create_run(tmp_path, config, "glyphs", state="stopped")
    from gan_core.training import train

    steps = train(config, run)
    for _ in range(5):
        next(steps)
    steps.close()
    assert (read_status(run).state, checkpoint_steps(run)) == ("stopped", [5])
    capsys.readouterr()
    assert main(["resume", str(run.path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(run.path)
    assert (read_status(run).state, read_status(run).step) == ("finished", 12)


def unknown_loss(run):
    """The settings of a run that a later version made, or one with rows of its own."""
    about = json.loads(run.config.read_text())
    about["settings"]["loss"] = "pearson"
    run.config.write_text(json.dumps(about))
    return "There is no loss named 'pearson'; "


def test_a_run_with_a_loss_unknown_here_is_not_resumed(run, tmp_path, refuse):
    copy = RunPaths(shutil.copytree(run.path, tmp_path / run.id))
    sentence = unknown_loss(copy)
    assert refuse("resume", copy.path, "--steps", "14").startswith(sentence)
    assert refuse("branch", copy.path, "--at", "12", "--steps", "14").startswith(sentence)
    assert read_status(copy).state == "finished", "nothing was begun"


def test_a_worker_told_of_a_run_with_a_loss_unknown_here_says_so(run, tmp_path, monkeypatch):
    copy = RunPaths(shutil.copytree(run.path, tmp_path / run.id))
    sentence = unknown_loss(copy)
    amend_status(copy, state="queued")
    monkeypatch.setattr("gan_core.training.warm_up", lambda: None)
    for name in ("_step_back", "_speak_into"):
        monkeypatch.setattr(worker, name, lambda *about: None)
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"run": str(copy.path), "memory": 0}) + "\n"))
    assert worker.main() == 1
    assert read_status(copy).state == "failed" and read_status(copy).message.startswith(sentence)


def test_a_budget_used_up_is_refused(run, tmp_path, refuse, capsys):
    """Nothing would be trained, and nothing said."""
    copy = RunPaths(shutil.copytree(run.path, tmp_path / run.id))
    before = {path.name: path.read_bytes() for path in copy.path.glob("*.json*")}
    spent = f"Run {run.id} has used up its budget at step 12: give more --steps, --seconds or --images."
    for asked in ([], ["--device", "cpu"], ["--steps", "12"], ["--images", "96"]):
        assert refuse("resume", copy.path, *asked) == spent
        assert refuse("branch", copy.path, "--at", "12", *asked) == spent
    assert refuse("branch", copy.path, "--at", "12", "--lr-g", "0.001") == spent
    assert {path.name: path.read_bytes() for path in copy.path.glob("*.json*")} == before
    assert [path.name for path in tmp_path.iterdir()] == [run.id], "no branch was begun"
    for more in (["--steps", "13"], ["--images", str(8 * 15)]):
        assert main(["resume", str(copy.path), *more, "--quiet"]) == 0
    assert (read_status(copy).state, read_status(copy).step) == ("finished", 15)
    seconds = read_status(copy).seconds + 0.5
    assert main(["resume", str(copy.path), "--seconds", f"{seconds:.3f}", "--quiet"]) == 0
    assert read_status(copy).step > 15


@pytest.mark.parametrize("flags", [[], ["--steps", "12"]])
def test_a_run_that_failed_after_its_last_checkpoint_still_comes_to_its_end(run, tmp_path, flags):
    copy = RunPaths(shutil.copytree(run.path, tmp_path / run.id))
    amend_status(copy, state="failed", messages=[Message("run-full", run=copy.id)])
    assert main(["resume", str(copy.path), "--quiet", *flags]) == 0
    assert (read_status(copy).state, read_status(copy).step) == ("finished", 12)


def test_runs_lists_them_newest_first(run, tmp_path, capsys):
    copies = [shutil.copytree(run.path, tmp_path / name) for name in ("a", "b", "c")]
    for path, created in zip(copies, (5.0, 9.0, 7.0)):
        status = RunPaths(path).status
        status.write_text(json.dumps(json.loads(status.read_text()) | {"created": created}))
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["b", "c", "a"]
    assert all("finished" in line and " 12 " in line for line in lines)


def test_stop_ends_any_run_that_is_active_whoever_started_it(tmp_path, refuse):
    made = create_run(tmp_path, from_mapping({"dataset": "glyphs", "steps": 5}), owner="a visitor's mark")
    assert main(["stop", str(made.path)]) == 0
    assert control.read(made).command == "stop"
    amend_status(made, state="stopped")
    assert refuse("stop", made.path).endswith(f"Run {made.id} cannot be stopped: it is stopped already.")
    assert "There is no run named 'nothing'" in refuse("stop", tmp_path / "nothing")


def test_no_runs_is_no_error_but_no_folder_is_one(tmp_path, refuse, capsys):
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("", f"There is no run in {tmp_path} yet.\n")
    (tmp_path / "file").write_text("")
    for name in ("none", "file"):
        folder = tmp_path / name
        said = f"There is no folder {folder}: name the one that holds the runs with --runs DIR."
        assert refuse("runs", "--runs", folder) == said


@NO_GPU
@pytest.mark.parametrize("flags", [
    ["--device", "cuda"], ["--preset", "digits", "--data-root", "EMPTY"], ["--start-from", "EMPTY/none"],
])  # fmt: skip
def test_what_is_not_here_leaves_no_run_behind(tmp_path, refuse, flags):
    runs, flags = tmp_path / "runs", [flag.replace("EMPTY", str(tmp_path)) for flag in flags]
    said = refuse("train", "--preset", "glyphs", *flags, "--steps", "3", "--runs", runs)
    assert said.startswith(("There is no cuda here", "MNIST is not here", "There is no run, checkpoint or"))
    assert not runs.exists()


@NO_GPU
def test_a_run_that_cannot_go_on_here_is_left_as_it_is(run, tmp_path, refuse):
    copy = RunPaths(shutil.copytree(run.path, tmp_path / run.id))
    before = {path.name: path.read_bytes() for path in copy.path.glob("*.json*")}
    for name, words in (("resume", []), ("branch", ["--at", "12"])):
        said = refuse(name, copy.path, *words, "--steps", "14", "--device", "cuda")
        assert said.startswith("There is no cuda here; choose one of auto, cpu")
    assert {path.name: path.read_bytes() for path in copy.path.glob("*.json*")} == before
    assert [path.name for path in tmp_path.iterdir()] == [run.id], "no branch was begun"


def test_datasets_and_presets_are_listed(capsys):
    from gan_core.data import DATASETS
    from gan_core.presets import PRESETS

    assert main(["datasets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(DATASETS)
    assert next(line for line in lines if line.startswith("glyphs")).split()[1] == "ready"
    assert main(["presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(PRESETS)
    (start,) = {line.index(row.summary) for line, row in zip(lines, PRESETS.values())}
    assert start == 1 + max(map(len, PRESETS)), "the sentences stand in one column"
    beside = {line.split()[0]: line.split()[-1] for line in lines if "Hold beside it" in line}
    assert beside == {name: f"{row.cure}." for name, row in PRESETS.items() if row.cure}


def test_score_prints_every_figure(run, real_set, capsys):
    """Judged against real digits or clothes; where neither is here, the sentence says what is missing."""
    judged = real_set if real_set != "glyphs" else "mnist"
    code = main(["score", str(run.path), "--n", "200", "--dataset", judged])
    out, err = capsys.readouterr()
    if real_set == "glyphs":
        assert code == 2 and err.startswith("MNIST is not here")
        return
    figures = {line.split()[0]: float(line.split()[1]) for line in out.splitlines()}
    assert code == 0
    assert {"frechet", "floor", "classes", "class_kl", "confidence", "agreement"} <= set(figures)
    assert 0 <= figures["confidence"] <= 1 and figures["frechet"] > figures["floor"] > 0


@pytest.mark.parametrize(
    "flags, sentence",
    [(["--dataset", "mnits"], "There is no data set named 'mnits'; did you mean 'mnist'?"),
     (["--preset", "digit"], "There is no preset named 'digit'; did you mean 'digits'?"),
     (["--steps", "0"], "steps is 0, allowed are 1 to 100,000,000."),
     (["--lr-g", "9"], "lr_g is 9, allowed are 1e-06 to 0.1. Did you mean 0.009?"),
     (["--steps", "many"], "steps is 'many', which is not a whole number."),
     (["--size", "48"], "size is 48, allowed are 1, 16, 28, 32, 64, 128."),
     (["--batchsize", "8"], "There is no flag named '--batchsize'; did you mean '--batch'?"),
     (["--lr_g=0.001"], "There is no flag named '--lr_g'; did you mean '--lr-g'?"),
     (["--pictures", "50"], "There is no flag named '--pictures'; did you mean '--dataset-limit'?"),
     (["--qqq"], "There is no flag '--qqq'; `python -m gan_core train --help` lists them."),
     (["here"], "python -m gan_core train: unrecognized arguments: here"),
     (["--dataset", "mnist", "--data-root", "no-such-folder"], "MNIST is not here: there is no ")],
)  # fmt: skip
def test_a_bad_setting_is_answered_in_one_sentence(tmp_path, refuse, flags, sentence):
    assert refuse("train", "--runs", tmp_path, *flags).startswith(sentence)


def test_a_missing_root_names_the_folder_and_the_remedy(tmp_path, refuse):
    root = tmp_path / "empty"
    root.mkdir()
    said = refuse("train", "--preset", "digits", "--data-root", root, "--runs", tmp_path / "runs", "--quiet")
    assert str(root) in said and f"datasets --download mnist --data-root {root}" in said


def test_commands_that_are_no_commands(refuse, run):
    assert refuse("trian") == "There is no command named 'trian'; did you mean 'train'?"
    assert refuse("qqq").startswith(
        "There is no command named 'qqq'; known are branch, datasets, doctor, presets"
    )
    assert "COMMAND" in refuse()
    assert refuse("--quiet", "train", "--preset", "glyphs").startswith("--quiet stands before the command")
    assert "'0' is not a whole number" in refuse("sample", run.path, "--n", "0", "--out", "a.png")
    assert refuse("datasets", "--download", "mnits").endswith("did you mean 'mnist'?")


def test_truncated_weights(run, tmp_path, refuse):
    data = run.generator.read_bytes()
    for kept in (0, 5, 200, len(data) - 100):
        short = tmp_path / "short.safetensors"
        short.write_bytes(data[:kept])
        said = refuse("sample", short, "--out", tmp_path / "a.png")
        assert said.startswith("short.safetensors is not a whole safetensors file")
    assert not (tmp_path / "a.png").exists()


def test_a_pickle_renamed_is_never_opened(tmp_path, refuse):
    trap, sprung = tmp_path / "model.safetensors", tmp_path / "sprung"

    class Trap:
        def __reduce__(self):
            return Path.touch, (sprung,)

    trap.write_bytes(pickle.dumps(Trap()))
    assert "a pickle, which is never opened" in refuse("sample", trap, "--out", tmp_path / "a.png")
    assert "a pickle, which is never opened" in refuse("score", trap)
    assert not sprung.exists()


def test_what_is_not_there(tmp_path, refuse):
    out = tmp_path / "a.png"
    assert refuse("sample", tmp_path / "b.safetensors", "--out", out).startswith("There is no weights file")
    assert refuse("score", tmp_path).startswith("There is no weights file")
    assert refuse("resume", tmp_path / "20260101-run").startswith("There is no run named '20260101-run'")


def test_sampling_what_cannot_be_drawn_or_written(run, tmp_path, refuse):
    out = tmp_path / "a.png"
    assert refuse("sample", run.path, "--label", "10", "--out", out) == "label is 10, allowed are 0 to 9."
    assert "must end in .png (a grid) or .npz" in refuse("sample", run.path, "--out", tmp_path / "a.gif")
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refuse("sample", run.path, "--n", "1", "--out", tmp_path / "file" / "a.png")


def test_a_run_from_a_newer_version(tmp_path, refuse, capsys):
    config = from_mapping({"dataset": "glyphs", "steps": 3})
    run = create_run(tmp_path, config, state="stopped")
    for path in (run.status, run.config):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    assert "written by a newer version" in refuse("resume", run.path)
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert "newer version" in capsys.readouterr().out


def test_a_run_that_is_training_is_not_resumed_a_second_time(tmp_path, refuse):
    run = create_run(tmp_path, from_mapping({"dataset": "glyphs", "steps": 3}), state="running")
    before = run.status.read_bytes()
    assert refuse("resume", run.path) == f"Run {run.id} is running; stop it before it is resumed here."
    assert run.status.read_bytes() == before


def test_runs_where_nothing_can_be_written(tmp_path, refuse):
    (tmp_path / "file").write_text("")
    said = refuse("train", "--preset", "glyphs", "--steps", "1", "--runs", tmp_path / "file")
    assert said.startswith("No run can be made in ")


def test_ctrl_c_leaves_a_finished_run_that_can_go_on(tmp_path):
    """In a real process: interrupted while it trains, it ends with its directory; resume takes it further."""
    runs = tmp_path / "runs"
    command = [sys.executable, "-m", "gan_core", *train_flags(runs, "--seconds", "120", "--log-every", "1")]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while not (lines := list(runs.glob("*/metrics.jsonl"))) or lines[0].stat().st_size == 0:
            assert child.poll() is None, child.communicate()
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert (child.returncode, err) == (0, "")
    run = RunPaths(Path(out.splitlines()[-1]))
    status = read_status(run)
    assert status.state == "stopped" and checkpoint_steps(run) == [status.step] and status.step >= 1
    assert Sampler.load(run.path).info["step"] == status.step

    settings = json.loads(run.config.read_text())
    settings["settings"] |= {"seconds": None, "steps": status.step + 2}
    run.config.write_text(json.dumps(settings))
    assert main(["resume", str(run.path)]) == 0
    assert (read_status(run).state, read_status(run).step) == ("finished", status.step + 2)


def test_one_sentence_from_a_real_process():
    command = [sys.executable, "-m", "gan_core", "train", "--dataset", "mnits"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "There is no data set named 'mnits'; did you mean 'mnist'?\n"
