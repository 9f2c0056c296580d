"""What gan_core says in English reaches a Chinese visitor in Chinese: errors that are really raised."""

from __future__ import annotations

import errno
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from generators import make_model_run
from gradio.context import LocalContext
from starlette.applications import Starlette
from starlette.testclient import TestClient
from synthetic import make_run

from gan_core import cli, jobs, scoring
from gan_core.catalog import SINGULAR
from gan_core.checkpoints import load_generator, read_header
from gan_core.child import Child
from gan_core.config import TrainConfig
from gan_core.data import load
from gan_core.errors import GanError, JobError, ProcessLost
from gan_core.files import write_json
from gan_core.knobs import unknown_names
from gan_core.rules import RULES
from gan_core.runs import branch, reader
from gan_core.runs.layout import find_run
from gan_core.runs.writer import RunWriter, amend_status
from gan_core.training import loop, snapshot
from gan_core.training.distributed import DistributedContext
from studio import forms, words
from studio.dataset_preview import DatasetPreviews
from studio.handlers import guarded
from studio.live import Live
from studio.words import sentence

CHINESE = re.compile("[\u4e00-\u9fff]")


def config(**values: Any) -> Callable[[Path], object]:
    return lambda folder: forms.configure("digits", values)


def truncated(folder: Path) -> None:
    path = make_model_run(folder).generator
    path.write_bytes(path.read_bytes()[:5000])
    load_generator(path)


def pickled(folder: Path) -> None:
    (folder / "x.safetensors").write_bytes(pickle.dumps({"a": 1}))
    read_header(folder / "x.safetensors")


def full_queue(folder: Path) -> None:
    queue: Any = SimpleNamespace(_closed=False, _queue_limit=3, _look=list, _waiting=lambda _: [1, 2, 3])
    jobs.Jobs._make_room(queue)


def newer(folder: Path) -> None:
    run = make_run(folder)
    write_json(run.status, {"schema": 99})
    reader.read_status(run)


