"""The whole application: the gate outside, the programs' routes, the live view, and Gradio's pages last, at /.

The layers of a request, from outside: its log line and id, the guard (may it knock like this), the gate (who is it, and
is this route theirs), its body, the framework. A stranger's body is not even read.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from falconry import __version__, request_id
from falconry.api.admin import admin_router
from falconry.api.anthropic import anthropic_router
from falconry.api.attachments import attachments_router
from falconry.api.catalog import catalog_router
from falconry.api.comparisons import comparisons_router
from falconry.api.complete import complete_router
from falconry.api.conversations import conversations_router
from falconry.api.docs import docs_router, install_openapi
from falconry.api.downloads import downloads_router
from falconry.api.endpoints import endpoints_router
from falconry.api.errors import install_error_handlers
from falconry.api.folders import folders_router
from falconry.api.health import health_router
from falconry.api.library import library_router, options_router
from falconry.api.metrics import CountRequests, metrics_router
from falconry.api.model_files import model_files_router
from falconry.api.models import models_router
from falconry.api.openai import openai_router
from falconry.api.people import me_router, users_router
from falconry.api.prompt import prompt_router
from falconry.api.replies import messages_router, replies_router
from falconry.api.responses import responses_router
from falconry.api.search import search_router
from falconry.api.shares import shares_router
from falconry.api.tgi import tgi_router
from falconry.api.tgi_tokenize import tgi_tokenize_router
from falconry.api.transfer import IMPORT_PATH, transfer_router
from falconry.errors import FalconryError
from falconry.figures import Figures
from falconry.gate.body import BodyLimit
from falconry.gate.gate import Gate
from falconry.gate.guard import Guard
from falconry.gate.head import HeadAsGet
from falconry.gate.request_log import RequestLog
from falconry.gate.route_table import Entry, RouteTable, read_routes
from falconry.metrics import Metrics
from falconry.services import Services, open_services
from falconry.settings import Settings
from falconry.web.docs_page import docs_page_router
from falconry.web.login import login_router
from falconry.web.shared_page import shared_router

LAST_WORDS = 5  # seconds for telling those whose replies did not end within their time


def create_app(services: Services, *, local: bool = True) -> FastAPI:
    """Build the app around open services; whoever opened them closes them.

    Args:
        local: only this machine can reach us. By the address that is listened on, since a name can mean another.

    Raises RuntimeError where a route does not say who may use it.
    """
    metrics = Metrics(services.pool)
    services.chat.on_reply.append(metrics.count_reply)
    app, table = build_routes(services, metrics)
    settings = services.settings
    # The last one added is the outermost.
    app.add_middleware(HeadAsGet)
    imports = {IMPORT_PATH: settings.max_import_mib * 2**20}
    app.add_middleware(BodyLimit, most=settings.max_body_mib * 2**20, larger=imports)
    app.add_middleware(
        Gate,
        people=services.people,
        limits=services.limits,
        table=table,
        local=local,
    )
    app.add_middleware(CORSMiddleware, **_cross_origin(settings))
    app.add_middleware(Guard, allowed_hosts=services.hosts, allowed_origins=settings.allowed_origins)
    app.add_middleware(CountRequests, metrics=metrics)
    app.add_middleware(RequestLog)
    return app


def build_routes(services: Services, metrics: Metrics | None = None) -> tuple[FastAPI, RouteTable]:
    """The application without what stands in front of it, and the table of its routes."""
    app = FastAPI(title="Falconry", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    install_error_handlers(app)
    install_openapi(app)
    for router in (
        conversations_router(services),
        replies_router(services),
        messages_router(services),
        folders_router(services),
        attachments_router(services),
        library_router(services),
        options_router(),
        models_router(services),
        model_files_router(services),
        downloads_router(services),
        comparisons_router(services),
        search_router(services),
        transfer_router(services),
        shares_router(services),
        catalog_router(services),
        complete_router(services),
        prompt_router(services),
        openai_router(services),
        responses_router(services),
        anthropic_router(services),
        tgi_router(services),
        tgi_tokenize_router(services),
        me_router(services),
        users_router(services),
        endpoints_router(services),
        admin_router(services, Figures(services.pool)),
        health_router(services),
        metrics_router(metrics or Metrics(services.pool)),
        docs_router(),
        docs_page_router(),
        login_router(services),
        shared_router(services),
    ):
        app.include_router(router)
    pages: list[Entry] = []
    if services.settings.pages:
        from falconry.web.mount import mount  # Gradio's import takes 3 s, and nothing else here needs it

        pages = mount(app, services)
    return app, read_routes(app, pages)


def _cross_origin(settings: Settings) -> dict[str, Any]:
    """For pages of the origins that the settings name, on the programs' routes; the guard refuses all others.

    Without a policy of ours Gradio reflects any origin, with credentials. No cookie crosses origins.
    """
    return {
        "allow_origins": settings.allowed_origins,
        "allow_methods": ["GET", "POST"],
        "allow_headers": ["*"],
        "expose_headers": [request_id.HEADER, "Retry-After"],
        "max_age": 3600,
    }


class _Server(uvicorn.Server):
    """uvicorn, but open streams hear of the end before it waits for them."""

    def __init__(
        self, config: uvicorn.Config, services: Services, port: int, on_ready: Callable[[str | None], None]
    ) -> None:
        super().__init__(config)
        self._services = services
        self._port = port
        self._on_ready = on_ready
        self._close_tunnel: Callable[[], None] | None = None
        self.failure: FalconryError | None = None

    async def main_loop(self) -> None:
        try:
            shared = await self._open_tunnel() if self._services.settings.share else None
        except FalconryError as error:  # raised from here, it would skip the shutdown
            self.failure = error
            return
        self._on_ready(shared)
        await super().main_loop()

    async def _open_tunnel(self) -> str:
        from falconry.web.share import open_tunnel  # Gradio's

        url, self._close_tunnel = await asyncio.to_thread(open_tunnel, self._port)
        self._services.hosts.add(urlsplit(url).netloc)
        return url

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._captured_signals.clear()  # uvicorn would raise them again at the end; a clean stop is exit 0

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._services.stopping.set()
        if self._close_tunnel is not None:
            self._close_tunnel()
        await self._services.chat.aclose()
        grace = self._services.settings.shutdown_grace
        ending = asyncio.get_running_loop().call_later(grace, self._services.pool.interrupt)
        await super().shutdown(sockets)
        ending.cancel()


async def serve(settings: Settings, listener: socket.socket, on_ready: Callable[[str | None], None]) -> None:
    """Serve on a bound socket until SIGTERM or SIGINT.

    Replies in flight are stored as interrupted, programs get the rest of theirs or are told, engines stop.

    Args:
        on_ready: called once when the first request can be answered; with the public address where one was asked for.

    Raises StorageError, ModelNotFound, ShareFailed.
    """
    host, port = listener.getsockname()[:2]
    async with open_services(settings) as services:
        config = uvicorn.Config(
            create_app(services, local=ipaddress.ip_address(host).is_loopback and not settings.share),
            access_log=False,
            log_config=None,  # uvicorn's lines go where all others go
            timeout_graceful_shutdown=math.ceil(settings.shutdown_grace) + LAST_WORDS,
            server_header=False,
            proxy_headers=False,
        )
        server = _Server(config, services, port, on_ready)
        await server.serve(sockets=[listener])
    if server.failure is not None:
        raise server.failure
