"""The page: a table of its tabs, and what joins them."""

from __future__ import annotations

import logging
import threading
from types import ModuleType
from typing import Any

import gradio as gr
import torch
from starlette.middleware import Middleware

from gan_core.errors import GanError
from studio import api, page, training_api
from studio.guard import guarding
from studio.handlers import guarded
from studio.models import RUN
from studio.owners import address_of, owner_of
from studio.queueing import SESSIONS, bound_each_function, poll_slowly
from studio.services import Services
from studio.tabs import explore, train, watch
from studio.theme import theme
from studio.verdicts import start_cure
from studio.words import language, span, t, translations

# id (also the name of its files in studio/web), key of its title, module
TABS: tuple[tuple[str, str, ModuleType], ...] = (
    ("explore", "shell.explore", explore),
    ("train", "shell.train", train),
    ("watch", "shell.watch", watch),
)
TITLE = "DCGAN Studio · DCGAN 工作室"
STALE = (600, 3600)  # every ten minutes, drop the files of API answers that are an hour old
LOG = logging.getLogger("studio")


def build_app(services: Services) -> gr.Blocks:
    """The whole page with its events and public functions."""
    about: dict[str, Any] = {"title": TITLE, "analytics_enabled": False, "fill_width": True}
    with gr.Blocks(**about, delete_cache=STALE) as demo:
        gr.HTML(_header(), elem_id="studio-header")
        handles: dict[str, Any] = {}
        with gr.Tabs(elem_id="studio-tabs") as tabs:
            for id, word, module in TABS:
                with gr.Tab(t(word), id=id, elem_id=f"tab-{id}"):
                    handles[id] = module.build(services)
        gr.HTML(f"<p>{span('shell.footer')}</p>", elem_id="studio-footer")
        _join(services, handles, tabs)
        api.build_api(services)
        training_api.build_api(services)
    demo.queue(default_concurrency_limit=4)
    poll_slowly(demo)
    bound_each_function(demo)
    return demo


def launch_settings(services: Services) -> dict[str, Any]:
    """Everything `Blocks.launch` is told, besides where to listen."""
    # Not by `gradio.Server` (6.31, server.py): it launches an empty Blocks of its own with functions for an
    # API, and takes none with components, as this page is. `app_kwargs` is as public, puts our middleware
    # inside Gradio's compression, where the page can still be read, and leaves `Blocks.launch` to ZeroGPU.
    ids = [id for id, _, _ in TABS]
    routes = page.routes() + [route for _, _, module in TABS for route in module.routes(services)]
    middleware = [Middleware(page.FrontPage, head=lambda: page.head(ids))]
    app = {"routes": routes, "middleware": middleware, "lifespan": guarding(services.hosts)}
    return {
        "theme": theme(), "i18n": translations(), "footer_links": [], "run_history": False,
        "enable_monitoring": False, "max_file_size": "1mb", "ssr_mode": False, "quiet": True,
        "show_error": False, "state_session_capacity": SESSIONS, "app_kwargs": app,
    }  # fmt: skip


def launch(demo: gr.Blocks, services: Services, host: str, port: int, share: bool = False) -> None:
    """Serve the page from threads of its own.

    Raises:
        GanError: nothing can listen there.
    """
    where = {"server_name": host, "server_port": port, "share": share}
    try:
        demo.launch(prevent_thread_lock=True, **where, **launch_settings(services))
    except OSError as error:
        raise GanError("port-taken", host=host, port=port) from error


def warm(services: Services) -> None:
    """Load the first model in the background, so that the first picture need not wait.

    The server's end waits for it: torch is not to be interrupted by the interpreter's end.
    """

    def work() -> None:
        torch.set_num_threads(1)  # one small picture is drawn faster alone, and training wants the others
        for model in services.registry.models()[:1]:
            services.registry.load(model)[0].sample(1, 0)

    threading.Thread(target=work, name="warm").start()


def _header() -> str:
    return (
        f'<header><div><h1>{span("shell.title")}</h1><p class="quiet">{span("shell.tagline")}</p></div>'
        '<div class="switches"><button data-do="language" type="button"></button>'
        '<button data-do="theme" type="button"></button></div></header>'
    )


def _join(services: Services, handles: dict[str, Any], tabs: gr.Tabs) -> None:
    """What one tab does to another."""

    # `preprocess=False`: Gradio would compare the run with the list that it remembers of this session, which
    # it may have forgotten; the registry knows better
    def explore_run(run: str | None, request: gr.Request) -> tuple[Any, Any]:
        model = services.registry.model(f"{RUN}{run}")
        offered = explore.choices(services.registry.models(), language(request))
        return gr.update(choices=offered, value=model.name), gr.update(selected="explore")

    for tab, run in (("train", handles["train"].own), ("watch", handles["watch"].run)):
        handles[tab].explore.click(
            guarded(explore_run), run, [handles["explore"].model, tabs], queue=False, preprocess=False,
            show_progress="hidden", api_visibility="private",
        )  # fmt: skip

    def cure(run: str | None, request: gr.Request) -> tuple[str, str]:
        proxied = services.hosts.proxied
        id = start_cure(services, run or "", owner_of(request, proxied), address_of(request, proxied))
        services.speeds.cancel_trial()
        return id, id

    cured = gr.Textbox(visible="hidden")
    handles["watch"].cure.click(
        guarded(cure), handles["watch"].run, [cured, handles["train"].own], queue=False, preprocess=False,
        show_progress="hidden", api_visibility="private",
    ).then(
        None, cured, None, js="(id) => window.studio.watchStarted(id)", queue=False,
        api_visibility="private",
    )  # fmt: skip
    handles["train"].watch.click(
        lambda: gr.update(selected="watch"), None, tabs, queue=False, show_progress="hidden",
        api_visibility="private",
    )  # fmt: skip
