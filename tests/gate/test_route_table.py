"""Routes and their marks: nothing is open by accident."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette

from falconry.errors import NotFound
from falconry.gate.marks import ADMIN, PUBLIC, Access, admin, public, user
from falconry.gate.route_table import MethodNotAllowed, read_routes


def application(*routers: APIRouter) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for router in routers:
        app.include_router(router)
    return app


def example() -> APIRouter:
    router = APIRouter(prefix="/things")

    @router.get("")
    @public
    async def listed() -> None: ...

    @router.get("/{thing_id}")
    @user("conversations")
    async def one(thing_id: str) -> None: ...

    @router.delete("/{thing_id}")
    @admin
    async def remove(thing_id: str) -> None: ...

    return router


def test_a_route_is_found_with_its_mark() -> None:
    table = read_routes(application(example()))
    assert table.find("GET", "/things").access == PUBLIC
    assert table.find("HEAD", "/things").access == PUBLIC
    assert table.find("GET", "/things/7").access == Access("user", "conversations")
    assert table.find("DELETE", "/things/7").access == ADMIN
    assert table.find("GET", "/things/7").path == "/things/{thing_id}"


def test_what_is_not_in_the_table_does_not_exist() -> None:
    table = read_routes(application(example()))
    for path in ("/", "/things/", "/things/7/8", "/docs", "/openapi.json"):
        with pytest.raises(NotFound):
            table.find("GET", path)


def test_another_method_is_named() -> None:
    table = read_routes(application(example()))
    with pytest.raises(MethodNotAllowed) as caught:
        table.find("PUT", "/things/7")
    assert caught.value.allowed == "DELETE, GET"
    with pytest.raises(MethodNotAllowed):
        table.find("POST", "/things")


def test_falconry_does_not_start_with_a_route_that_nobody_marked() -> None:
    router = APIRouter()

    @router.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(RuntimeError, match="/forgotten"):
        read_routes(application(example(), router))


def test_falconry_does_not_start_with_a_mount_that_nobody_described() -> None:
    app = application(example())
    app.mount("/library", Starlette())
    with pytest.raises(RuntimeError, match="/library"):
        read_routes(app)
