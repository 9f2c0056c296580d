"""The public API of training: plain text in, a run id or JSON out, every refusal one sentence."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_run

from gan_core.config import TrainConfig
from gan_core.errors import ConfigError, DataError, JobError, RunError
from gan_core.limits import Limits
from gan_core.messages import Message
from gan_core.runs.writer import amend_status
from studio import training_api as api
from studio.guard import Hosts


@dataclass
class FakeJobs:
    """Remembers what it was told."""

    told: list[tuple[Any, ...]] = field(default_factory=list)
    checked: list[tuple[str, str]] = field(default_factory=list)

    def submit(self, config: TrainConfig, preset: str = "", owner: str = "", address: str = "") -> str:
        self.told.append(("submit", config, preset, owner, address))
        return "a-run"

    def check(self, owner: str, address: str = "") -> None:
        self.checked.append((owner, address))

    def stop(self, run: str) -> None:
        self.told.append(("stop", run))

    def queue(self) -> list[str]:
        return []


@dataclass
class FakeServices:
    runs: Path
    data_root: str = "where the data are"
    jobs: FakeJobs = field(default_factory=FakeJobs)
    longest: float = 0.0
    limits: Limits = field(default_factory=Limits)
    downloads: bool = True
    hosts: Hosts = field(default_factory=Hosts)
    speeds: Any = None


@pytest.fixture
def services(tmp_path: Path) -> Any:
    return FakeServices(tmp_path)


def test_settings_become_a_run_with_the_servers_own_data_root(services: Any) -> None:
    text = json.dumps({"preset": "fashion", "dataset": "glyphs", "steps": 30, "lr_g": 0.002})
    assert api.start(services, text, "me", "from here") == "a-run"
    ((_, config, preset, owner, address),) = services.jobs.told
    assert services.jobs.checked == [(owner, address)] == [("me", "from here")]
    assert (preset, config.dataset, config.steps, config.seconds) == ("fashion", "glyphs", 30, None)
    assert (config.lr_g, config.lr_d, config.data_root) == (0.002, 0.006, "where the data are")


def test_pictures_that_are_not_here_are_refused_at_once(services: Any) -> None:
    with pytest.raises(DataError, match="Kuzushiji-MNIST is not on this machine yet"):
        api.start(services, '{"dataset": "kmnist"}', "me")
    services.downloads = False
    with pytest.raises(DataError, match="visitors may not download here"):
        api.start(services, '{"dataset": "kmnist"}', "me")
    assert services.jobs.told == []


@pytest.mark.parametrize("text", ["", "{}"])
def test_no_settings_are_the_first_preset_as_it_is(
    services: Any, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.run_controls.available", lambda name, root: name == "mnist")
    api.start(services, text, "me")
    assert services.jobs.told[0][1].seconds == 10.0 and services.jobs.told[0][2] == "digits"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "The settings are not JSON"),
        ("[1]", "must be an object"),
        ('{"preset": "digit"}', "did you mean 'digits'"),
        ('{"preset": 3}', "preset is 3, which is not text"),
        ('{"learning": 1, "steqs": 5}', "There is no setting named 'learning'"),
        ('{"learning": 1, "steqs": 5}', "did you mean 'steps'"),
        ('{"data_root": "/etc", "seconds": 1}', "data_root is chosen by whoever runs this studio"),
        ('{"dataset": "mnits"}', "did you mean 'mnist'"),
        ('{"steps": 0}', "steps is 0"),
        ('{"lr_g": 9}', "lr_g is 9"),
        ('{"seconds": NaN}', "seconds is nan"),
        ("[" * 20_000, "The settings are not JSON"),
        ("[" * 20_001, "The settings are 20,001 letters long"),
        ('{"steps": 1' + "0" * 400 + "}", "which is not a whole number"),
        ({"dataset": "mnist"}, "The settings must be text that holds JSON"),
        ([1], "The settings must be text that holds JSON"),
        ("\0", "The settings are not JSON"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(services: Any, text: Any, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        api.start(services, text, "me")
    assert said in str(error.value) and services.jobs.told == []


def test_a_device_that_is_not_here_leaves_no_failed_run(
    services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {"cuda": False, "mps": False, "cpu": True}
    monkeypatch.setattr("gan_core.devices.devices", lambda: here)
    with pytest.raises(ConfigError, match="There is no cuda here; choose one of auto, cpu"):
        api.start(services, json.dumps({"dataset": "glyphs", "device": "cuda"}), "me")
    assert services.jobs.told == []


def test_a_status_is_plain_json_without_what_concerns_the_server_only(services: Any) -> None:
    run = make_run(services.runs, steps=100)
    about = api.status(services, run.id)
    assert (about["id"], about["state"], about["step"], about["progress"]) == (run.id, "finished", 100, 1.0)
    assert not {"pid", "born", "host"} & set(about)
    assert json.loads(json.dumps(about)) == about


def test_a_run_is_stopped_by_whoever_started_it(services: Any) -> None:
    run = make_run(services.runs, owner="me")
    with pytest.raises(JobError, match="somebody else's: only whoever started it can"):
        api.stop(services, run.id, "you")
    assert services.jobs.told == []
    assert api.stop(services, run.id, "me")["id"] == run.id
    assert services.jobs.told == [("stop", run.id)]


def test_a_run_of_the_command_line_is_stopped_by_no_visitor(services: Any) -> None:
    run = make_run(services.runs)
    for owner in ("", "me"):
        with pytest.raises(JobError, match="somebody else's"):
            api.stop(services, run.id, owner)


@pytest.mark.parametrize("run", ["nothing", "../x", "", "a\0b", "x" * 5000, {"run": 1}, None])
def test_a_run_that_is_not_there_is_one_short_sentence(services: Any, run: Any) -> None:
    for ask in (api.status, lambda services, run: api.stop(services, run, "me")):
        with pytest.raises(RunError, match="There is no run named") as error:
            ask(services, run)
        assert len(str(error.value)) < 120


def test_a_status_names_no_folder_of_the_server(services: Any) -> None:
    run = make_run(services.runs, state="failed")
    amend_status(run, messages=[Message("data-short", path=services.runs / "x.pt")])
    told = json.dumps(api.status(services, run.id))
    assert "x.pt is damaged" in told and str(services.runs) not in told and "/x.pt" not in told
