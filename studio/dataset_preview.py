"""A look at the data before training: what is in a set, and 64 of its pictures.

GET /studio/data?name=NAME     JSON: what it is, whether it is here
GET /studio/preview?name=NAME  64 real pictures (WebP)
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gan_core.catalog import check_name
from gan_core.data import DATASETS, available, load
from gan_core.errors import GanError
from gan_core.images import DOTS, preview, webp
from studio.words import language, pick_or, sentences

SHOWN = 64
COLUMNS = 8
PREFERRED = ("mnist", "fashion-mnist", "glyphs")


def first_choice(root: str) -> str:
    """The data set to begin with: the best one that is here without a download."""
    return next((name for name in (*PREFERRED, *DATASETS) if available(name, root)), "glyphs")


class DatasetPreviews:
    """What a visitor is shown of each data set, made once."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._made: dict[str, tuple[int, bytes]] = {}

    def routes(self) -> list[Route]:
        """The two plain addresses at the head of this file."""
        return [Route("/studio/data", self._data), Route("/studio/preview", self._preview)]

    def facts(self, name: str, tongue: str = "en") -> dict[str, Any]:
        """What the data set is, in `tongue` ("en" or "zh").

        Raises:
            ConfigError, DataError: for an unknown name, for damaged files.
        """
        source = DATASETS[check_name("datasets", name)]
        here = available(name, self._root)
        return {
            "name": name,
            "kind": source.kind,
            "here": here,
            "count": self._open(name)[0] if here else None,
            "title": pick_or(f"dataset.{name}", source.title, tongue),
            "summary": source.summary,
            "size": source.native_size,
            "classes": list(source.classes),
            "licence": pick_or(f"licence.{source.licence}", source.licence, tongue),
            "origin": source.origin,
        }

    def picture(self, name: str) -> bytes:
        """64 pictures as one WebP. Raises `DataError` when the set is not here."""
        return self._open(check_name("datasets", name))[1]

    def _open(self, name: str) -> tuple[int, bytes]:
        with self._lock:
            if name not in self._made:
                kind, images = DATASETS[name].kind, load(name, root=self._root).images
                shown = DOTS if kind == "points" else SHOWN
                chosen = np.random.default_rng(0).choice(len(images), min(shown, len(images)), replace=False)
                self._made[name] = len(images), webp(preview(images[np.sort(chosen)], kind, COLUMNS))
            return self._made[name]

    def _data(self, request: Request) -> Response:
        try:
            return JSONResponse(self.facts(request.query_params.get("name", ""), language(request)))
        except GanError as error:
            return JSONResponse({"error": sentences(error.messages, language(request))}, 404)

    def _preview(self, request: Request) -> Response:
        try:
            data = self.picture(request.query_params.get("name", ""))
        except GanError as error:
            return JSONResponse({"error": sentences(error.messages, language(request))}, 404)
        return Response(data, 200, {"Cache-Control": "public, max-age=86400"}, "image/webp")
