"""Sorted views, the debug function, and names that do not exist."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable
from queue import Queue
from typing import Any

import pytest
from local import LocalSystem, room
from test_entities_update import Server
from waiting import PATIENCE, run, stored, until

from entity_stream import Change, DebugEntry, Entity, EntityEvent, EntityStream, EntityView, StateChange, sync
from entity_stream._emitter import Emitter


def entity(entity_id: str, n: int) -> Entity:
    return Entity(tenant="demo", service_path="/", id=entity_id, type="T", data={"n": n})


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [None, 3])
def test_a_view_equals_a_sort(reverse: bool, limit: int | None):
    chance, held = random.Random(7), dict[str, Entity]()
    told: list[tuple[Entity, ...]] = []
    view = EntityView([], lambda each: each["n"], reverse, lambda each: each["n"] % 3 > 0, limit, told.append)
    for _ in range(2000):
        name = str(chance.randrange(12))
        before, after = held.pop(name, None), entity(name, chance.randrange(8)) if chance.random() < 0.8 else None
        if after is not None:
            held[name] = after
        if before is None and after is None:
            continue
        kind: Any = "updated" if before and after else "added" if after else "removed"
        shown, times = view.values, len(told)
        view._take(Change(kind, before, after))
        ids = sorted((each for each in held.values() if each["n"] % 3 > 0), key=lambda each: each.id)
        assert list(view) == sorted(ids, key=lambda each: each["n"], reverse=reverse)[:limit]
        assert (len(told) > times) or view.values == shown
    assert told[-1] == view.values


def test_keys_without_an_order():
    view = EntityView([], lambda each: each["n"], False, None, None, lambda _: None)
    for number in range(50):
        held = Entity(
            tenant="demo", service_path="/", id=str(number), type="T", data={"n": float("nan") if number % 2 else number}
        )
        view._take(Change("added", None, held))
        if number >= 3:
            gone = Entity(tenant="demo", service_path="/", id=str(number - 3), type="T", data={})
            view._take(Change("removed", gone, None))
    assert sorted(each.id for each in view) == ["47", "48", "49"]


def test_a_key_that_raises_leaves_no_stale_entity():
    view = EntityView([], lambda each: each["n"], False, None, None, lambda _: None)
    first = entity("a", 1)
    view._take(Change("added", None, first))
    assert list(view) == [first]
    nameless = Entity(tenant="demo", service_path="/", id="a", type="T", data={})
    with pytest.raises(KeyError):
        view._take(Change("updated", first, nameless))
    assert list(view) == []


def test_a_listener_that_stays_is_not_replaced_by_one_for_once():
    received: list[object] = []
    emitter = Emitter(lambda call, value: call(value))
    emitter.on("event", received.append)
    emitter.once("event", received.append)()
    emitter.emit("event", 1)
    emitter.emit("event", 2)
    assert received == [1, 2]


def test_a_view_follows_its_collection():
    async def check() -> None:
        async with Server() as server, EntityStream(server.url, "demo") as stream:
            rooms = stream.entities(name="rooms")
            told: list[list[str]] = []
            rooms.view(key=lambda each: each["n"], limit=2, on_change=lambda each: told.append([one.id for one in each]))
            broken = rooms.view(key=lambda each: each["missing"])
            kept = rooms.view(key=lambda each: each["n"], reverse=True)
            gc.collect()
            request = await server.read()
            for name, n in (("a", 3), ("b", 1), ("c", 2)):
                await server.entity(name, ["rooms"], "entitySnapshot", version=1, data={"n": n})
            await server.answer(request, snapshot=3)
            await rooms.wait_ready(PATIENCE)
            assert [each.id for each in kept] == ["a", "c", "b"]
            assert (kept[0].id, len(kept), list(broken)) == ("a", 3, [])
            assert told == [["a"], ["b", "a"], ["b", "c"]]
            views = len(rooms._views)
            del kept
            gc.collect()
            await until(lambda: len(rooms._views) == views - 1)

    run(check())


def test_a_view_of_the_blocking_form(local: LocalSystem, tenant: str):
    local.publish(*[room(n, type="entityCreated", data={"n": -n}) for n in range(4)], tenant=tenant)
    stored(local, tenant, 4)
    with sync.EntityStream(local.url, tenant) as stream:
        rooms = stream.entities()
        rooms.wait_ready(PATIENCE)
        view = rooms.view(key=lambda each: each["n"], limit=2)
        assert [each["n"] for each in view] == [-3, -2]
        assert (view[1]["n"], len(view)) == (-2, 2)
        with pytest.raises(ValueError, match="limit"):
            rooms.view(limit=0)
    assert len(view) == 2


def test_debug_is_told_kinds_and_sizes():
    async def check() -> None:
        entries: list[DebugEntry] = []

        def debug(entry: DebugEntry) -> None:
            entries.append(entry)
            raise OSError

        async with Server() as server, EntityStream(server.url, "demo", debug=debug) as stream:
            rooms = stream.subscribe(name="rooms")
            await server.answer(await server.read())
            await rooms.wait_ready(PATIENCE)
            await server.entity("secret", ["rooms"])
            await until(lambda: len(entries) == 5)
            told = [(each.kind, each.what) for each in entries]
            received = [("received", "subscribed"), ("state", "connected"), ("received", "entityUpdated")]
            assert told == [("state", "connecting"), ("sent", "subscribe"), *received]
            assert all(each.size for each in entries if each.kind != "state")
            assert "secret" not in repr(entries)

    run(check())


def test_listeners_are_added_and_removed():
    async def check() -> None:
        events, states, once, raised = list[Any](), list[Any](), list[Any](), list[Any]()

        def raises(value: object) -> None:
            raised.append(value)
            raise OSError

        async with Server() as server, EntityStream(server.url, "demo") as stream:
            stream.on("event", raises)
            stream.on("event", events.append)
            stream.once("event", once.append)
            stop = stream.on("state", states.append)
            a, b = stream.subscribe(name="a"), stream.subscribe(name="b", entity_types=["T"])
            await server.answer(await server.read())
            await a.wait_ready(PATIENCE)
            stop()
            await server.entity("u", ["a", "b"])
            await server.entity("v", ["a", "b"])
            await asyncio.wait_for(anext(b), PATIENCE)
            await asyncio.wait_for(anext(b), PATIENCE)
            assert [each.entity_id for each in events] == ["u", "v"]
            assert (raised, [each.entity_id for each in once]) == (events, ["u"])
            stream.off("event", raises)
            await server.entity("w", ["a"])
            await until(lambda: len(events) == 3)
            assert len(raised) == 2
            with pytest.raises(ValueError, match="there is no event"):
                stream.on("nothing", print)  # type: ignore[arg-type]
        assert [str(each.state) for each in states] == ["connecting", "connected"]

    run(check())


def test_listeners_of_the_blocking_form(local: LocalSystem, tenant: str):
    with sync.EntityStream(local.url, tenant) as stream:
        events: Queue[EntityEvent] = Queue()
        stop = stream.on("event", events.put)
        states: Queue[StateChange] = Queue()
        stream.once("state", states.put)
        stream.subscribe().wait_ready(PATIENCE)
        (first,) = local.publish(room(1), tenant=tenant)
        assert events.get(timeout=PATIENCE).id == first
        stop()
        stream.off("event", events.put)
    assert str(states.get(timeout=PATIENCE).state) == "connecting"
    assert states.empty()


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (
            lambda: sync.EntityStream("ws://localhost:9", "demo", get_tokn=None),
            "a stream has no `get_tokn`; did you mean `get_token`?",
        ),  # type: ignore[call-arg]
        (lambda: sync.EntityStream("ws://localhost:9", "demo", zzz=None), "a stream has no `zzz`; it has get_token"),  # type: ignore[call-arg]
        (lambda: subscribed(entity_type=["A"]), "a filter has no `entity_type`; did you mean `entity_types`?"),
        (lambda: collected(watched_attributes=["A"]), "the filter of entities has no `watched_attributes`"),
    ],
)
def test_names_that_do_not_exist(call: Callable[[], object], hint: str):
    with pytest.raises(TypeError) as error:
        call()
    assert hint in str(error.value)


def subscribed(**fields: Any) -> None:
    with sync.EntityStream("ws://localhost:9", "demo") as stream:
        stream.subscribe(**fields)


def collected(**fields: Any) -> None:
    with sync.EntityStream("ws://localhost:9", "demo") as stream:
        stream.entities(**fields)
