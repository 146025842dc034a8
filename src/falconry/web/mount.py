"""Joins the pages to the application, with every one of Gradio's defaults that Falconry wants otherwise."""

from __future__ import annotations

import os
import warnings

from fastapi import FastAPI

from falconry.gate.route_table import Entry
from falconry.i18n import match_language
from falconry.services import Services
from falconry.web.assets import serve_asset
from falconry.web.compare_view import compare_view_router
from falconry.web.gradio_routes import gradio_entries
from falconry.web.models_view import models_view_router
from falconry.web.page_head import PageHead
from falconry.web.view import view_router

# Read by Gradio when it is imported: no calls home, no queue of one, no history of runs.
GRADIO_ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_DEFAULT_CONCURRENCY_LIMIT": "none",
    "GRADIO_ANALYTICS_MAX_EVENTS": "100",
}
PAGES = ("/", "/compare", "/complete", "/models", "/prompt", "/account", "/admin")  # of build_ui
# Gradio's queue looks for work every millisecond, which costs an idle machine 3 % of a core. No event of ours uses it.
QUEUE_NAP = 0.25  # seconds


def mount(app: FastAPI, services: Services) -> list[Entry]:
    """Add the live view, our static files and the pages, which come last because they take every path that is left.

    Gives the entries of Gradio's routes that may be used.
    """
    os.environ.update(GRADIO_ENVIRONMENT)
    os.environ.setdefault("GRADIO_TEMP_DIR", str(services.settings.data_dir / "gradio"))
    import gradio as gr  # after the environment, which it reads once

    from falconry.web.theme import falconry_theme
    from falconry.web.ui import build_ui, translations

    app.include_router(view_router(services))
    app.include_router(compare_view_router(services))
    app.include_router(models_view_router(services))
    app.add_api_route("/static/falconry/{digest}/{name}", serve_asset, methods=["GET"], include_in_schema=False)
    setting = services.settings.language
    app.add_middleware(PageHead, fallback=match_language(None if setting == "auto" else setting))

    demo = build_ui(services)
    demo.max_threads = 200
    demo.queue(max_size=100, default_concurrency_limit=None)
    demo._queue.sleep_when_free = QUEUE_NAP
    demo._queue.progress_update_sleep_when_free = QUEUE_NAP
    with warnings.catch_warnings():
        # Said of every app with several pages, whatever ssr_mode is.
        warnings.filterwarnings("ignore", message="SSR mode is not supported")
        gr.mount_gradio_app(
            app,
            demo,
            path="/",
            theme=falconry_theme(),
            i18n=translations(),
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            show_error=False,
            ssr_mode=False,
            max_file_size="1mb",  # no page of ours takes files, but the route is there
            allowed_paths=[],
            blocked_paths=[str(services.settings.data_dir)],
        )
    return gradio_entries(list(PAGES))
