"""What gan_core says reaches a Chinese visitor in Chinese: errors that are really raised, and old runs."""

from __future__ import annotations

import errno
import json
import os
import pickle
import re
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
from gan_core.checkpoints import load_generator, read_header
from gan_core.child import Child
from gan_core.config import TrainConfig
from gan_core.data import load
from gan_core.errors import GanError, JobError, ProcessLost
from gan_core.files import write_json
from gan_core.limits import Limits
from gan_core.messages import Message
from gan_core.rules import RULES
from gan_core.runs import branch, reader
from gan_core.runs.layout import find_run
from gan_core.runs.reader import Verdict
from gan_core.runs.writer import RunWriter, amend_status
from gan_core.training import loop, session, snapshot
from gan_core.training.distributed import DistributedContext
from studio import forms, words
from studio.dataset_preview import DatasetPreviews
from studio.handlers import guarded
from studio.live import Live
from studio.redact import redact
from studio.words import sentences

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
    whose = SimpleNamespace(owner=str, address=str)
    waiting = {"_look": list, "_waiting": lambda _: ["a", "b", "c"], "_visitors": whose}
    queue: Any = SimpleNamespace(_closed=False, _limits=Limits(queue=3), **waiting)
    jobs.Jobs._make_room(queue, "")


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
    raise JobError.of([child.exit_reason(), reader.last_checkpoint(make_run(folder))])


def diverged(folder: Path, retries: int = 0) -> None:
    """Where the setting once had `retries` left, all of them used up by now."""
    run = make_run(folder)
    RunWriter(run).verdict(Verdict("diverged", 3, {"retries": retries}))
    RunWriter(run).checkpoint(5, lambda path: path.joinpath("state").write_text("good"))  # type: ignore[arg-type, return-value]
    writer: Any = SimpleNamespace(verdict=lambda _: None, run=run)
    under_way: Any = SimpleNamespace(state=SimpleNamespace(step=7), writer=writer,
                                     render_samples=lambda last: 0, config=TrainConfig(steps=9))  # fmt: skip
    loop._diverged(under_way, "loss/G")


def diverged_again(folder: Path) -> None:
    diverged(folder, retries=1)


def spent(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "read_counters", lambda _: {"images": 320, "seconds": 2.5})
        cli._check_budget(make_run(folder), [5], TrainConfig(steps=5))


def lost(folder: Path) -> None:
    raise ProcessLost("process-lost", reader.last_checkpoint(make_run(folder)))


def other_kind(folder: Path) -> None:
    model: Any = SimpleNamespace(channels=1, kind="pictures")
    sampler: Any = SimpleNamespace(model=model)
    scoring.score_generator(sampler, dataset="ring")


def other_weights(folder: Path) -> None:
    run, old = make_run(folder), TrainConfig(steps=9)
    RunWriter(run).checkpoint(5, lambda path: path.joinpath("state").write_text("good"))  # type: ignore[arg-type, return-value]
    branch(run, 5, old, replace(old, start_from="x"), "")


def piped(folder: Path) -> None:
    os.mkfifo(folder / "x.safetensors")
    read_header(folder / "x.safetensors")


def linked(folder: Path) -> None:
    run = make_run(folder / "runs")
    run.status.rename(folder / "status.json")
    run.status.symlink_to(folder / "status.json")
    reader.read_status(run)


def powerless(folder: Path) -> None:
    run = make_run(folder)
    run.checkpoint(5).mkdir()
    (run.checkpoint(5) / "state.safetensors").write_bytes(b"")
    session.newest_checkpoint(run)


def crowded(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_CACHE_MB", "1")
        patch.setenv("GAN_CACHE", str(folder))
        load("glyphs", size=128)


RAISED: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "a learning rate of 9": (config(lr_g=9), ["out-of-range-near"]),
    "no steps": (config(steps=0), ["out-of-range"]),
    "no choice": (config(conditioning="x"), ["not-a-choice"]),
    "no number": (config(batch="many"), ["wrong-type"]),
    "three at once": (config(lr_g=9, stepz=1, batch="x. y"),
                      ["unknown-near", "wrong-type", "out-of-range-near"]),
    "a setting of the server": (config(data_root="x"), ["setting-local"]),
    "an unknown data set": (config(dataset="mnits"), ["unknown-near"]),
    "nothing like a data set": (config(dataset="qqqq"), ["unknown"]),
    "missing data": (lambda folder: load("cifar10", root=str(folder)), ["data-missing"]),
    "truncated weights": (truncated, ["weights-torn"]),
    "a pickle": (pickled, ["weights-torn"]),
    "no weights": (lambda folder: read_header(folder / "x"), ["weights-missing"]),
    "a full queue": (full_queue, ["queue-full"]),
    "a newer run": (newer, ["run-newer"]),
    "a full disk": (full_disk, ["run-full", "checkpoint-none"]),
    "a killed worker": (killed, ["worker-killed", "checkpoint-none"]),
    "a diverged run": (diverged, ["diverged", "way-back-or-retries"]),
    "a run that diverged again": (diverged_again, ["diverged", "way-back"]),
    "a budget used up": (spent, ["run-spent"]),
    "a lost process": (lost, ["process-lost", "checkpoint-none"]),
    "an odd batch": (lambda folder: DistributedContext(0, 4).check(7), ["batch-shared"]),
    "one pack": (config(batch=4, pack=4, conditional=False, d_norm="batch"), ["rule-pack-batch-norm"]),
    "a branch's first weights": (other_weights, ["branch-weights"]),
    "a score by points": (other_kind, ["score-kind"]),
    "a pipe for weights": (piped, ["weights-unreadable"]),
    "a run that leads elsewhere": (linked, ["run-unreadable"]),
    "checkpoints that are not whole": (powerless, ["run-no-checkpoint", "checkpoints-damaged"]),
    "too large for the cache": (crowded, ["data-cache-limit"]),
    "an unknown run": (lambda folder: find_run(folder, "x. y"), ["run-unknown"]),
}  # fmt: skip


