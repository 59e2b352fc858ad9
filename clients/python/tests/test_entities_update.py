"""Another filter for a live collection."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from local import LocalSystem, room
from waiting import PATIENCE, run, stored, until
from websockets.asyncio.server import ServerConnection, serve

from entity_stream import Change, ClosedError, EntityStream, LoadError, RequestError, sync


def numbers(changes: list[Change]) -> list[tuple[str, str]]:
    return sorted((each.kind, each.entity.id[-1]) for each in changes)


def test_entities_that_do_not_match_any_more_leave(local: LocalSystem, tenant: str):
    async def check() -> None:
        local.publish(*[room(n, type="entityCreated", data={"n": n}) for n in range(6)], tenant=tenant)
        stored(local, tenant, 6)
        told: list[Change] = []
        async with EntityStream(local.url, tenant) as stream:
            rooms = stream.entities(q="n<4", name="rooms", on_change=told.append)
            await rooms.wait_ready(PATIENCE)
            kept = rooms["urn:ngsi-ld:Room:0003"]
            told.clear()
            await asyncio.wait_for(rooms.update(q="n>2"), PATIENCE)
            assert [each[-1] for each in rooms] == ["3", "4", "5"]
            assert rooms["urn:ngsi-ld:Room:0003"] == kept
            assert (rooms.filter.q, rooms.filter.whole_entity, rooms.is_complete) == ("n>2", True, True)
            assert numbers(told) == [("added", "4"), ("added", "5"), ("removed", "0"), ("removed", "1"), ("removed", "2")]
            told.clear()
            local.publish(room(1, data={"n": 7}), room(4, data={"n": 0}), tenant=tenant)
            await until(lambda: len(told) == 2)
            assert numbers(told) == [("added", "1"), ("removed", "4")]
            with pytest.raises(RequestError):
                await rooms.update(q="(")
            assert rooms.filter.q == "n>2"
            local.publish(room(5, data={"n": 9}), tenant=tenant)
            await until(lambda: len(told) == 3)
            # They take effect in their order.
            await asyncio.wait_for(asyncio.gather(*[rooms.update(q=f"n=={n}") for n in (2, 3, 9)]), PATIENCE)
            assert [each[-1] for each in rooms] == ["5"]
            await until(lambda: len(stream._subscriptions) == 1)
        with pytest.raises(ClosedError):
            await rooms.update(q="n>2")

    run(check())


def test_the_blocking_form(local: LocalSystem, tenant: str):
    local.publish(*[room(n, type="entityCreated", data={"n": n}) for n in range(3)], tenant=tenant)
    stored(local, tenant, 3)
    with sync.EntityStream(local.url, tenant) as stream:
        rooms = stream.entities(q="n<1")
        rooms.wait_ready(PATIENCE)
        changes = rooms.changes()
        assert next(changes).kind == "added"
        rooms.update(q="n>0", timeout=PATIENCE)
        assert [each[-1] for each in rooms] == ["1", "2"]
        assert rooms.filter.q == "n>0"
        assert [next(changes).kind for _ in range(3)] == ["removed", "added", "added"]
        with pytest.raises(ValueError, match="load"):
            rooms.update(load=lambda: [])


class Server:
    """Accepts subscriptions when the test says so, and remembers the requests."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.peers: list[ServerConnection] = []

    async def __aenter__(self) -> Server:
        self._server = await serve(self._handle, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _handle(self, peer: ServerConnection) -> None:
        self.peers.append(peer)
        async for text in peer:
            await self.requests.put(json.loads(text))

    async def read(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.requests.get(), PATIENCE)

    async def send(self, **message: Any) -> None:
        await self.peers[-1].send(json.dumps(message))

    async def answer(self, request: dict[str, Any], **fields: Any) -> None:
        kind = {"subscribe": "subscribed", "unsubscribe": "unsubscribed"}[request["action"]]
        await self.send(type=kind, requestId=request["requestId"], position="p1", session="s", **fields)

    async def entity(self, entity_id: str, names: list[str], kind: str = "entityUpdated", **fields: Any) -> None:
        event = {"type": kind, "id": f"{kind} {entity_id} {fields}", "tenant": "demo", "entityType": "T", "data": {}}
        await self.send(**(event | fields), entityId=entity_id, subscriptions=names)


def test_the_old_filter_counts_until_the_new_one_is_complete():
    async def check() -> None:
        async with Server() as server, EntityStream(server.url, "demo", backoff_min=0.01, backoff_max=0.02) as stream:
            all = stream.entities(entity_types=["A"], name="a")
            first = await server.read()
            await server.entity("gone", ["a"], "entitySnapshot", version=1)
            await server.entity("deleted", ["a"], "entitySnapshot", version=1)
            await server.answer(first, snapshot=2)
            await all.wait_ready(PATIENCE)
            await server.entity("deleted", ["a"], "entityDeleted", version=3)
            await until(lambda: list(all) == ["gone"])
            updating = asyncio.ensure_future(all.update(entity_types=["B"]))
            added = await server.read()
            assert (added["action"], added["entityTypes"], added["snapshot"]) == ("subscribe", ["B"], True)
            name = added["subscription"]
            await server.entity("new", [name], "entitySnapshot", version=1)
            await server.answer(added, snapshot=1, snapshotNext="more")
            more = await server.read()
            assert more["action"] == "snapshot"
            # The connection is lost in the middle: both subscriptions come again, and the snapshot too.
            await server.entity("old", ["a"], version=4)
            await until(lambda: "old" in all)
            assert sorted(all) == ["gone", "old"]
            server.peers[-1].transport.abort()
            again = await server.read()
            assert [each["subscription"] for each in again["subscriptions"]] == ["a", name]
            await server.answer(again, recovered=True, replayed=0)
            owed = await server.read()
            assert [each["subscription"] for each in owed["subscriptions"]] == [name]
            await server.entity("new", [name], "entitySnapshot", version=2)
            assert not updating.done()
            await server.answer(owed, snapshot=1)
            await asyncio.wait_for(updating, PATIENCE)
            assert list(all) == ["new"]
            removed = await server.read()
            assert (removed["action"], removed["subscription"]) == ("unsubscribe", "a")
            await server.entity("old", ["a"], version=9)
            # A late change of an entity that was deleted before.
            await server.entity("deleted", [name], version=2)
            await server.entity("last", [name], version=1)
            await until(lambda: "last" in all)
            assert sorted(all) == ["last", "new"]
            await server.answer(removed)

    run(check())


def test_a_collection_that_is_closed_ends_its_update():
    async def check() -> None:
        async with Server() as server, EntityStream(server.url, "demo") as stream:
            rooms = stream.entities()
            await server.answer(await server.read(), snapshot=0)
            await rooms.wait_ready(PATIENCE)
            calls = [asyncio.ensure_future(rooms.update(q=f"n>{n}")) for n in range(3)]
            await server.read()
            closing = asyncio.ensure_future(rooms.aclose())
            for each in calls:
                with pytest.raises(ClosedError):
                    await asyncio.wait_for(each, PATIENCE)
            await until(lambda: stream.state == "idle")
            await asyncio.wait_for(closing, PATIENCE)

    run(check())


def test_an_update_that_is_cancelled_takes_effect():
    async def check() -> None:
        async with Server() as server, EntityStream(server.url, "demo") as stream:
            rooms = stream.entities(entity_types=["A"])
            await server.answer(await server.read(), snapshot=0)
            await rooms.wait_ready(PATIENCE)
            call = asyncio.ensure_future(rooms.update(entity_types=["B"]))
            request = await server.read()
            call.cancel()
            await server.answer(request, snapshot=0)
            await until(lambda: rooms.filter.entity_types == ("B",))

    run(check())


def test_another_load():
    async def check() -> None:
        async with Server() as server, EntityStream(server.url, "demo") as stream:
            rooms = stream.entities(load=lambda: [{"id": "a", "type": "T"}, {"id": "b", "type": "T"}])
            await server.answer(await server.read())
            await rooms.wait_ready(PATIENCE)

            def fails() -> list[dict[str, Any]]:
                raise OSError

            failing = asyncio.ensure_future(rooms.update(q="b", load=fails))
            await server.answer(await server.read())
            with pytest.raises(LoadError):
                await asyncio.wait_for(failing, PATIENCE)
            await server.answer(await server.read())
            assert sorted(rooms) == ["a", "b"]
            updating = asyncio.ensure_future(rooms.update(q="b", load=lambda: [{"id": "b", "type": "T"}]))
            request = await server.read()
            assert "snapshot" not in request
            await server.answer(request)
            await asyncio.wait_for(updating, PATIENCE)
            assert list(rooms) == ["b"]
            await server.answer(await server.read())

    run(check())
