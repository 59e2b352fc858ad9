"""Collections that the program loads, and updates, against a server that the test cuts and stops."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from waiting import PATIENCE, run, until
from websockets.asyncio.server import ServerConnection, serve

from entity_stream import Change, EntityStream


class Server:
    """Accepts every subscription. It resumes, and sends the events that a test gives it."""

    def __init__(self) -> None:
        self.peers: list[ServerConnection] = []
        self.refuses = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __aenter__(self) -> Server:
        self._server = await serve(self._handle, "127.0.0.1", 0, process_request=self._request)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def _request(self, peer: ServerConnection, _: Any) -> Any:
        return peer.respond(503, "later") if self.refuses else None

    async def _handle(self, peer: ServerConnection) -> None:
        self.peers.append(peer)
        async for text in peer:
            request = json.loads(text)
            await self.may_answer.wait()
            if request["action"] == "unsubscribe":
                await peer.send(json.dumps({"type": "unsubscribed", "requestId": request["requestId"]}))
                continue
            answer = {"type": "subscribed", "requestId": request["requestId"], "position": "p1", "session": "s"}
            await peer.send(json.dumps(answer | ({"recovered": True, "replayed": 0} if "since" in request else {})))

    async def event(self, **fields: Any) -> None:
        event = {"id": "e1", "entityId": "u", "entityType": "T", "tenant": "demo", "data": {}, "subscriptions": ["s1"]}
        await self.peers[-1].send(json.dumps(event | fields))


def test_a_loaded_entity_has_a_service_path():
    async def check() -> None:
        async with Server() as server, EntityStream(server.url, "demo") as stream:

            def load() -> list[dict[str, Any]]:
                return [{"id": "u", "type": "T", "a": 0}, {"id": "v", "type": "T", "servicePath": "/rome"}]

            for path, usual in (("/madrid", "/madrid"), ("/madrid/#", "/madrid"), ("/#", "/"), (None, "/")):
                async with stream.entities(load=load, service_path=path) as entities:
                    await entities.wait_ready(PATIENCE)
                    assert [(each.service_path, each.data) for each in entities.all()] == [(usual, {"a": 0}), ("/rome", {})]
            entities = stream.entities(load=load, service_path="/madrid", name="loaded")
            await entities.wait_ready(PATIENCE)
            fields: dict[str, Any] = {"servicePath": "/madrid", "subscriptions": ["loaded"]}
            await server.event(type="entityUpdated", version=2, **fields)
            await until(lambda: entities["u"].version == 2)
            await server.event(type="entityDeleted", version=3, **fields, id="e2")
            await until(lambda: list(entities) == ["v"])

    run(check())


def test_a_load_is_complete_though_on_change_raises():
    async def check() -> None:
        told: list[str] = []

        def on_change(change: Change) -> None:
            told.append(change.entity.id)
            raise KeyError

        async with Server() as server, EntityStream(server.url, "demo") as stream:
            entities = stream.entities(load=lambda: [{"id": "u", "type": "T"}, {"id": "v", "type": "T"}], on_change=on_change)
            await entities.wait_ready(PATIENCE)
            assert (told, list(entities)) == (["u", "v"], ["u", "v"])

    run(check())


def test_a_load_that_outlives_its_connection_completes_nothing():
    async def check() -> None:
        loads: list[asyncio.Future[list[dict[str, Any]]]] = []

        async def load() -> list[dict[str, Any]]:
            loads.append(asyncio.get_running_loop().create_future())
            return await loads[-1]

        async with Server() as server, EntityStream(server.url, "demo", backoff_min=0.05, backoff_max=0.05) as stream:
            entities = stream.entities(load=load)
            await until(lambda: len(loads) == 1)
            server.refuses = True
            server.peers[0].transport.abort()
            await until(lambda: stream.state == "waiting")
            loads[0].set_result([{"id": "u", "type": "T"}])
            await until(entities._source._loading.done)  # type: ignore[union-attr]
            assert not entities.is_complete
            server.refuses = False
            await until(lambda: len(loads) == 2)
            loads[1].set_result([{"id": "v", "type": "T"}])
            await entities.wait_ready(PATIENCE)
            assert (list(entities), entities.is_complete) == (["v"], True)

    run(check())


def test_an_update_that_is_cancelled_shows_the_filter_in_force():
    async def check() -> None:
        async with Server() as server, EntityStream(server.url, "demo") as stream:
            rooms = stream.subscribe(entity_types=["A"])
            await rooms.wait_ready(PATIENCE)
            server.may_answer.clear()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(rooms.update(entity_types=["B"]), 0.05)
            assert rooms.filter.entity_types == ("A",)
            server.may_answer.set()
            await until(lambda: rooms.filter.entity_types == ("B",))
        assert rooms.filter.entity_types == ("B",)

    run(check())