def full_disk(folder: Path) -> None:
    writer = RunWriter(make_run(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pathlib.Path.open", failing)
        patch.setattr("builtins.open", failing)
        writer.record({"step": 1})


def failing(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def killed(folder: Path) -> None:
    child = Child([sys.executable, "-c", "input()"])
    child.kill()
    raise JobError(f"{child.exit_reason()} {reader.last_checkpoint(make_run(folder))}")


def diverged(folder: Path, retries: int = 0) -> None:
    """Where the setting once had `retries` left, all of them used up by now."""
    run = make_run(folder)
    RunWriter(run).verdict({"kind": "diverged", "retries": retries})
    run.checkpoint(5).mkdir()
    writer: Any = SimpleNamespace(verdict=lambda _: None, run=run)
    session: Any = SimpleNamespace(state=SimpleNamespace(step=7), writer=writer, render=lambda: None,
                                   config=TrainConfig(steps=9))  # fmt: skip
    loop._diverged(session, "loss/G")


def diverged_again(folder: Path) -> None:
    diverged(folder, retries=1)


def spent(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "read_counters", lambda _: {"images": 320, "seconds": 2.5})
        cli._check_budget(make_run(folder), [5], TrainConfig(steps=5))


def lost(folder: Path) -> None:
    raise ProcessLost(f"{world.LOST} {reader.last_checkpoint(make_run(folder))}")


def other_kind(folder: Path) -> None:
    model: Any = SimpleNamespace(channels=1, kind="pictures")
    sampler: Any = SimpleNamespace(model=model)
    scoring.score_generator(sampler, dataset="ring")


def other_weights(folder: Path) -> None:
    run, old = make_run(folder), TrainConfig(steps=9)
    run.checkpoint(5).mkdir(parents=True, exist_ok=True)
    branch(run, 5, old, replace(old, start_from="x"), "")


RAISED: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "a step size of 9": (config(lr_g=9), ["error.range", "error.meant"]),
    "no steps": (config(steps=0), ["error.range"]),
    "no choice": (config(conditioning="x"), ["error.choice"]),
    "no number": (config(batch="many"), ["error.type"]),
    "three at once": (config(lr_g=9, stepz=1, batch="x. y"),
                      ["error.unknown.near", "error.type", "error.range", "error.meant"]),
    "a setting of the server": (config(data_root="x"), ["error.local"]),
    "an unknown data set": (config(dataset="mnits"), ["error.unknown.near"]),
    "nothing like a data set": (config(dataset="qqqq"), ["error.unknown"]),
    "missing data": (lambda folder: load("cifar10", root=str(folder)), ["error.data.missing"]),
    "truncated weights": (truncated, ["error.weights.torn"]),
    "a pickle": (pickled, ["error.weights.torn"]),
    "no weights": (lambda folder: read_header(folder / "x"), ["error.weights.missing"]),
    "a full queue": (full_queue, ["error.job.full"]),
    "a newer run": (newer, ["error.run.newer"]),
    "a full disk": (full_disk, ["error.run.full", "error.checkpoint.none"]),
    "a killed worker": (killed, ["error.end.memory", "error.checkpoint.none"]),
    "a diverged run": (diverged, ["error.end.diverged", "error.end.back"]),
    "a run that diverged again": (diverged_again, ["error.end.diverged", "error.end.back.again"]),
    "a budget used up": (spent, ["error.run.spent"]),
    "a lost process": (lost, ["error.end.lost", "error.checkpoint.none"]),
    "an odd batch": (lambda folder: DistributedContext(0, 4).check(7), ["error.batch.shared"]),
    "one pack": (config(batch=4, pack=4, conditional=False, d_norm="batch"), ["error.rule.lone_pack"]),
    "a branch's first weights": (other_weights, ["error.branch.weights"]),
    "a score by points": (other_kind, ["error.weights.kind"]),
    "an unknown run": (lambda folder: find_run(folder, "x. y"), ["error.unknown.run"]),
}  # fmt: skip


def literals(key: str) -> list[str]:
    return [part for part in re.split(r"\{\w+\}", words.TABLE[key][1]) if part]


@pytest.mark.parametrize("name", RAISED)
def test_a_raised_error_is_chinese_and_keeps_its_values(name: str, tmp_path: Path) -> None:
    cause, keys = RAISED[name]
    with pytest.raises(GanError) as raised:
        cause(tmp_path)
    english = str(raised.value)
    chinese = sentence(english, "zh")
    assert sentence(english, "en") == english
    at = 0
    for part in (part for key in keys for part in literals(key)):
        assert part in chinese[at:], chinese
        at = chinese.index(part, at) + len(part)
    figures = re.findall(r"'[^']*'|\d[\d.,]*\d", english)
    assert [figure for figure in figures if figure not in chinese] == []


@pytest.mark.parametrize("key", words._SHAPES)
def test_a_template_is_recognised_and_not_taken_for_another(key: str) -> None:
    english, chinese = words.TABLE[key]
    values = {name: f"<{name}>" for name in re.findall(r"\{(\w+)\}", english)}
    ends = english[-1] in ".?"
    follow, after = (" Did you mean 5?", "是不是 5？") if ends else ("", "")
    assert sentence(english.format(**values) + follow, "zh") == chinese.format(**values) + after


def test_words_in_a_place_are_chinese_and_what_is_unknown_stays() -> None:
    assert sentence("Run r1 cannot be paused: it is queued.", "zh") == "无法暂停训练 r1：它正在排队。"
    assert sentence("No run can be made in a: Permission denied.", "zh") == "无法在 a 中新建训练：没有权限。"
    assert sentence("Something else.", "zh") == "Something else."
    assert sentence("The queue is closed. Something else.", "zh") == "队列已关闭。Something else."
    assert sentence("The queue is closed. " * 500, "zh") == "The queue is closed. " * 500


@pytest.mark.parametrize("what", SINGULAR.values())
def test_every_kind_of_name_is_chinese(what: str) -> None:
    for asked in ("mnits", "qqqq"):
        (problem,) = unknown_names([asked], ["mnist"], what)
        told = sentence(problem.message, "zh")
        assert told.startswith("没有名为") and what not in told, told


def test_all_that_gan_core_raises_has_a_template() -> None:
    """The words around the places of every f-string that is raised or put into a problem."""
    root = Path(words.__file__).parents[1]
    out = subprocess.run(["git", "grep", "-hoE", r'raise (Data|Weights|Run|Job)Error\(f?"[^"]+"\)', "--",
                          "gan_core/*.py", ":!gan_core/cli.py"],
                         cwd=root, capture_output=True, text=True, check=True).stdout  # fmt: skip
    texts = re.findall(r'f?"([^"]+)"\)', out)
    assert len(texts) > 25
    filled = [
        re.sub(r"(?<=.)\{did_you_mean.*", "; did you mean 'x'?", text.replace("{hint}", "")) for text in texts
    ]
    filled = [re.sub(r"\{[^{}]*(\{[^{}]*\}[^{}]*)*\}", "x", text) for text in filled]
    assert [text for text in filled if sentence(text, "zh") == text] == []


def test_every_rule_of_settings_is_chinese_and_keeps_its_figures() -> None:
    config = TrainConfig(batch=64, batch_end=100)
    for rule in RULES:
        told = sentence(rule.words(config), "zh")
        assert CHINESE.search(told) and "{" not in told
    (grown,) = [rule for rule in RULES if rule.broken(config)]
    assert re.findall(r"\d+", sentence(grown.words(config), "zh")) == ["64", "100", "64", "128"]


def test_a_notice_and_a_status_are_in_the_visitors_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise JobError("The queue is closed.")

    shown: list[str] = []
    monkeypatch.setattr(gr, "Warning", shown.append)
    visitor: Any = SimpleNamespace(request=True, cookies={words.COOKIE: "zh"}, headers={})
    asked = LocalContext.request.set(visitor)
    guarded(fail)()
    LocalContext.request.reset(asked)
    guarded(fail)()
    assert shown == ["队列已关闭。", "The queue is closed."]

    run = make_run(tmp_path)
    amend_status(run, state="failed", message="Its process is gone. No checkpoint had been written yet.")
    routes = Live(tmp_path, list).routes() + DatasetPreviews(str(tmp_path)).routes()
    web = TestClient(Starlette(routes=routes))
    told = {tongue: web.get(f"/studio/live?run={run.id}", headers={"accept-language": tongue}).json()
            for tongue in ("zh-CN", "en")}  # fmt: skip
    assert told["zh-CN"]["message"] == "它的进程已经不在了。还没有写过存档。"
    assert told["en"]["message"].startswith("Its process is gone.")
    refused = web.get("/studio/data?name=mnits", headers={"accept-language": "zh"}).json()["error"]
    assert refused == "没有名为 'mnits' 的数据集；是不是 'mnist'？"


def test_the_templates_stay_on_the_server() -> None:
    assert "error.range" not in words.script()
    assert not any(CHINESE.search(row[0]) for row in words.TABLE.values())
