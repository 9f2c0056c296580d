"""Downloads from the addresses that torchvision knows, checked and unpacked by it.

The bytes are fetched here: torchvision would wait for a silent server for ever, and take whatever it sends.
"""

from __future__ import annotations

import http.client
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gan_core.errors import DataError

SILENCE = 30.0  # seconds without a byte from the server
PATIENCE = 1800.0  # seconds for one file
MOST = 400_000_000  # bytes of one file; the largest, CIFAR-10, has 170,498,071
CHUNK = 1 << 16


def fetch(kind: str, folder: str, files: tuple[str, ...], root: Path) -> None:
    """Put the `files` of torchvision's data set class `kind` into `root`/`folder`.

    They are fetched and checked in a scratch folder and moved when all are there, so that a download that
    breaks off leaves nothing that looks complete.

    Raises:
        DataError: no connection, a server that falls silent, takes too long or sends too much, a wrong check
            sum, or a folder that cannot be written.
    """
    from torchvision import datasets

    source = getattr(datasets, kind)
    try:
        (root / folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as scratch:
            for addresses, path in _wanted(source, Path(scratch), folder):
                path.parent.mkdir(parents=True, exist_ok=True)
                _first(addresses, path)
            source(scratch, download=True)  # finds the files in place, checks their sums and unpacks them
            for name in files:
                (Path(scratch) / folder / name).replace(root / folder / name)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError("data-download", title=kind, folder=root, reason=reason) from error


def _wanted(source: Any, scratch: Path, folder: str) -> Iterator[tuple[list[str], Path]]:
    """Each file that torchvision would fetch: its addresses, and where torchvision looks for it first."""
    if hasattr(source, "resources"):  # the MNIST family
        for name, _ in source.resources:
            yield [f"{mirror}{name}" for mirror in source.mirrors], scratch / folder / name
    else:
        yield [source.url], scratch / source.filename


def _first(addresses: Sequence[str], path: Path) -> None:
    """Fetch a file from the first of its addresses that has it."""
    for address in addresses[:-1]:
        try:
            return _get(address, path)
        except (OSError, http.client.HTTPException):
            continue
    _get(addresses[-1], path)


def _get(address: str, path: Path) -> None:
    end, size = time.monotonic() + PATIENCE, 0
    asked = urllib.request.Request(address, headers={"User-Agent": "pytorch/vision"})
    with urllib.request.urlopen(asked, timeout=SILENCE) as answer, path.open("wb") as stream:
        while chunk := answer.read1(CHUNK):
            size += len(chunk)
            if size > MOST:
                raise OSError(f"{address} sends more than {MOST // 1_000_000} MB")
            if time.monotonic() > end:
                raise OSError(f"{address} takes longer than {PATIENCE / 60:g} minutes")
            stream.write(chunk)
