"""Uses of the client that are not its plain examples: polling, changes during a loop, notebooks, several event loops."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
from local import LocalSystem, room
from waiting import PATIENCE, run, stored, until

from entity_stream import (
    AuthenticationError,
    Bookmark,
    Change,
    ClosedError,
    ConnectionFailed,
    Entity,
    EntityEvent,
    EntityStream,
    EntityStreamError,
    Filter,
    LoadError,
    NotRecovered,
    OverflowError,
    RequestError,
    sync,
)


def test_a_program_can_poll(local: LocalSystem, tenant: str):
    with sync.EntityStream(local.url, tenant) as stream:
        arrived = threading.Semaphore(0)
        rooms = stream.subscribe()
        stream.on("event", lambda _: arrived.release())
        rooms.wait_ready(PATIENCE)
        for timeout in (0, 0.0, -1):
            with pytest.raises(TimeoutError):
                rooms.next(timeout=timeout)
        ids = local.publish(*[room(n, data={}) for n in range(3)], tenant=tenant)
        for _ in ids:
            assert arrived.acquire(timeout=PATIENCE)
        found = [rooms.next(timeout=0) for _ in ids]
        assert sorted(each.id for each in found if each) == sorted(ids)
        with pytest.raises(TimeoutError):
            rooms.next(timeout=0)
    assert rooms.next(timeout=0) is None


def test_a_program_can_ask_whether_something_is_ready(local: LocalSystem, tenant: str):
    async def check() -> None:
        async with EntityStream("ws://localhost:9", tenant) as stream:
            for each in (stream.subscribe(), stream.entities()):
                with pytest.raises(TimeoutError):
                    await each.wait_ready(0)
        async with EntityStream(local.url, tenant) as stream:
            for each in (stream.subscribe(), stream.entities()):
                await each.wait_ready(PATIENCE)
                await each.wait_ready(0)
            with pytest.raises(RequestError):
                await stream.subscribe(q="(").wait_ready(PATIENCE)

    run(check())
    with sync.EntityStream("ws://localhost:9", tenant) as stream:
        for each in (stream.subscribe(), stream.entities()):
            with pytest.raises(TimeoutError):
                each.wait_ready(0)
    with sync.EntityStream(local.url, tenant) as stream:
        for each in (stream.subscribe(), stream.entities()):
            each.wait_ready(PATIENCE)
            each.wait_ready(0)


def two_rooms(local: LocalSystem, tenant: str) -> None:
    local.publish(*[room(n, type="entityCreated", data={"n": n}) for n in (1, 2)], tenant=tenant)
    stored(local, tenant, 2)


def test_entities_that_leave_during_a_loop(local: LocalSystem, tenant: str):
    two_rooms(local, tenant)
    ids = ["urn:ngsi-ld:Room:0001", "urn:ngsi-ld:Room:0002"]
    gone = {**room(2), "type": "entityDeleted"}

    async def check(part: Callable[[Any], Any]) -> None:
        async with EntityStream(local.url, tenant) as stream:
            rooms = stream.entities()
            await rooms.wait_ready(PATIENCE)
            found = []
            for each in part(rooms):
                found.append(each)
                if len(found) == 1:
                    local.publish(gone, tenant=tenant)
                    await until(lambda: len(rooms) == 1)
            assert len(found) == 2

    for part in (dict.items, dict.values, dict.keys):
        name = part.__name__
        run(check(lambda rooms, name=name: getattr(rooms, name)()))
        local.publish(room(2, type="entityCreated", data={"n": 2}), tenant=tenant)
        stored(local, tenant, 2)
    with sync.EntityStream(local.url, tenant) as stream, stream.entities() as rooms:
        rooms.wait_ready(PATIENCE)
        items, values = iter(rooms.items()), iter(rooms.values())
        assert (next(items)[0], next(values).id) == (ids[0], ids[0])
        changes = rooms.changes()
        local.publish(gone, tenant=tenant)
        assert next(change for change in changes if change.kind == "removed").entity.id == ids[1]
        assert [each[0] for each in items] == [each.id for each in values] == ids[1:]


def test_what_a_notebook_shows_is_read_in_the_thread_of_the_stream():
    threads: list[threading.Thread] = []
    with sync.EntityStream("ws://localhost:9", "demo") as stream:
        rooms = stream.entities()
        rooms._entities._index = lambda: threads.append(threading.current_thread()) or {}  # type: ignore[method-assign, func-returns-value]
        view = rooms.view()
        assert repr(rooms) == "<Entities 0 incomplete>"
        assert repr(view) == "<EntityView 0>"
        assert threads == [stream._thread._thread]


def test_a_table_is_made_in_the_thread_of_the_program(monkeypatch: pytest.MonkeyPatch):
    import pandas

    threads: list[threading.Thread] = []

    class Table(pandas.DataFrame):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            threads.append(threading.current_thread())
            super().__init__(*arguments, **options)

    with sync.EntityStream("ws://localhost:9", "demo") as stream:
        rooms = stream.entities()
        monkeypatch.setattr(pandas, "DataFrame", Table)
        assert rooms.to_dataframe().empty
        assert set(threads) == {threading.current_thread()}


async def called(call: Callable[[], Any]) -> None:
    made = call()
    if asyncio.iscoroutine(made):
        await made


def test_a_stream_belongs_to_one_event_loop(local: LocalSystem, tenant: str):
    stream = EntityStream(local.url, tenant)
    results: list[object] = []

    async def other(rooms: Any, all: Any) -> None:
        for call in (stream.subscribe, stream.entities, stream.wake, stream.aclose, rooms.aclose, rooms.update, all.update):
            with pytest.raises(RuntimeError, match="another event loop"):
                await called(call)
        results.append(None)

    async def check() -> None:
        rooms = stream.subscribe()
        await rooms.wait_ready(PATIENCE)
        all = stream.entities()
        await all.wait_ready(PATIENCE)
        await asyncio.to_thread(lambda: asyncio.run(other(rooms, all)))
        with pytest.raises(RuntimeError, match="no running event loop"):
            await asyncio.to_thread(stream.subscribe)
        await rooms.update(q="a>1")
        await all.update(q="a>1")
        await all.aclose()
        await rooms.aclose()
        await until(lambda: stream.state == "idle" and not stream._shell._links)

    async def again() -> None:
        await check()
        await stream.aclose()

    run(check())
    # Without a connection, the stream can go on in another loop.
    run(again())
    assert len(results) == 2


CALLS = ["subscribe", "entities", "wake", "aclose", "rooms.aclose", "rooms.update", "all.aclose", "all.update"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_stream_whose_event_loop_has_ended_is_closed(call: str, by_hand: bool):
    made: list[Any] = []

    async def check() -> None:
        stream = EntityStream("ws://localhost:9", "demo", backoff_min=0.01)
        rooms, all = stream.subscribe(), stream.entities()
        made.extend((stream, rooms, all, asyncio.ensure_future(anext(rooms))))
        await until(lambda: stream.state == "waiting")

    async def other() -> None:
        stream, rooms, all, _ = made
        owner, _, name = call.rpartition(".")
        function = getattr({"": stream, "rooms": rooms, "all": all}[owner], name)
        if name in ("wake", "aclose"):
            await called(function)
        else:
            with pytest.raises(ClosedError):
                await called(function)
        assert stream.state == "closed"
        with pytest.raises(ClosedError):
            stream.subscribe()
        for each in (rooms, all):
            with pytest.raises(ClosedError):
                await each.wait_ready(PATIENCE)
        assert [event async for event in rooms] == []
        await stream.aclose()

    if by_hand:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(check())
        loop.close()
    else:
        run(check())
    run(other())


ENTITY = Entity(tenant="demo", service_path="/", id="urn:1", type="Room", data={"a": 1})
KEPT: list[Any] = [
    ENTITY,
    Change("added", None, ENTITY),
    EntityEvent(type="entityUpdated", id="e", tenant="demo", service_path="/", entity_id="urn:1", entity_type="Room"),
    Bookmark("p", "s"),
    NotRecovered("expired", None),
    Filter(entity_types=["Room"], geo_q={"georel": "within"}),
]
ERRORS: list[EntityStreamError] = [
    EntityStreamError("unreadable", "text"),
    RequestError("invalid_q", "text", "subscribe"),
    AuthenticationError("refused", "text", 401),
    ConnectionFailed("connection_lost", "text", 1006),
    OverflowError(5),
    ClosedError("the subscription"),
    LoadError("text"),
]


@pytest.mark.parametrize("value", KEPT, ids=lambda value: type(value).__name__)
def test_what_a_program_keeps_can_go_to_another_process(value: Any):
    assert pickle.loads(pickle.dumps(value)) == value


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_can_go_to_another_process(error: EntityStreamError):
    for read in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(read), str(read), vars(read)) == (type(error), str(error), vars(error))
