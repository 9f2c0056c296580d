"""Messages are data until somebody reads them: codes and plain values, whatever they are made of."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict
from pathlib import Path

import pytest

from gan_core.config import from_mapping
from gan_core.errors import ConfigError, DataError, GanError, RunError
from gan_core.messages import Message, is_message, render


def test_an_error_says_its_code_its_values_and_its_english() -> None:
    error = RunError("run-unknown", Message("meant", near="a-run"), name="a-rum")
    assert (error.code, error.values) == ("run-unknown", {"name": "a-rum"})
    assert str(error) == "There is no run named 'a-rum'. Did you mean a-run?"
    assert [message.code for message in error.messages] == ["run-unknown", "meant"]
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is RunError and again.messages == error.messages and str(again) == str(error)
    passed_on = DataError.of(error.messages)
    assert type(passed_on) is DataError and passed_on.messages == error.messages


def test_every_setting_that_is_wrong_has_a_message_that_names_it() -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping({"lr_g": 9, "size": 5, "batch": "many", "steps": 1})
    found = {problem.field: problem for problem in caught.value.problems}
    assert {name: problem.code for name, problem in found.items()} == {
        "batch": "wrong-type", "size": "not-a-choice", "lr_g": "out-of-range-near",
    }  # fmt: skip
    assert found["lr_g"].values == {"field": "lr_g", "value": 9.0, "low": 1e-6, "high": 0.1, "near": 0.009}
    assert Message("diverged", step=3).field == "", "about none"


def test_values_are_plain_json_whatever_is_handed_over() -> None:
    values = {"text": "忘", "number": 3, "share": 0.5, "flag": True, "none": None}
    message = Message("x", **values, path=Path("a/b"), sizes=(16, Path("c")), reason=OSError("why"), self=1)
    assert message.values == {**values, "path": "a/b", "sizes": [16, "c"], "reason": "why", "self": 1}
    told = json.loads(json.dumps(asdict(message)))
    assert is_message(told) and Message(told["code"], **told["values"]) == message
    for other in (None, "x", [1], {"code": "x"}, {"code": 1, "values": {}}, {"code": "x", "values": []}):
        assert not is_message(other)


def test_lists_are_written_out_and_words_are_looked_up_by_their_place() -> None:
    table = {"x": "{steps} {what} {other}", "list.empty": "nothing", "what.a": "an A"}
    assert render([Message("x", steps=[1, 2], what="a", other="a")], table) == "1, 2 an A a"
    assert render([Message("x", steps=[], what=["a", "b"], other="")] * 2, table, "|") == (
        "nothing an A, b |nothing an A, b "
    )


@pytest.mark.parametrize(
    "message",
    [Message("of-tomorrow", step=3), Message("seconds-limit", longest="long"), Message("run-unknown"),
     Message("out-of-range", field="x", value=10**400, low=0, high=1), Message("log-retry", lr_g=None)],
)  # fmt: skip
def test_what_cannot_be_worded_shows_what_it_is(message: Message) -> None:
    """A newer version may have written it, or a damaged file: an error must not fall over its own words."""
    told = str(GanError(message.code, **message.values))
    assert told.startswith(message.code) and all(str(value) in told for value in message.values.values())


def test_numbers_are_written_as_people_write_them() -> None:
    told = str(Message("out-of-range", field="images", value=5e13, low=1, high=1_000_000_000_000))
    assert told == "images is 5e+13, allowed are 1 to 1e+12."
    told = str(Message("out-of-range", field="batch", value=100_000_000, low=1e-6, high=0.1))
    assert told == "batch is 100,000,000, allowed are 1e-06 to 0.1."
