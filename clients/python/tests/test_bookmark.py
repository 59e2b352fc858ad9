"""A program that stores its place, and continues there in another process."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import asdict
from queue import Queue
from typing import Any

import pytest
from local import LocalSystem, room
from model import Wire, subscribed
from waiting import PATIENCE, run, stored, take, until

from entity_stream import Bookmark, EntityStream, NotRecovered, Recovered, RequestError, SnapshotComplete, sync


def test_a_stream_continues_at_a_stored_place(local: LocalSystem, tenant: str):
    async def check() -> None:
        async with EntityStream(local.url, tenant) as stream:
            assert stream.bookmark is None
            rooms = stream.subscribe()
            await rooms.wait_ready(PATIENCE)
            (first,) = local.publish(room(1), tenant=tenant)
            assert [event.id for event in await take(rooms, 1)] == [first]
            assert stream.bookmark is not None
            stored = json.dumps(asdict(stream.bookmark))
        missed = local.publish(*[room(n) for n in range(2, 5)], tenant=tenant)
        verdicts: list[Any] = []
        async with EntityStream(local.url, tenant, on_verdict=verdicts.append) as stream:
            rooms = stream.subscribe(since=Bookmark(**json.loads(stored)))
            await rooms.wait_ready(PATIENCE)
            (live,) = local.publish(room(5), tenant=tenant)
            found: list[str] = []
            # The history is read from a little before the place, so events before it can come again.
            while not {live, *missed} <= set(found):
                found += [event.id for event in await take(rooms, 1)]
            assert isinstance(verdicts[0], Recovered)

    run(check())


def test_past_events_and_then_a_snapshot_on_an_open_connection(local: LocalSystem, tenant: str):
    async def check() -> None:
        async with EntityStream(local.url, tenant) as stream:
            live = stream.subscribe()
            await live.wait_ready(PATIENCE)
            place = stream.bookmark
            local.publish(room(1), room(2), tenant=tenant)
            await take(live, 2)
            await asyncio.to_thread(stored, local, tenant, 2)
            items: list[Any] = []
            stream.subscribe(since=place, snapshot=True, on_item=items.append)
            await until(lambda: SnapshotComplete(2) in items)
            verdict = next(place for place, each in enumerate(items) if isinstance(each, Recovered))
            ids = {"urn:ngsi-ld:Room:0001", "urn:ngsi-ld:Room:0002"}
            assert {each.entity_id for each in items[:verdict]} == ids
            assert {each.entity_id for each in items[verdict + 1 : -1] if each.is_snapshot} == ids

    run(check())


def test_the_place_never_passes_an_event_that_waits_for_a_loop(local: LocalSystem, tenant: str):
    async def check() -> None:
        async with EntityStream(local.url, tenant) as stream:
            rooms = stream.subscribe()
            counted: list[object] = []
            stream.subscribe(entity_types=["Room"], on_item=counted.append)
            await rooms.wait_ready(PATIENCE)
            local.publish(*[room(n) for n in range(5)], tenant=tenant)
            await until(lambda: len(counted) >= 5)
            events = await take(rooms, 3)
            place = stream.bookmark
            assert place is not None
            positions = [each.position or "" for each in events]
            later = [each.position or "" for each in await take(rooms, 2)]
            assert all(place.position < each for each in later if each > max(positions))

    run(check())


def test_the_place_of_the_blocking_form(local: LocalSystem, tenant: str):
    with sync.EntityStream(local.url, tenant) as stream:
        rooms = stream.subscribe()
        rooms.wait_ready(PATIENCE)
        before = stream.bookmark
        local.publish(*[room(n) for n in range(4)], tenant=tenant)
        first = rooms.next(PATIENCE)
        assert first is not None
        stored = stream.bookmark
        rest = [rooms.next(PATIENCE) for _ in range(3)]
        assert before is not None
        assert stored is not None
    with sync.EntityStream(local.url, tenant) as stream:
        rooms = stream.subscribe(since=stored)
        found: set[str] = set()
        while not {each.id for each in rest if each} <= found:
            event = rooms.next(PATIENCE)
            assert event is not None
            found.add(event.id)


def test_items_of_one_frame_have_places_of_their_own():
    wire = Wire()
    wire.subscribe("a")
    subscribed(wire, "a")
    wire.machine.effects.clear()
    frames = [
        {"type": "entityUpdated", "id": f"e{n}", "tenant": "demo", "entityId": "u", "entityType": "T", "subscriptions": ["a"]}
        | {"position": f"p{n}"}
        for n in (2, 3)
    ]
    wire.machine.received(wire.newest, json.dumps({"type": "events", "events": frames}))
    assert [type(each).__name__ for each in wire.machine.effects] == ["Deliver", "Moved", "Deliver", "Moved"]


def test_a_place_that_the_history_does_not_reach():
    wire = Wire()
    key, call = wire.subscribe("a", since=Bookmark("p0", "other"))
    wire.connect()
    request = wire.read()
    assert request["since"] == {"position": "p0", "session": "other"}
    wire.answer(request, position="p9", session="s", recovered=False, reason="expired")
    assert wire.program.items[key] == [NotRecovered("expired", None)]
    assert wire.program.settled[call] is None
    wire.end()
    wire.connect()
    assert wire.read()["since"] == {"position": "p9", "session": "s"}


def test_a_place_of_another_service_is_refused(local: LocalSystem, tenant: str):
    async def check() -> None:
        async with EntityStream(local.url, tenant) as stream:
            rooms = stream.subscribe(since=Bookmark("x" * 65, "s"))
            with pytest.raises(RequestError) as error:
                await rooms.wait_ready(PATIENCE)
            assert error.value.code == "invalid_since"

    run(check())


@pytest.mark.parametrize("since", ["30", {"position": "p", "session": "s"}, [], b""])
def test_since_is_a_place_or_a_number(since: Any):
    with sync.EntityStream("ws://localhost:9", "demo") as stream, pytest.raises(ValueError, match="Bookmark"):
        stream.subscribe(since=since)
    with pytest.raises(TypeError, match="strings"):
        Bookmark(since, 5)  # type: ignore[arg-type]


def test_threads_share_the_events_of_one_subscription(local: LocalSystem, tenant: str):
    found: Queue[str] = Queue()
    with sync.EntityStream(local.url, tenant) as stream:
        rooms = stream.subscribe()
        rooms.wait_ready(PATIENCE)

        def work() -> None:
            for event in rooms:
                found.put(event.id)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
        for each in threads:
            each.start()
        ids = local.publish(*[room(n) for n in range(40)], tenant=tenant)
        assert sorted(found.get(timeout=PATIENCE) for _ in ids) == sorted(ids)
        stream.close()
        for each in threads:
            each.join(PATIENCE)
            assert not each.is_alive()
    assert found.empty()
