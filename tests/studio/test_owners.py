"""Whose run it is: by a token that the visitor keeps, else by the address; the run keeps a hash alone."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from generators import quiet_services
from gradio_client import Client
from gradio_client.exceptions import AppError
from synthetic import make_run

from gan_core.errors import JobError, RunError
from gan_core.runs.layout import find_run
from gan_core.runs.reader import read_owner
from studio.app import build_app
from studio.guard import Hosts
from studio.owners import address_of, check_owner, owner_of, owns
from studio.words import TABLE

TOKENS = [{"X-Studio-Owner": letter * 32} for letter in "ab"]


def request(token: str = "", host: str = "1.2.3.4", **more: str) -> Any:
    headers = {"x-studio-owner": token, **more} if token else more
    return SimpleNamespace(headers=headers, client=SimpleNamespace(host=host))


def test_a_visitor_is_known_by_the_token_wherever_it_comes_from() -> None:
    mark = owner_of(request("a"), False)
    assert mark == owner_of(request("a", "5.6.7.8"), False) == owner_of(request("a"), True)
    assert mark != owner_of(request("b"), False)


def test_who_sends_none_is_known_by_the_address_which_is_no_token() -> None:
    mark = owner_of(request(), False)
    assert mark == owner_of(request(), False) != owner_of(request(host="5.6.7.8"), False)
    assert mark not in {owner_of(request(token), False) for token in ("1.2.3.4", "address 1.2.3.4/32")}


def test_behind_a_proxy_a_caller_without_a_token_is_refused() -> None:
    with pytest.raises(JobError, match="send one, a text of your own choice"):
        owner_of(request(), True)


def test_the_address_is_the_connections_or_what_a_trusted_proxy_says_last() -> None:
    mine = address_of(request("a"), False)
    assert mine == address_of(request("b"), False) != address_of(request("a", "5.6.7.8"), False)
    said = {"x-forwarded-for": "5.6.7.8, 1.2.3.4, 10.0.0.7"}  # the first may be the visitor's own word
    assert address_of(request(host="10.0.0.9", **said), True) == mine
    assert address_of(request(host="9.9.9.9", **said), False) == address_of(request(host="9.9.9.9"), False)
    assert address_of(request(host="9.9.9.9"), True) == "", "the proxy's own is nobody's"
    assert address_of(request(host="::ffff:1.2.3.4"), False) == mine, "the same, as some servers write it"
    unclear = {"x-forwarded-for": "5.6.7.8, 1.2.3.4:443"}
    assert address_of(request(host="10.0.0.9", **unclear), True) == "", "the first may be anybody's word"
    assert address_of(request(host="x"), False) == "" == address_of(request(**{"x-forwarded-for": "x"}), True)


def test_a_household_has_many_of_the_newer_addresses() -> None:
    one, other, foreign = (
        address_of(request(host=host), False) for host in ("2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1")
    )
    assert one == other != foreign


def test_the_mark_does_not_say_the_token() -> None:
    mark = owner_of(request("secret"), False)
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


def test_the_endpoints_hand_on_who_asks_and_from_where_and_refuse_nobody_in_particular(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the API and by the page's own events, behind a proxy and without one."""
    started: list[tuple[str, str]] = []

    def start(_: Any, __: Any, ___: Any, owner: str, address: str) -> str:
        started.append((owner, address))
        raise JobError("queue-closed")

    monkeypatch.setattr("studio.run_controls.start", start)
    monkeypatch.setattr("studio.tabs.train.start", start)
    services = dataclasses.replace(quiet_services(tmp_path), hosts=Hosts(proxied=True))
    press = {fn.name: fn for fn in build_app(services).fns.values()}
    asked = request("a", **{"x-forwarded-for": "1.2.3.4"})
    for name in ("start_training", "stop_training"):
        with pytest.raises(gr.Error, match="send one"):
            press[name].fn("{}", request())
    with pytest.raises(gr.Error):
        press["start_training"].fn("{}", asked)
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)
    for name in ("press_start", "press_stop", "press_pause"):
        press[name].fn({}, request())
    assert all("send one" in text for text in said) and len(said) == 3
    for proxied in (True, False):
        here = dataclasses.replace(services, hosts=Hosts(proxied=proxied))
        page = {fn.name: fn for fn in build_app(here).fns.values()}["press_start"]
        page.fn(dict.fromkeys(page.inputs), asked)
    wanted = [(owner_of(asked, proxied), address_of(asked, proxied)) for proxied in (True, True, False)]
    assert started == wanted and all(address for _, address in started)
