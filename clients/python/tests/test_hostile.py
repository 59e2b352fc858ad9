"""Programs that do what they should not, against a server that the test drives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from model import POSITION, Wire, subscribed
from test_entities_update import Server
from waiting import PATIENCE, run, until

from entity_stream import Change, EntityEvent, EntityStream, EntityStreamError, Filter, Item
from entity_stream.buffer import Buffer


def raises_cancelled(_: object) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("name", ["on_item", "on_state", "on_change"])
def test_a_callback_that_raises_a_cancellation_does_not_end_the_connection(name: str):
    async def check() -> None:
        options: dict[str, Any] = {"on_state": raises_cancelled} if name == "on_state" else {}
        async with Server() as server, EntityStream(server.url, "demo", **options) as stream:
            rooms = stream.subscribe(name="rooms", on_item=raises_cancelled if name == "on_item" else None)
            all = stream.entities(name="all", on_change=raises_cancelled if name == "on_change" else None)
            await server.answer(await server.read(), snapshot=0)
            await asyncio.gather(rooms.wait_ready(PATIENCE), all.wait_ready(PATIENCE))
            await server.entity("u", ["rooms", "all"], version=1)
            await until(lambda: "u" in all)
            await server.entity("v", ["rooms", "all"], version=1)
            await until(lambda: "v" in all)
            assert len(server.peers) == 1

    run(check())


@pytest.mark.parametrize("name", ["token", "load"])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_cancellation_inside_a_function_of_the_program_is_an_error(name: str, is_async: bool):
    calls: list[str] = []

    def cancelled() -> Any:
        calls.append("call")
        if len(calls) % 2:
            raise asyncio.CancelledError
        return [{"id": "u", "type": "T"}] if name == "load" else "token"

    async def cancelled_later() -> Any:
        await asyncio.sleep(0)
        return cancelled()

    async def check() -> None:
        errors: list[EntityStreamError] = []
        function = cancelled_later if is_async else cancelled
        options: dict[str, Any] = {"get_token": function} if name == "token" else {}
        async with Server() as server, EntityStream(server.url, "demo", on_error=errors.append, **options) as stream:
            if name == "token":
                rooms = stream.subscribe(name="rooms")
                await server.answer(await server.read())
                await rooms.wait_ready(PATIENCE)
                assert [error.code for error in errors] == ["token_unavailable"]
                return
            all = stream.entities(name="all", load=function)
            await server.answer(await server.read())
            await all.wait_ready(PATIENCE)
            assert [(error.code, str(error)) for error in errors] == [
                ("load_failed", "load raised RuntimeError at _blocking.py:26")
            ]

    run(check())


def test_a_time_limit_does_not_end_a_loop():
    async def check() -> None:
        async with Server() as server, EntityStream(server.url, "demo") as stream:
            all = stream.entities(name="all")
            rooms = stream.subscribe(name="rooms")
            await server.answer(await server.read(), snapshot=0)
            await rooms.wait_ready(PATIENCE)
            items, changes = rooms.items(), all.changes()
            loops: list[Callable[[], Any]] = [lambda: anext(items), lambda: anext(changes), lambda: anext(rooms)]
            for each in loops:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(each(), 0.01)
            await server.entity("u", ["rooms", "all"], version=1)
            item: Item = await asyncio.wait_for(anext(items), PATIENCE)
            change: Change = await asyncio.wait_for(anext(changes), PATIENCE)
            assert isinstance(item, EntityEvent)
            assert (item.entity_id, change.entity.id) == ("u", "u")
            await changes.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(changes)
            # A loop that was left costs nothing.
            for _ in range(3):
                async for _ in all.changes():
                    break
            assert len(all._buffers) == 0

    run(check())


def test_a_slow_loop_behind_a_large_snapshot():
    dropped: list[object] = []
    buffer = Buffer[int](10, "drop-oldest", dropped.append)
    for number in range(20_000):
        buffer.push(number, counts=False)
    for number in range(20_000, 60_000):
        buffer.push(number)
    assert (len(dropped), buffer.dropped) == (1, 39_990)
    assert len(buffer._items) <= 2 * 20_010 + 1
    assert buffer.take(100_000) == [*range(20_000), *range(59_990, 60_000)]
    assert (buffer.take(1), buffer._dead, len(buffer._droppable)) == ([], 0, 0)
    for number in range(15):
        buffer.push(number)
    assert (len(dropped), buffer.take(3), buffer.take(20)) == (2, [5, 6, 7], [8, 9, 10, 11, 12, 13, 14])


def test_an_update_on_a_full_connection():
    wire = Wire()
    keys = [wire.subscribe(f"a{n}")[0] for n in range(16)]
    subscribed(wire, *[f"a{n}" for n in range(16)])
    call = wire.machine.requests.update(keys[3], Filter(q="n>1"))
    wire.run()
    request = wire.read()
    assert (request["subscription"], request["q"]) == ("a3", "n>1")
    wire.end()
    wire.connect()
    request = wire.read()
    assert [each.get("q") for each in request["subscriptions"]] == [None] * 16
    wire.answer(request, **POSITION, recovered=True, replayed=0)
    wire.answer(wire.read(), **POSITION)
    assert wire.program.settled[call] is None
    assert wire.machine.subscriptions.all[keys[3]].filter.q == "n>1"
    assert wire.sent[wire.newest] == []
    wire.event("e1", ["a3"])
    assert wire.ids(keys[3]) == ["e1"]
    wire.machine.requests.update(keys[3], Filter(q="n>2"))
    wire.machine.requests.remove(keys[3])
    wire.run()
    wire.answer(wire.read(), **POSITION)
    assert wire.read()["action"] == "unsubscribe"


def test_a_refused_filter_without_a_loop_is_logged(caplog: pytest.LogCaptureFixture):
    async def check() -> None:
        async with Server() as server, EntityStream(server.url, "demo") as stream:
            stream.subscribe(name="rooms", on_item=lambda _: None)
            request = await server.read()
            with caplog.at_level(logging.WARNING, "entity_stream"):
                fields = {"requestId": request["requestId"], "action": "subscribe", "code": "invalid_q", "message": "no"}
                await server.send(type="error", **fields)
                await until(lambda: "invalid_q" in caplog.text)

    run(check())
