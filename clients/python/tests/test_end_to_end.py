"""The asyncio form against the local system, through real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from local import LocalSystem, data_file, room
from waiting import PATIENCE, run, take, until

from entity_stream import (
    Change,
    EntityEvent,
    EntityStream,
    Filter,
    Item,
    NotRecovered,
    Recovered,
    RequestError,
    SnapshotComplete,
    StreamState,
)

NEAR = {"georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": [139.7, 35.6]}


def test_events_of_several_subscriptions_on_one_connection(local: LocalSystem, tenant: str):
    async def check() -> None:
        async with EntityStream(local.url, tenant) as stream:
            hot = stream.subscribe(entity_types=["Room"], q="temperature>25", name="hot")
            halls = stream.subscribe(entity_types=["Hall"])
            await asyncio.gather(hot.wait_ready(PATIENCE), halls.wait_ready(PATIENCE))
            assert stream.state is StreamState.CONNECTED
            local.publish(
                room(1, data={"temperature": 30}),
                room(2, data={"temperature": 20}),
                {"entityId": "urn:hall", "entityType": "Hall", "data": {"a": 1}},
                tenant=tenant,
            )
            (event,) = await take(hot, 1)
            assert (event.entity_id, event.data) == ("urn:ngsi-ld:Room:0001", {"temperature": 30})
            assert [each.entity_id for each in await take(halls, 1)] == ["urn:hall"]
        with pytest.raises(StopAsyncIteration):
            await anext(hot)

    run(check())


def test_ready_and_update_return_the_filter_of_the_server(local: LocalSystem, tenant: str):
    async def check() -> None:
        async with EntityStream(local.url, tenant) as stream:
            rooms = stream.subscribe(entity_types=["Room", "Room"], q="a>1", geo_q=NEAR, name="rooms")
            accepted = await rooms.ready
            assert accepted == await rooms.wait_ready(PATIENCE) == Filter(entity_types=["Room"], q="a>1", geo_q=NEAR)
            assert rooms.filter.entity_types == ("Room", "Room")
            halls = stream.subscribe(entity_types=["Hall"])
            assert await halls.wait_ready(PATIENCE) == Filter(entity_types=["Hall"])
            assert await rooms.update(id_pattern="1$", whole_entity=True) == Filter(id_pattern="1$", whole_entity=True)
            assert await rooms.update() == Filter()

    run(check())


def test_an_id_in_several_service_paths(local: LocalSystem, tenant: str):
    local.publish(*[room(1, servicePath=path, data={"at": path}) for path in ("/b", "/a")], tenant=tenant)

    async def check() -> None:
        async with EntityStream(local.url, tenant) as stream:
            rooms = stream.entities(entity_types=["Room"])
            await rooms.wait_ready(PATIENCE)
            key = "urn:ngsi-ld:Room:0001"
            assert [each.service_path for each in rooms.all()] == ["/a", "/b"]
            for path in ("/a", "/b"):
                found = rooms.get(key, service_path=path)
                assert found is not None
                assert found.data == {"at": path}
            assert rooms.get(key) is rooms.get(key, service_path="/a") is rooms[key]
            assert rooms.get(key, service_path="/c") is rooms.get("urn:other") is None
            assert rooms.get(key, "nothing", service_path="/c") == rooms.get("urn:other", "nothing") == "nothing"

    run(check())


def test_a_refused_filter(local: LocalSystem, tenant: str):
    async def check() -> None:
        async with EntityStream(local.url, tenant) as stream:
            good = stream.subscribe(entity_types=["Room"])
            bad = stream.subscribe(q="temperature>")
            with pytest.raises(RequestError) as refused:
                await bad.ready
            assert refused.value.code == "invalid_q"
            all = stream.entities(q="temperature>")
            for update in (bad.update, all.update):
                with pytest.raises(RequestError):
                    await all.ready
                with pytest.raises(RequestError) as refused:
                    await update(entity_types=["Room"])
                assert refused.value.code == "invalid_q"
            await good.wait_ready(PATIENCE)
            with pytest.raises(RequestError):
                await good.update(id_pattern="(")
            local.publish(room(1, data={}), tenant=tenant)
            await take(good, 1)

    run(check())


def test_an_update_under_load_loses_nothing_and_doubles_nothing(local: LocalSystem, tenant: str):
    async def check() -> None:
        async with EntityStream(local.url, tenant) as stream:
            rooms = stream.subscribe(entity_types=["Room"])
            await rooms.wait_ready(PATIENCE)
            published: list[str] = []

            async def publish() -> None:
                for _ in range(30):
                    published.extend(
                        await asyncio.to_thread(local.publish, *[room(n, data={"n": n}) for n in range(5)], tenant=tenant)
                    )

            publishing = asyncio.create_task(publish())
            for number in range(6):
                await rooms.update(entity_types=["Room"], watched_attributes=["n"], id_pattern=f"^urn:ngsi-ld:Room:.*|{number}")
            await publishing
            ids = [event.id for event in await take(rooms, len(published))]
            assert sorted(ids) == sorted(published)

    run(check())


def test_it_resumes_after_a_restart(tmp_path: Path):
    async def check() -> None:
        verdicts: list[Any] = []
        first = LocalSystem(*data_file(tmp_path))
        try:
            async with EntityStream(first.url, "demo", on_verdict=verdicts.append, backoff_max=0.3) as stream:
                rooms = stream.subscribe(entity_types=["Room"])
                entities = stream.entities(entity_types=["Room"])
                await asyncio.gather(rooms.wait_ready(PATIENCE), entities.wait_ready(PATIENCE))
                ids = first.publish(*[room(n, data={"n": 1}) for n in range(20)])
                assert sorted(event.id for event in await take(rooms, 20)) == sorted(ids)
                await asyncio.to_thread(first.stop)
                await until(lambda: not entities.is_complete)
                second = await asyncio.to_thread(lambda: LocalSystem(*data_file(tmp_path), ports=first.ports))
                try:
                    ids = second.publish(*[room(n, data={"n": 2}) for n in range(30)])
                    assert sorted(event.id for event in await take(rooms, 30)) == sorted(ids)
                    await until(lambda: len(verdicts) == 1 and entities.is_complete)
                    assert isinstance(verdicts[0], Recovered)
                    await until(lambda: len(entities) == 30 and {entity["n"] for entity in entities.values()} == {2})
                finally:
                    second.stop()
        finally:
            first.stop()

    run(check())


def test_a_gap_that_is_not_recovered_begins_with_a_snapshot():
    async def check() -> None:
        first = LocalSystem()
        try:
            async with EntityStream(first.url, "demo", backoff_max=0.3) as stream:
                changes: list[Change] = []
                entities = stream.entities(entity_types=["Room"], on_change=changes.append)
                items: list[Item] = []
                rooms = stream.subscribe(snapshot=True, on_item=items.append)
                await asyncio.gather(entities.wait_ready(PATIENCE), rooms.wait_ready(PATIENCE))
                first.publish(room(1, data={"n": 1}), room(2, data={"n": 1}))
                await until(lambda: len(entities) == 2)
                await asyncio.to_thread(first.stop)
                second = await asyncio.to_thread(lambda: LocalSystem(ports=first.ports))
                try:
                    second.publish(room(2, data={"n": 2}), room(3, data={"n": 2}))
                    await until(lambda: sorted(entities) == [room(n)["entityId"] for n in (2, 3)])
                    await until(lambda: sum(isinstance(item, SnapshotComplete) for item in items) == 2)
                    assert any(isinstance(item, NotRecovered) for item in items)
                finally:
                    second.stop()
        finally:
            first.stop()

    run(check())


def test_a_snapshot_of_thousands(local: LocalSystem, tenant: str):
    local.notify([room(n)["entityId"] for n in range(5200)], tenant)

    async def check() -> None:
        async with EntityStream(local.url, tenant) as stream:
            entities = stream.entities(entity_types=["Room"])
            await entities.wait_ready(3 * PATIENCE)
            # The bus still delivers.
            await until(lambda: len(entities) == 5200, 4 * PATIENCE)
            assert {entity["n"]["value"] for entity in entities.values()} == set(range(5200))
            rooms = stream.subscribe(snapshot=True, entity_types=["Room"], capacity=10)
            found = set()
            async for item in rooms.items():
                if isinstance(item, SnapshotComplete):
                    break
                assert isinstance(item, EntityEvent)
                found.add(item.entity_id)
            assert len(found) == 5200

    run(check())


def test_entities_equal_what_was_published(local: LocalSystem, tenant: str):
    async def check() -> None:
        local.publish(*[room(n, type="entityCreated", data={"n": 0}) for n in range(10)], tenant=tenant)
        async with EntityStream(local.url, tenant) as stream, stream.entities(entity_types=["Room"], q="n<100") as entities:
            await entities.wait_ready(PATIENCE)
            told: dict[str, Any] = {}

            async def follow() -> None:
                async for change in entities.changes():
                    assert told.get(change.entity.id) == change.before
                    told[change.entity.id] = change.after

            following = asyncio.create_task(follow())
            local.publish(
                room(0, type="entityDeleted"),
                room(1, data={"n": 500}),
                room(2, data={"m": 7}),
                room(20, type="entityCreated", data={"n": 1}),
                tenant=tenant,
            )
            expected = {room(n)["entityId"]: {"n": 0} for n in range(3, 10)}
            expected[room(2)["entityId"]] = {"m": 7, "n": 0}
            expected[room(20)["entityId"]] = {"n": 1}
            await until(lambda: {key: entity.data for key, entity in entities.items()} == expected)
            await until(lambda: {key: entity for key, entity in told.items() if entity} == dict(entities))
            following.cancel()

    run(check())


def test_a_callback_that_fails_disturbs_nothing(local: LocalSystem, tenant: str, caplog: pytest.LogCaptureFixture):
    async def check() -> None:
        local.publish(*[room(n, data={"n": 1}) for n in range(3)], tenant=tenant)

        def fails(_: object) -> None:
            raise ValueError("the secret value")

        async with EntityStream(local.url, tenant, on_state=fails) as stream:
            entities = stream.entities(on_change=fails)
            await entities.wait_ready(PATIENCE)
            await until(lambda: len(entities) == 3)
            await stream.subscribe(on_item=fails, snapshot=True).wait_ready(PATIENCE)
        assert "a callback raised ValueError at test_end_to_end.py:" in caplog.text
        assert "the secret value" not in caplog.text

    run(check())


def test_a_load_seeds_a_collection_without_a_gap(tenant: str):
    broker = {room(n)["entityId"]: {"id": room(n)["entityId"], "type": "Room", "n": 0} for n in range(3)}

    async def check() -> None:
        with LocalSystem(ENTITY_STATE="false") as system:
            async with EntityStream(system.url, tenant) as stream:

                async def load() -> list[dict[str, Any]]:
                    read = [dict(each) for each in broker.values()]
                    system.publish(room(1, data={"n": 1}), tenant=tenant)
                    await asyncio.sleep(0.3)
                    return read

                entities = stream.entities(entity_types=["Room"], load=load, whole_entity=False)
                await entities.wait_ready(PATIENCE)
                await until(lambda: [entity["n"] for entity in entities.values()] == [0, 1, 0])

    run(check())