def literals(code: str) -> list[str]:
    return [part for part in re.split(r"\{[^}]+\}", words.TABLE[words.MESSAGE + code][1]) if part]


@pytest.mark.parametrize("name", RAISED)
def test_a_raised_error_is_chinese_and_keeps_its_values(name: str, tmp_path: Path) -> None:
    cause, codes = RAISED[name]
    with pytest.raises(GanError) as raised:
        cause(tmp_path)
    messages, english = raised.value.messages, sentences(raised.value.messages, "en")
    assert english == str(GanError.of(redact(messages))), "as the library says it, but for folders"
    assert [message.code for message in messages] == codes
    chinese = sentences(messages, "zh")
    at = 0
    for part in (part for code in codes for part in literals(code)):
        assert part in chinese[at:], chinese
        at = chinese.index(part, at) + len(part)
    figures = re.findall(r"'[^']*'|\d[\d.,]*\d", english)
    assert [figure for figure in figures if figure not in chinese] == []


def test_words_in_a_place_are_chinese_and_what_has_none_stays() -> None:
    told = sentences([Message("job-pause", run="r1", state="queued")], "zh")
    assert told == "无法暂停训练 r1：它正在排队。"
    both = Message("run-make", folder="a", reason=os.strerror(errno.EACCES)), Message("meant", near="b")
    assert sentences(both, "zh") == "无法在 a 中新建训练：没有权限。是不是 b？"
    kept = Message("score-kind", drawn="points", dataset="glyphs", held="grey")
    assert sentences([kept], "zh") == "这个生成器画的是点，不能按 glyphs 评分：那里是灰度图片。"
    assert sentences([Message("of-tomorrow", step=3)], "zh") == "of-tomorrow 3"


def test_every_rule_of_settings_is_chinese_and_keeps_its_figures() -> None:
    config = TrainConfig(batch=64, batch_end=100)
    for rule in RULES:
        told = sentences([rule.message(config)], "zh")
        assert CHINESE.search(told) and "{" not in told
    (grown,) = [rule for rule in RULES if rule.broken(config)]
    assert re.findall(r"\d+", sentences([grown.message(config)], "zh")) == ["64", "100", "64", "128"]


def test_a_notice_and_a_status_are_in_the_visitors_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise JobError("queue-closed")

    shown: list[str] = []
    monkeypatch.setattr(gr, "Warning", shown.append)
    visitor: Any = SimpleNamespace(request=True, cookies={words.COOKIE: "zh"}, headers={})
    asked = LocalContext.request.set(visitor)
    guarded(fail)()
    LocalContext.request.reset(asked)
    guarded(fail)()
    assert shown == ["队列已关闭。", "The queue is closed."]

    run = make_run(tmp_path)
    amend_status(run, state="failed", messages=[Message("process-gone"), Message("checkpoint-none")])
    routes = Live(tmp_path, list).routes() + DatasetPreviews(str(tmp_path)).routes()
    web = TestClient(Starlette(routes=routes))
    told = {tongue: web.get(f"/studio/live?run={run.id}", headers={"accept-language": tongue}).json()
            for tongue in ("zh-CN", "en")}  # fmt: skip
    assert told["zh-CN"]["message"] == "它的进程已经不在了。还没有写过检查点。"
    assert told["en"]["message"].startswith("Its process is gone.")
    refused = web.get("/studio/data?name=mnits", headers={"accept-language": "zh"}).json()["error"]
    assert refused == "没有名为 'mnits' 的数据集；是不是 'mnist'？"


def test_an_old_runs_sentence_is_shown_as_it_is(tmp_path: Path) -> None:
    """Before messages were data a status held finished English."""
    run, said = make_run(tmp_path), "Its process is gone. A {brace} too."
    status = json.loads(run.status.read_text("utf-8"))
    del status["messages"]
    write_json(run.status, {**status, "state": "failed", "message": said})
    web = TestClient(Starlette(routes=Live(tmp_path, list).routes()))
    for tongue in ("zh-CN", "en"):
        told = web.get(f"/studio/live?run={run.id}", headers={"accept-language": tongue}).json()
        assert told["message"] == said
    amend_status(run, step=5)  # written again it is data, and says the same
    assert json.loads(run.status.read_text("utf-8"))["messages"][0]["code"] == "prose"
    assert reader.read_status(run).message == said


def test_the_words_of_messages_stay_on_the_server() -> None:
    assert '"message.' not in words.script() and "knobs.lr_g.help" in words.script()
    assert not [key for key in words.translations().translations["zh"] if key.startswith("message.")]
    assert not any(CHINESE.search(row[0]) for row in words.TABLE.values())
