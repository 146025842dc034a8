"""The whole application: the guard outside, the programs' routes, the live view, and Gradio's pages last, at /."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from falconry import __version__
from falconry.api.complete import complete_router
from falconry.api.conversations import conversations_router, replies_router
from falconry.api.errors import install_error_handlers
from falconry.api.guard import Guard
from falconry.api.health import health_router
from falconry.services import Services, open_services
from falconry.settings import Settings

GRACE = 15  # seconds that open streams have to end after SIGTERM


def create_app(services: Services) -> FastAPI:
    """Build the app around open services; whoever opened them closes them."""
    app = FastAPI(title="Falconry", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    install_error_handlers(app)
    for router in (
        health_router(services),
        conversations_router(services),
        replies_router(services),
        complete_router(services),
    ):
        app.include_router(router)
    if services.settings.pages:
        from falconry.web.mount import mount  # Gradio's import takes 3 s, and nothing else here needs it

        mount(app, services)
    app.add_middleware(Guard, allowed_hosts=services.settings.allowed_hosts)
    return app


class _Server(uvicorn.Server):
    """uvicorn, but open streams hear of the end before it waits for them."""

    def __init__(self, config: uvicorn.Config, services: Services, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._services = services
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._captured_signals.clear()  # uvicorn would raise them again at the end; a clean stop is exit 0

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._services.stopping.set()
        await self._services.chat.aclose()
        await super().shutdown(sockets)


async def serve(settings: Settings, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve on a bound socket until SIGTERM or SIGINT.

    Replies in flight are stored as interrupted, streams end, engines stop.

    Args:
        on_ready: called once when the first request can be answered.
    """
    async with open_services(settings) as services:
        config = uvicorn.Config(
            create_app(services),
            access_log=False,
            log_level=settings.log_level,
            timeout_graceful_shutdown=GRACE,
            server_header=False,
            proxy_headers=False,
        )
        await _Server(config, services, on_ready).serve(sockets=[listener])
