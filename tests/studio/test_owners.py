"""Whose run it is: by a token that the visitor keeps, else by the address; the run keeps a hash alone."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from synthetic import make_run

from gan_core.errors import JobError, RunError
from gan_core.runs.layout import find_run
from gan_core.runs.reader import read_owner
from studio.owners import address_of, check_owner, check_token, owner_of, owns
from studio.words import TABLE

TOKENS = [{"X-Studio-Owner": letter * 32} for letter in "ab"]


def request(token: str = "", host: str = "1.2.3.4") -> Any:
    headers = {"x-studio-owner": token} if token else {}
    return SimpleNamespace(headers=headers, client=SimpleNamespace(host=host))


def test_a_visitor_is_known_by_the_token_wherever_it_comes_from() -> None:
    assert owner_of(request("a")) == owner_of(request("a", "5.6.7.8")) != owner_of(request("b"))


def test_who_sends_none_is_known_by_the_address_which_is_no_token() -> None:
    assert owner_of(request()) == owner_of(request()) != owner_of(request(host="5.6.7.8"))
    assert owner_of(request()) != owner_of(request("1.2.3.4")) != owner_of(request("address 1.2.3.4"))


def test_behind_a_proxy_a_caller_sends_a_token_and_no_address_is_known() -> None:
    for asked, proxied in ((request("a"), True), (request("a"), False), (request(), False)):
        check_token(asked, proxied)
    with pytest.raises(JobError, match="send one, a text of your own choice"):
        check_token(request(), True)
    assert address_of(request("a"), False) == address_of(request("b"), False) != ""
    assert address_of(request("a"), False) != address_of(request("a", "5.6.7.8"), False)
    assert address_of(request("a"), True) == ""


def test_the_mark_does_not_say_the_token() -> None:
    mark = owner_of(request("secret"))
    assert "secret" not in mark and len(mark) == 64


@pytest.mark.parametrize("other", ["", "A", "é", "a mark and more"])
def test_nobody_else_owns_a_run_and_nobody_at_all_one_of_the_command_line(tmp_path: Path, other: str) -> None:
    own, line = make_run(tmp_path, owner="a mark").id, make_run(tmp_path).id
    check_owner(tmp_path, own, "a mark")
    assert owns(tmp_path, own, "a mark") and not owns(tmp_path, own, other)
    assert not owns(tmp_path, line, other)


def test_a_run_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no run named"):
        check_owner(tmp_path, "nothing", "a mark")


def test_the_refusal_is_one_sentence_in_both_languages() -> None:
    for words, end in zip(TABLE["message.run-not-yours"], ".。", strict=True):
        assert words.count(end) == 1 and words.endswith(end)


def test_by_the_api_one_caller_cannot_stop_the_run_of_another(address: str, runs: Path) -> None:
    mine, yours = (Client(address, verbose=False, headers=token) for token in TOKENS)
    nobody = Client(address, verbose=False)
    settings = json.dumps({"preset": "glyphs", "seconds": None, "steps": 1_000_000})
    run = mine.predict(settings, api_name="/start_training")
    try:
        for other in (yours, nobody):
            with pytest.raises(AppError, match="somebody else's: only whoever started it can"):
                other.predict(run, api_name="/stop_training")
        assert yours.predict(run, api_name="/run_status")["state"] in ("queued", "running"), "all may watch"
        kept = (find_run(runs, run).config).read_text("utf-8")
        assert "a" * 32 not in kept and read_owner(find_run(runs, run)) in kept
    finally:
        mine.predict(run, api_name="/stop_training")
    plain = nobody.predict(settings, api_name="/start_training")
    with pytest.raises(AppError, match="somebody else's"):
        mine.predict(plain, api_name="/stop_training")
    assert Client(address, verbose=False).predict(plain, api_name="/stop_training")["id"] == plain
