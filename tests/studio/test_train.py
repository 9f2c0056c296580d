"""The Train tab's handlers with plain values, and what is shown of the data and the machine."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from generators import write_generator
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from synthetic import make_run
from test_training_api import FakeJobs, FakeServices

from gan_core.config import TrainConfig, knobs
from gan_core.data import DATASETS
from gan_core.errors import ConfigError, DataError, JobError
from gan_core.limits import Limits
from gan_core.presets import PRESETS, settings
from gan_core.runs import control
from studio import dataset_preview, estimate, run_controls
from studio.dataset_preview import DatasetPreviews, first_choice
from studio.estimate import FAR, SAME_SPEED, SEEN, SpeedTrials, estimate_of, key
from studio.tabs import train
from studio.words import TABLE

GLYPHS = {"dataset": "glyphs", "seconds": 2}
ME = "a visitor's mark"


@pytest.fixture
def services(tmp_path: Path) -> Any:
    return FakeServices(tmp_path, data_root="")


def test_start_queues_the_visitors_settings_and_answers_with_the_id(services: Any) -> None:
    assert run_controls.start(services, "glyphs", GLYPHS | {"lr_g": 0.003}, ME) == "a-run"
    ((_, config, preset, owner, _),) = services.jobs.told
    assert owner == ME
    assert (preset, config.dataset, config.seconds, config.lr_g) == ("glyphs", "glyphs", 2.0, 0.003)


def test_bad_settings_queue_nothing(services: Any) -> None:
    with pytest.raises(ConfigError, match="lr_g is 9"):
        run_controls.start(services, "glyphs", GLYPHS | {"lr_g": 9}, ME)
    assert services.jobs.told == []


def test_a_data_set_that_is_not_here_must_be_downloaded_first(services: Any, tmp_path: Path) -> None:
    services.data_root = str(tmp_path / "empty")
    with pytest.raises(DataError, match="download it on the Train tab"):
        run_controls.start(services, "digits", {"dataset": "kmnist", "seconds": 2}, ME)
    assert services.jobs.told == []


def test_a_public_studio_ends_every_run_in_time(services: Any) -> None:
    services.longest = 60.0
    with pytest.raises(ConfigError, match="60 seconds at most"):
        run_controls.start(services, "glyphs", GLYPHS | {"seconds": 61}, ME)
    run_controls.start(services, "glyphs", GLYPHS | {"seconds": None, "steps": 5_000_000}, ME)
    run_controls.start(services, "glyphs", GLYPHS | {"seconds": 60}, ME)
    assert [config.seconds for _, config, *_ in services.jobs.told] == [60.0, 60.0]


@pytest.mark.parametrize(("order", "stop", "pause"), [("pause", True, "continue"), ("stop", False, "pause")])
def test_a_button_answers_before_the_run_has_come_to_look(
    services: Any, order: str, stop: bool, pause: str
) -> None:
    run = make_run(services.runs, state="running", owner=ME)
    control.send(run, order)
    can = run_controls.controls(services, run.id, ME)
    assert (can.stop, can.pause) == (stop, pause)


@pytest.mark.parametrize(
    ("state", "stop", "pause"),
    [("running", True, "pause"), ("paused", True, "continue"), ("queued", True, ""), ("finished", False, ""),
     ("stopped", False, ""), ("failed", False, "")],
)  # fmt: skip
def test_what_can_be_done_follows_the_state(services: Any, state: str, stop: bool, pause: str) -> None:
    can = run_controls.controls(services, make_run(services.runs, state=state, owner=ME).id, ME)
    assert (can.stop, can.pause, can.explore, can.watch) == (stop, pause, False, True)


def test_a_stopped_run_with_a_checkpoint_can_go_on_and_be_explored(services: Any) -> None:
    run = make_run(services.runs, state="stopped", owner=ME)
    run.checkpoint(200).mkdir()
    (run.checkpoint(200) / "state").write_text("good")
    write_generator(run.generator)
    can = run_controls.controls(services, run.id, ME)
    assert can.pause == "continue" and can.explore
    assert run_controls.controls(services, run.id, "you") == run_controls.Controls(explore=True, watch=True)


@pytest.mark.parametrize("gone", ["", "nothing", "../x"])
def test_nothing_can_be_done_without_a_run(services: Any, gone: str) -> None:
    assert run_controls.controls(services, gone, ME) == run_controls.Controls()


def test_pause_turns_to_continue(services: Any) -> None:
    class Jobs(FakeJobs):
        def pause(self, run: str) -> None:
            self.told.append(("pause",))

        def resume(self, run: str) -> None:
            self.told.append(("resume",))

    services.jobs = Jobs()
    for state in ("running", "paused"):
        run = make_run(services.runs, state=state, owner=ME).id
        with pytest.raises(JobError, match="somebody else's"):
            run_controls.pause_or_continue(services, run, "you")
        run_controls.pause_or_continue(services, run, ME)
    assert services.jobs.told == [("pause",), ("resume",)]


def test_the_budget_entered_is_the_choice_or_the_custom_number(tmp_path: Path) -> None:
    with gr.Blocks():
        train.build(FakeServices(tmp_path, data_root=""))
    for config, choice in ((settings("digits", {}), 10), (TrainConfig(seconds=7.0), 0)):
        assert train._budget(config)[0] == choice
    assert train._budget(TrainConfig(steps=5)) == (train.CUSTOM, None)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_its_name_and_sentence_in_both_languages(preset: str) -> None:
    assert TABLE[f"preset.{preset}.summary"][0] == PRESETS[preset].summary
    english, chinese = TABLE[f"preset.{preset}"]
    assert english != chinese
    mark = "⚠ " if PRESETS[preset].cure else "● "
    assert english.startswith(mark) and chinese.startswith(mark), "healthy or failing shows in the list"


def test_a_sentence_says_how_far_the_budget_goes() -> None:
    ten = settings("digits", {})
    assert estimate_of(ten, 68.0, "en", "digits").startswith(
        "About 700 steps here; so many have given digits"
    )
    assert estimate_of(ten, 7.0, "zh", "digits") == "这台机器上约 70 步。"
    assert "2,000 steps" in estimate_of(settings("digits", {"seconds": 30}), 68.0, "en")
    assert "About 50 steps" in estimate_of(settings("digits", {"steps": 50}), None, "en")
    assert "About 30 steps" in estimate_of(settings("digits", {"images": 64 * 30}), None, "en")
    twice = settings("digits", {"images": 64 * 30, "d_steps": 2})
    assert "About 15 steps" in estimate_of(twice, None, "en"), "each of D's steps sees other pictures"
    assert estimate_of(ten, None, "en") == TABLE["train.estimate.unknown"][0]
    sick = settings("fail-double-sigmoid", {})
    assert estimate_of(sick, None, "en", "fail-double-sigmoid").endswith(" here, and it fails as it says.")
    for changes in ({"steps": 50}, {"steps": 5000}, {"seconds": 300}, {"lr_g": 0.001}):
        other = settings("fail-double-sigmoid", {"steps": sick.steps, **changes})
        assert estimate_of(other, 10.0, "en", "fail-double-sigmoid").endswith(" steps here.")


@pytest.mark.parametrize("changes", [
    {"lr_g": 0.1}, {"lr_g": 1e-5}, {"lr_d": 1e-5}, {"dataset": "fashion-mnist"}, {"g_width": 4},
    {"loss": "hinge"}, {"batch": 256}, {"penalty_weight": 1.0},
])  # fmt: skip
def test_nothing_is_promised_that_was_not_measured(changes: dict[str, Any]) -> None:
    config = settings("digits", {"seconds": None, "steps": 10_000, **changes})
    assert estimate_of(config, None, "en", "digits") == "About 10,000 steps here."
    usual = settings("digits", {"seconds": None, "steps": 10_000})
    assert "as well as real ones" in estimate_of(usual, None, "en", "digits")
    assert (
        estimate_of(usual, None, "en", "ring") == estimate_of(usual, None, "en") == "About 10,000 steps here."
    )


def test_far_beyond_what_was_measured_nothing_is_promised() -> None:
    for times, promised in ((FAR, True), (FAR + 0.1, False)):
        config = settings("digits", {"seconds": None, "images": round(times * 265_000)})
        assert ("as well as real ones" in estimate_of(config, None, "en", "digits")) is promised


def test_of_a_recipe_that_was_measured_more_is_promised_of_more_pictures() -> None:
    for preset, seen in SEEN.items():
        said = []
        for thousands in (1, *(least for least, _ in seen)):
            changes = {"seconds": None, "images": 1000 * thousands, "seed": 5, "lr_g": 0.007}
            said.append(estimate_of(settings(preset, changes), None, "en", preset))
        assert [words.split("here")[1] != "." for words in said] == [False] + [True] * len(seen)
        assert len(set(said)) == len(said) and {f"train.estimate.{name}" for _, name in seen} <= TABLE.keys()


def test_a_setting_counts_for_the_speed_unless_it_is_known_not_to() -> None:
    usual = settings("digits", {})
    for name, other in (("dataset", "stacked-mnist"), ("g_norm", "none"), ("batch_end", 256),
                        ("d_dropout", 0.3), ("instance_noise", 0.1), ("clip_norm", 1.0)):  # fmt: skip
        assert key(replace(usual, **{name: other})) != key(usual), name
    for name in ("penalty_weight", "class_weight"):
        assert key(replace(usual, **{name: 0.0})) != key(usual), f"without {name} less is computed"
    for name, other in (("lr_g", 0.001), ("seed", 9), ("seconds", 99.0), ("penalty_weight", 5.0)):
        assert key(replace(usual, **{name: other})) == key(usual), name
    assert knobs().keys() >= SAME_SPEED


def test_of_several_budgets_the_one_met_first_is_promised() -> None:
    both = settings("digits", {"seconds": 10, "steps": 50})
    assert "About 50 steps" in estimate_of(both, 68.0, "en")
    assert "About 20 steps" in estimate_of(both, 2.0, "en")
    three = settings("digits", {"seconds": 10, "steps": 50, "images": 64 * 30})
    assert "About 30 steps" in estimate_of(three, 68.0, "en")


def test_the_speed_is_known_from_an_earlier_run_with_the_same_work(tmp_path: Path) -> None:
    make_run(tmp_path, steps=700)
    speeds = SpeedTrials(tmp_path)
    same = settings("glyphs", {"seconds": 99, "lr_g": 0.001, "seed": 5})
    assert speeds.known(same) == pytest.approx(70.0)
    assert speeds.known(settings("glyphs", {"g_width": 64})) is None


READY = "import sys, time\nprint('ready', flush=True)\n"
ANSWER = "for line in sys.stdin: print(line.count('glyphs') + 41.5, flush=True)"


@pytest.fixture
def trials(tmp_path: Path) -> Iterator[Callable[..., SpeedTrials]]:
    """Opens trials on no earlier runs; in the end all are closed."""
    opened: list[SpeedTrials] = []

    def make(**options: Any) -> SpeedTrials:
        opened.append(SpeedTrials(tmp_path, **options))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def settled(speeds: SpeedTrials, config: TrainConfig, visitor: str = "a") -> float | None:
    """What the page gets that asks again until there is an answer."""
    deadline = time.monotonic() + 20
    while speeds.known(config) is None and speeds.ask(visitor, config):
        assert time.monotonic() < deadline, "asked in vain"
        time.sleep(0.02)
    return speeds.known(config)


def test_a_trial_that_cannot_be_made_ends_no_other(trials, monkeypatch, caplog) -> None:
    def attempt(self: SpeedTrials, config: TrainConfig) -> tuple[bool, float | None]:
        if config.seed == 1:
            raise OSError("no memory for a process")
        return True, 4.0

    monkeypatch.setattr(SpeedTrials, "_try", attempt)
    speeds = trials()
    first = settings("glyphs", {"g_width": 24, "seed": 1})
    assert speeds.ask("a", first)
    until = time.monotonic() + 5
    while "no memory for a process" not in caplog.text:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert settled(speeds, settings("glyphs", {"g_width": 32})) == 4.0


def test_a_trial_is_made_once_and_its_failure_is_not_repeated(trials, monkeypatch) -> None:
    tried = []

    def attempt(self: SpeedTrials, config: TrainConfig) -> tuple[bool, float | None]:
        tried.append(config.batch)
        return True, 50.0 if config.batch == 64 else None

    monkeypatch.setattr(SpeedTrials, "_try", attempt)
    speeds = trials()
    for batch, speed in ((64, 50.0), (64, 50.0), (128, None), (128, None)):
        assert settled(speeds, settings("glyphs", {"batch": batch})) == speed
    assert tried == [64, 128]


def test_of_each_visitor_the_newest_settings_are_timed_and_of_few_visitors_at_once(
    trials, monkeypatch
) -> None:
    gate, tried = threading.Event(), []

    def attempt(self: SpeedTrials, config: TrainConfig) -> tuple[bool, float | None]:
        gate.wait(10)
        tried.append(config.batch)
        return True, float(config.batch)

    monkeypatch.setattr(SpeedTrials, "_try", attempt)
    speeds = trials()
    batches = {n: settings("glyphs", {"batch": n}) for n in range(16, 256, 4)}
    begin = time.monotonic()
    assert speeds.ask("first", batches[16])
    while speeds._now is None:
        time.sleep(0.01)
    assert all(speeds.ask("hasty", batches[n]) for n in range(20, 180, 4)), "forty changes of one form"
    assert speeds.ask("b", batches[180]) and speeds.ask("c", batches[184]) and speeds.ask("d", batches[188])
    assert not speeds.ask("e", batches[192]), "nobody waits for long: the fifth is told nothing"
    assert speeds.ask("e", batches[184]), "what another waits for is timed anyway"
    assert time.monotonic() - begin < 2, "and nobody who asks waits at all"
    gate.set()
    assert settled(speeds, batches[188], "d") == 188.0
    assert tried == [16, 176, 180, 184, 188]


def test_a_trial_that_made_room_for_a_run_says_nothing_of_its_settings(trials, monkeypatch) -> None:
    speeds, config = trials(), settings("glyphs", {})
    monkeypatch.setattr(estimate, "TRIAL", READY + "time.sleep(60)")
    assert speeds.ask("a", config)
    while speeds._trial is None or not speeds._trial.ready:
        time.sleep(0.01)
    trial = speeds._trial
    speeds.cancel_trial()
    while speeds._now is not None:
        time.sleep(0.01)
    assert trial.ended() and speeds.known(config) is None
    monkeypatch.setattr(estimate, "TRIAL", READY + ANSWER)
    assert settled(speeds, config) == 42.5, "tried again"


def test_no_trial_runs_beside_a_run(trials, monkeypatch) -> None:
    busy = [True]
    speeds, config = trials(busy=lambda: busy[0]), settings("glyphs", {})
    monkeypatch.setattr(estimate, "TRIAL", READY + "time.sleep(60)")
    assert speeds.ask("a", config)
    while speeds._wishes or speeds._now is not None:
        time.sleep(0.01)
    assert speeds._trial is None
    busy[0] = False
    assert speeds.ask("a", config)
    while speeds._trial is None or not speeds._trial.ready:
        time.sleep(0.01)
    busy[0] = True  # a run that began by the API, say
    while not speeds._trial.ended():
        time.sleep(0.01)
    assert key(config) not in speeds._known


def test_a_trial_that_says_no_number_takes_too_long_or_dies_gives_none(trials, monkeypatch) -> None:
    monkeypatch.setattr(estimate, "PATIENCE", 0.5)
    for bad in ("for line in sys.stdin: print('no speed', flush=True)", "time.sleep(60)", "raise SystemExit"):
        monkeypatch.setattr(estimate, "TRIAL", READY + bad)
        speeds, config = trials(), settings("glyphs", {})
        assert settled(speeds, config) is None and key(config) in speeds._known
        speeds.cancel_trial()  # the first one lives on
        monkeypatch.setattr(estimate, "TRIAL", READY + ANSWER)
        other = settings("glyphs", {"batch": 32})
        assert settled(speeds, other) == 42.5, "the next settings have a process again"


def test_a_trial_uses_one_warm_process_and_ends_it_when_nobody_asks(trials, monkeypatch) -> None:
    monkeypatch.setattr(
        estimate, "TRIAL", "import os; " + READY + "for _ in sys.stdin: print(os.getpid(), flush=True)"
    )
    monkeypatch.setattr(estimate, "IDLE_SECONDS", 0.5)
    speeds = trials()
    pids = [settled(speeds, settings("glyphs", {"batch": batch})) for batch in (32, 64)]
    assert pids[0] == pids[1]
    while speeds._trial is not None:
        time.sleep(0.02)
    assert settled(speeds, settings("glyphs", {"batch": 128})) not in (None, pids[0])


@pytest.mark.skipif(sys.platform != "linux", reason="nowhere else does the system keep a process to a limit")
def test_a_trial_takes_no_more_memory_than_a_run_may(trials) -> None:
    wide = settings("digits", {"size": 64, "g_width": 256, "d_width": 256, "batch": 512, "precision": "fp32"})
    speeds = trials(memory=600_000_000)
    assert settled(speeds, wide) is None and key(wide) in speeds._known
    assert speeds._trial is None or speeds._trial.ended() or speeds._trial.ready


def test_what_would_not_fit_into_memory_is_refused_before_anything_is_built(services: Any) -> None:
    services.limits = Limits(memory=4_000_000_000)
    large = {"dataset": "glyphs", "seconds": 2, "size": 128, "g_width": 512, "d_width": 512}
    with pytest.raises(ConfigError, match=r"need about [\d.]+ GB of memory, runs here may take 4\.0 GB"):
        run_controls.start(services, "glyphs", large, ME)
    with pytest.raises(ConfigError, match="GB of memory"):
        run_controls.start(services, "glyphs", GLYPHS | {"size": 64, "g_width": 64, "batch_end": 65_536}, ME)
    assert services.jobs.told == []
    run_controls.start(services, "glyphs", GLYPHS, ME)
    services.limits = Limits()
    run_controls.start(services, "glyphs", large, ME)
    assert len(services.jobs.told) == 2


def test_the_data_are_looked_at_before_training() -> None:
    web = TestClient(Starlette(routes=DatasetPreviews("").routes()))
    about = web.get("/studio/data", params={"name": "glyphs"}).json()
    assert about["here"] and about["count"] == 20_000 and about["classes"] == list("0123456789")
    answer = web.get("/studio/preview", params={"name": "glyphs"})
    assert answer.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).size == (8 * 32, 8 * 32)


def test_a_set_that_is_not_here_says_where_it_comes_from(tmp_path: Path) -> None:
    web = TestClient(Starlette(routes=DatasetPreviews(str(tmp_path)).routes()))
    about = web.get("/studio/data", params={"name": "cifar10"}).json()
    assert about["count"] is None and not about["here"] and about["origin"] and about["licence"]
    assert web.get("/studio/preview", params={"name": "cifar10"}).status_code == 404
    assert "did you mean 'mnist'" in web.get("/studio/data", params={"name": "mnits"}).json()["error"]


def test_the_best_set_that_needs_no_download_comes_first(monkeypatch) -> None:
    for here, first in (("glyphs", "glyphs"), ("glyphs mnist", "mnist"), ("kmnist cifar10", "kmnist")):
        monkeypatch.setattr(dataset_preview, "available", lambda name, root, here=here: name in here.split())
        assert first_choice("") == first
    assert set(dataset_preview.PREFERRED) <= set(DATASETS)
