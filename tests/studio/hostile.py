"""Generators and runs as somebody who means harm, or a power cut, leaves them: a row each."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from gan_core.checkpoints import read_header
from gan_core.runs.layout import RunPaths

SECRET = b"a secret of the system"
DEEP = "[" * 100_000 + "]" * 100_000
HUGE = 1 << 40  # bytes of a file without end: nothing of it is on the disk

Spoil = Callable[[Path], None]


def raw(path: Path, metadata: dict[str, Any], tensors: dict[str, Any], size: int = 0) -> None:
    """A safetensors file with this header and `size` bytes of tensors, of which none is written."""
    header = json.dumps({"__metadata__": metadata, **tensors}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 8 + len(header) + size)


def header(**changes: str) -> Spoil:
    """Texts of the header changed."""
    return lambda path: save_file(load_file(path), path, read_header(path) | changes)


def told(part: str, name: str, text: str) -> Spoil:
    """`name` in the header's JSON `part` set to the JSON `text`, be it none."""

    def spoil(path: Path) -> None:
        values = json.loads(read_header(path)[part]) | {name: "\0HERE"}
        header(**{part: json.dumps(values).replace('"\\u0000HERE"', text)})(path)

    return spoil


def info(name: str, text: str) -> Spoil:
    return told("info", name, text)


def model(name: str, text: str) -> Spoil:
    return told("model", name, text)


def weights(change: Callable[[torch.Tensor], torch.Tensor]) -> Spoil:
    """Each tensor of weights changed."""

    def spoil(path: Path) -> None:
        about = read_header(path)
        changed = {k: change(t) if t.is_floating_point() else t for k, t in load_file(path).items()}
        save_file(changed, path, about)

    return spoil


