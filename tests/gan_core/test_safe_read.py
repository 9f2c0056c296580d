"""Files that anybody may have written: what is read of them, and how each trick is refused."""

from __future__ import annotations

import io
import json
import os
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gan_core import safe_read
from gan_core.safe_read import IRREGULAR, LARGE, OUTSIDE, is_finite, is_plain, open_regular, parse_json

UNIX = pytest.mark.skipif(os.name == "nt", reason="Windows has neither pipes nor links for everybody")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file, beside another one with a secret."""
    folder = tmp_path / "runs"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_bytes(b"open")
    (tmp_path / "runs-secret").mkdir()  # its name begins as the folder's does
    (tmp_path / "runs-secret" / "file").write_bytes(b"secret")
    return folder


def why(path: Path, root: Path) -> str | None:
    with pytest.raises(OSError) as caught:
        open_regular(path, root)
    return caught.value.strerror


def test_a_regular_file_is_read_to_its_end_but_no_further_than_asked(root: Path) -> None:
    path = root / "deep" / "file"
    assert safe_read.read_bytes(path, 4, root) == b"open" == safe_read.read_bytes(path, 4)
    with pytest.raises(OSError, match=LARGE):
        safe_read.read_bytes(path, 3, root)
    with pytest.raises(FileNotFoundError):
        open_regular(root / "none", root)


@UNIX
def test_links_lead_nowhere_else(root: Path) -> None:
    links = {"file": root.parent / "runs-secret" / "file", "device": Path("/dev/zero"), "self": root / "self"}
    for name, target in links.items():
        (root / name).symlink_to(target)
    (root / "folder").symlink_to(root.parent / "runs-secret")
    for path in (
        root / "file",
        root / "folder" / "file",
        root / "device",
        root / ".." / "runs-secret" / "file",
    ):
        assert why(path, root) == OUTSIDE
    with pytest.raises(OSError):
        open_regular(root / "self", root)
    assert safe_read.read_bytes(root / "file", 9) == b"secret", (
        "without a folder to stay in, a link is a file"
    )
    (root / "inside").symlink_to(root / "deep" / "file")
    assert safe_read.read_bytes(root / "inside", 9, root) == b"open"


@UNIX
def test_pipes_devices_and_folders_are_no_files(root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert why(root / "pipe", root) == why(root / "deep", root) == IRREGULAR
    assert why(Path("/dev/zero"), Path("/")) == IRREGULAR


@UNIX
def test_a_file_that_becomes_a_link_between_two_looks_is_not_read(root: Path, monkeypatch) -> None:
    path, opened = root / "deep" / "file", os.open

    def swapped(name: Path, *about: int) -> int:
        path.unlink()
        path.symlink_to(root.parent / "runs-secret" / "file")
        return opened(name, *about)

    monkeypatch.setattr(os, "open", swapped)
    assert why(path, root) == OUTSIDE


def test_json_never_ends_the_program() -> None:
    assert parse_json(b'{"a": [1]}') == {"a": [1]}
    assert parse_json(b'{"a": "\\u4e2d"}') == parse_json('{"a": "中"}') == {"a": "中"}
    half = ['"\\ud800"', b'{"\\uD800": 1}', b'"\xed\xa0\x80"']  # of a character: nobody could be sent it
    for text in ("[" * 200_000, '{"a":' * 100_000, "{", b"\xff\xfe\x00", "", *half):
        with pytest.raises(ValueError):
            parse_json(text)


@pytest.mark.parametrize(("text", "finite"), [
    ("1", True), ("-2.5", True), ("1e300", True), ("NaN", False), ("-Infinity", False), ("1e999", False),
    ("1" + "0" * 400, False), ("true", False), ("null", False), ('"3"', False), ("[1]", False),
])  # fmt: skip
def test_only_finite_numbers_of_sensible_size_are_numbers(text: str, finite: bool) -> None:
    value = parse_json(text)
    assert is_finite(value) is finite
    assert is_plain({"a": [value]}) is (finite or text in ("true", "null", '"3"', "[1]"))


def test_plain_values_are_not_nested_deeply() -> None:
    deep = parse_json("[" * 7 + "]" * 7)
    assert not is_plain(deep) and is_plain(deep[0])
    assert not is_plain(parse_json("[" * 500 + "]" * 500)), "nor does asking end the program"


def header(**rows: object) -> bytes:
    text = json.dumps(rows).encode()
    return struct.pack("<Q", len(text)) + text


def row(begin: int, end: int) -> dict[str, object]:
    return {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}


def test_the_layout_of_a_whole_file_is_what_was_saved(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros((), dtype=torch.int64)}, tmp_path / "x", {"k": "v"})
    with open_regular(tmp_path / "x") as stream:
        text, layout = safe_read.read_layout(stream)
    assert text == {"k": "v"} and layout == {"a": ("F32", (2, 3)), "b": ("I64", ())}


def test_a_file_cut_at_any_byte_or_emptied_is_not_whole(tmp_path: Path) -> None:
    save_file({"a": torch.ones(5), "b": torch.ones(3)}, tmp_path / "x")
    data = (tmp_path / "x").read_bytes()
    for length in range(len(data)):
        with pytest.raises(ValueError, match=r"cut short|is empty"):
            safe_read.read_layout(io.BytesIO(data[:length]))
    with pytest.raises(ValueError, match="cut short"):
        safe_read.read_layout(
            io.BytesIO(bytes(len(data)))
        )  # its length reached the disk, its contents did not
    with pytest.raises(ValueError, match="longer than its tensors"):
        safe_read.read_layout(io.BytesIO(data + b"x"))


@pytest.mark.parametrize(("data", "words"), [
    (header(a=row(0, 4), b=row(5, 9)) + bytes(9), "gaps"),
    (header(a=row(0, 4), b=row(2, 9)) + bytes(9), "overlap"),
    (header(a=row(4, 0)), "overlap"), (header(a={"dtype": "U8"}), "damaged"), (header(a=[1]), "damaged"),
    (header(a={**row(0, 4), "shape": 4}) + bytes(4), "damaged"),
    (header(__metadata__={"a": 1}), "else than text"),
    (header(__metadata__=[1]), "else than text"), (struct.pack("<Q", 2) + b"[]", "no object"),
    (struct.pack("<Q", 1 << 62) + b"{}", "cut short"),
    (struct.pack("<Q", 200_000) + b"[" * 200_000, "nested too deeply"),
    (struct.pack("<Q", (1 << 20) + 1) + bytes((1 << 20) + 1), "too long"),
])  # fmt: skip
def test_a_header_that_lies_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        safe_read.read_layout(io.BytesIO(data))
