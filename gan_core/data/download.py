"""Downloads by torchvision, which knows the addresses and the check sums."""

from __future__ import annotations

import http.client
import tempfile
from pathlib import Path

from gan_core.errors import DataError


def fetch(kind: str, folder: str, files: tuple[str, ...], root: Path) -> None:
    """Put the `files` of torchvision's data set class `kind` into `root`/`folder`.

    They are fetched and checked in a scratch folder and moved when all are there, so that a download that
    breaks off leaves nothing that looks complete.

    Raises:
        DataError: no connection, a wrong check sum, or a folder that cannot be written.
    """
    from torchvision import datasets

    try:
        (root / folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as scratch:
            getattr(datasets, kind)(scratch, download=True)
            for name in files:
                (Path(scratch) / folder / name).replace(root / folder / name)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError("data-download", title=kind, folder=root, reason=reason) from error
