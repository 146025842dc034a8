"""/metrics over HTTP: who may read it, and that requests are counted by route and not by address."""

from __future__ import annotations

from tests.conftest import LiveServer
from tests.gate.people import two_people


async def test_requests_are_counted_by_the_pattern_of_their_route(server: LiveServer) -> None:
    conversation = (await server.client.post("/api/conversations")).json()["id"]
    await server.client.get(f"/api/conversations/{conversation}")
    await server.client.get("/api/no-such-route")
    answer = await server.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    route = "/api/conversations/{conversation_id}"
    assert f'falconry_http_requests_total{{method="GET",route="{route}",status="200"}} 1.0' in lines
    assert 'falconry_http_requests_total{method="GET",route="none",status="404"} 1.0' in lines
    assert conversation not in answer.text


async def test_only_admins_read_it_once_there_are_users(server: LiveServer) -> None:
    assert (await server.client.get("/metrics")).status_code == 200
    async with two_people(server) as (ada, bob):
        assert (await ada.client.get("/metrics")).status_code == 200
        assert (await bob.client.get("/metrics")).status_code == 403
        assert (await server.client.get("/metrics")).status_code == 401


async def test_the_time_until_a_request_was_checked(server: LiveServer) -> None:
    await server.client.post("/api/complete", json={"prompt": "A falcon is"})
    lines = (await server.client.get("/metrics")).text.splitlines()
    assert 'tgi_request_validation_duration_count{model="canned"} 1.0' in lines