def larger_than_memory(path: Path) -> None:
    about, tensors = read_header(path), load_file(path)
    claim = {"dtype": "F32", "shape": [HUGE // 4], "data_offsets": [0, HUGE]}
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [HUGE, HUGE]}
    raw(path, about, dict.fromkeys(tensors, empty) | {next(iter(tensors)): claim}, HUGE)


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def elsewhere(path: Path) -> None:
    """What it was lies out of the folder now, and a link leads there."""
    outside = path.parents[2] / "outside" / path.name
    outside.parent.mkdir(exist_ok=True)
    path.rename(outside)
    path.symlink_to(outside)


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


GENERATORS: dict[str, tuple[Spoil, str]] = {  # what is done to a good one -> what is said of it
    "class names are a number": (info("class_names", "7"), "class_names"),
    "class names are numbers": (info("class_names", "[1, 2]"), "class_names"),
    "nested without end": (info("class_names", DEEP), "nested too deeply"),
    "a model nested without end": (model("network", DEEP), "nested too deeply"),
    "nested deeply": (info("extra", "[" * 40 + "]" * 40), "extra"),
    "step is NaN": (info("step", "NaN"), "step"),
    "seconds are infinite": (info("seconds", "1e999"), "seconds"),
    "a step of 400 figures": (info("step", "1" + "0" * 400), "step"),
    "NaN where nothing is expected": (info("extra", "[[NaN]]"), "extra"),
    "pictures are a word": (info("images", '"many"'), "images"),
    "a data set of 100,000 letters": (info("dataset", '"' + "x" * 100_000 + '"'), "dataset"),
    "info is a list": (header(info="[1]"), "damaged"),
    "the model is a list": (header(model="[1]"), "damaged"),
    "a schema of 5,000 figures": (header(schema="9" * 5000), "newer version"),
    "pack is a letter": (model("pack", '"x"'), "pack"),
    "pack is 400": (model("pack", "400"), "pack"),
    "an unknown conditioning": (model("conditioning", '"zebra"'), "conditioning"),
    "dropout is NaN": (model("d_dropout", "NaN"), "d_dropout"),
    "the deviation is 3": (model("d_minibatch_std", "3"), "d_minibatch_std"),
    "the size is true": (model("size", "true"), "not known"),
    "the latent is a fraction": (model("latent", "8.5"), "not known"),
    "weights of NaN": (weights(lambda tensor: tensor * float("nan")), "finite"),
    "weights of another type": (weights(lambda tensor: tensor.double()), "do not fit"),
    "weights larger than the memory": (larger_than_memory, "do not fit"),
    "nothing in it": (lambda path: os.truncate(path, 0), "not a whole"),
    "cut short": (cut, "not a whole"),
    "zeros without end": (lambda path: os.truncate(path, HUGE), "not a whole"),
    "a pipe": (pipe, "no regular file"),
    "a link out of the folder": (elsewhere, "out of its folder"),
    "a link to a device": (device, "out of its folder"),
    "a folder": (folder, "no regular file"),
}


def file(name: str, spoil: Spoil) -> Callable[[RunPaths], None]:
    return lambda run: spoil(run.path / name)


def holds(data: bytes) -> Spoil:
    return lambda path: void(path.write_bytes(data))


def void(_: object) -> None:
    pass


def status(text: str, name: str = "step") -> Callable[[RunPaths], None]:
    """`name` in status.json set to the JSON `text`, be it none."""

    def spoil(run: RunPaths) -> None:
        values = json.loads(run.status.read_text()) | {name: "\0HERE"}
        run.status.write_text(json.dumps(values).replace('"\\u0000HERE"', text))

    return spoil


def secret(path: Path) -> None:
    """A link to a system file in its place."""
    outside = path.parents[2 if path.parent.name != "samples" else 3] / "outside" / "secret"
    outside.parent.mkdir(exist_ok=True)
    outside.write_bytes(SECRET)
    path.unlink(missing_ok=True)
    path.symlink_to(outside)


def run_elsewhere(run: RunPaths) -> None:
    outside = run.path.parents[1] / "outside-run"
    run.path.rename(outside)
    run.path.symlink_to(outside)


def samples_elsewhere(run: RunPaths) -> None:
    outside = run.path.parents[1] / "outside-samples"
    outside.mkdir()
    (outside / "step-000100.webp").write_bytes(SECRET)
    run.samples.rename(run.path / "gone")
    run.samples.symlink_to(outside)


def endless(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.truncate(HUGE)


ODD = b"""{"step": NaN, "loss/D": 1}
{"step": 1e999, "loss/D": 1}
{"step": 220, "loss/D": Infinity, "loss/G": %s}
"""
NAN = '[{"code": "prose", "values": {"text": NaN}}]'
# what is done to a good run -> what is said of it; "" where it is shown as any other
RUNS: dict[str, tuple[Callable[[RunPaths], None], str]] = {
    "the status is a pipe": (file("status.json", pipe), "no regular file"),
    "the status is a link to a system file": (file("status.json", secret), "out of its folder"),
    "the status is a folder": (file("status.json", folder), "no regular file"),
    "the status has no end": (file("status.json", endless), "too large"),
    "the status is empty": (file("status.json", holds(b"")), "is not whole"),
    "the status is nested without end": (file("status.json", holds(DEEP.encode())), "is not whole"),
    "step is NaN": (status("NaN"), "step is 'nan'"),
    "a step of 400 figures": (status("1" + "0" * 400), "step is"),
    "pictures are negative": (status("-64", "images"), "images is '-64'"),
    "NaN in a message": (status(NAN, "messages"), "messages is"),
    "a data set of 100,000 letters": (status('"' + "x" * 100_000 + '"', "dataset"), "dataset is"),
    "of a version to come": (status("2", "schema"), "newer version"),
    "a link out of the folder": (run_elsewhere, "out of its folder"),
    "the curves are a pipe": (file("metrics.jsonl", pipe), ""),
    "the curves have no end": (file("metrics.jsonl", endless), ""),
    "the curves hold what is no number": (file("metrics.jsonl", holds(ODD % (b"1" + b"0" * 400))), ""),
    "the curves are a link to a system file": (file("metrics.jsonl", secret), ""),
    "the scores are nested without end": (file("scores.jsonl", holds(DEEP.encode() + b"\n")), ""),
    "a picture is a link to a system file": (file("samples/step-000100.webp", secret), ""),
    "the pictures lie elsewhere": (samples_elsewhere, ""),
    "the settings are a pipe": (file("config.json", pipe), ""),
    "the orders are a pipe": (file("control.json", pipe), ""),
}
