"""The one place in the app where an error becomes a sentence that a visitor reads.

What was not expected may name anything of this server: its text goes to the log, the visitor reads that it
went wrong."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from gan_core.errors import GanError
from studio.words import language, sentences

LOG = logging.getLogger("studio")
Handler = Callable[..., Any]


def guarded(handler: Handler) -> Handler:
    """Wrap an event handler of the page: a `GanError` becomes a notice, and the outputs keep what they show.

    The notice is in the visitor's language. The traceback goes to the log.
    """

    def shown(error: GanError) -> Any:
        LOG.warning("%s", error, exc_info=error)
        gr.Warning(sentences(error.messages, language(LocalContext.request.get(None))))
        return gr.skip()

    return _wrapped(handler, shown)


def answered(handler: Handler) -> Handler:
    """Wrap a function of the public API: a `GanError` reaches the caller as its English sentence alone, in
    which a file has its name only."""

    def raised(error: GanError) -> Any:
        LOG.warning("%s", error)
        raise gr.Error(sentences(error.messages, "en"), print_exception=False) from error

    return _wrapped(handler, raised)


def _wrapped(handler: Handler, on_error: Callable[[GanError], Any]) -> Handler:
    def told(error: Exception) -> Any:
        if isinstance(error, gr.Error):
            raise error
        if isinstance(error, GanError):
            return on_error(error)
        LOG.exception("Not expected:", exc_info=error)
        return on_error(GanError("unexpected"))

    @functools.wraps(handler)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            return told(error)

    return call
