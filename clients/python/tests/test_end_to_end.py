"""The asyncio form against the local system, through real sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from local import LocalSystem, data_file, guarded, mint, room

from entity_stream import (
    AuthenticationError,
    Change,
    DpopKey,
    EntityEvent,
    EntityStream,
    EntityStreamError,
    Item,
    LoadError,
    NotRecovered,
    Recovered,
    RequestError,
    SnapshotComplete,
    StreamState,
    Subscription,
)

PATIENCE = 20.0


def run(work: Awaitable[None]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(work, 3 * PATIENCE)

    asyncio.run(limited())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE) if hasattr(asyncio, "timeout") else _forever():
        while not condition():
            await asyncio.sleep(0.01)


class _forever:
    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


async def take(subscription: Subscription, count: int) -> list[EntityEvent]:
    return [await asyncio.wait_for(anext(subscription), PATIENCE) for _ in range(count)]


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


def test_a_refused_filter(local: LocalSystem, tenant: str):
    async def check() -> None:
        async with EntityStream(local.url, tenant) as stream:
            good = stream.subscribe(entity_types=["Room"])
            bad = stream.subscribe(q="temperature>")
            with pytest.raises(RequestError) as refused:
                await bad.ready
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
                    published.extend(await asyncio.to_thread(local.publish, *[room(n, data={"n": n}) for n in range(5)], tenant=tenant))

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
                assert not entities.is_complete
                second = await asyncio.to_thread(lambda: LocalSystem(*data_file(tmp_path), ports=first.ports))
                try:
                    ids = second.publish(*[room(n, data={"n": 2}) for n in range(30)])
                    assert sorted(event.id for event in await take(rooms, 30)) == sorted(ids)
                    await until(lambda: len(verdicts) == 1 and entities.is_complete)
                    assert isinstance(verdicts[0], Recovered)
                    assert {entity["n"] for entity in entities.values()} == {2}
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
                    await until(lambda: isinstance(items[-1], SnapshotComplete))
                    assert any(isinstance(item, NotRecovered) for item in items)
                finally:
                    second.stop()
        finally:
            first.stop()

    run(check())


def test_a_snapshot_of_thousands(local: LocalSystem, tenant: str):
    async def check() -> None:
        await asyncio.to_thread(local.notify, [room(n)["entityId"] for n in range(6000)], tenant)
        async with EntityStream(local.url, tenant) as stream:
            entities = stream.entities(entity_types=["Room"])
            await entities.wait_ready(3 * PATIENCE)
            await until(lambda: len(entities) == 6000)
            assert {entity["n"]["value"] for entity in entities.values()} == set(range(6000))
            rooms = stream.subscribe(snapshot=True, entity_types=["Room"], capacity=10)
            found = set()
            async for item in rooms.items():
                if isinstance(item, SnapshotComplete):
                    break
                assert isinstance(item, EntityEvent)
                found.add(item.entity_id)
            assert len(found) == 6000

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

                def fails() -> list[dict[str, Any]]:
                    raise OSError("a secret")

                with pytest.raises(LoadError) as error:
                    await stream.entities(load=fails, whole_entity=False).ready
                assert "secret" not in str(error.value)

    run(check())


def test_tokens_are_renewed_and_refused():
    async def check() -> None:
        with guarded() as system:
            tokens: list[str] = []

            def get_token() -> str:
                tokens.append(mint(life="3s"))
                return tokens[-1]

            states: list[StreamState] = []
            async with EntityStream(
                system.url, "demo", get_token=get_token, on_state=lambda change: states.append(change.state)
            ) as stream:
                rooms = stream.subscribe()
                await rooms.wait_ready(PATIENCE)
                await until(lambda: len(tokens) >= 4)
                system.publish(room(1, data={}))
                await take(rooms, 1)
                assert states == [StreamState.CONNECTING, StreamState.CONNECTED]

            other = mint(tenant="other")
            async with EntityStream(system.url, "demo", get_token=lambda: other, backoff_max=0.1) as stream:
                with pytest.raises(AuthenticationError) as refused:
                    await stream.subscribe().ready
                assert refused.value.code == "refused"
                assert stream.state is StreamState.FAILED
                assert other not in str(refused.value)

    run(check())


@pytest.mark.parametrize("authenticate", ["handshake", "first-message"])
def test_possession_is_proved(authenticate: Any, tmp_path: Path):
    async def check() -> None:
        with guarded("--refuse-with", "status", AUTH_IN_BAND="true") as system:
            key = DpopKey.from_pem(DpopKey.generate().to_pem())
            tokens: list[str] = []

            file = tmp_path / "key.pem"
            file.write_text(key.to_pem())

            async def get_token() -> str:
                tokens.append(await asyncio.to_thread(mint, "--dpop", str(file), life="4s"))
                return tokens[-1]

            async with EntityStream(system.url, "demo", get_token=get_token, dpop=key, authenticate=authenticate) as stream:
                rooms = stream.subscribe()
                await rooms.wait_ready(PATIENCE)
                await until(lambda: len(tokens) >= 3)
                system.publish(room(1, data={}))
                await take(rooms, 1)
                assert stream.state is StreamState.CONNECTED

    run(check())


def test_members_of_a_group_share_the_events(local: LocalSystem, tenant: str):
    async def check() -> None:
        got: list[list[str]] = [[], []]

        def receiver(member: int) -> Callable[[Item], None]:
            return lambda item: got[member].append(item.id) if isinstance(item, EntityEvent) else None

        streams = [EntityStream(local.url, tenant, group_id="g", drain=3) for _ in range(2)]
        for member, stream in enumerate(streams):
            await stream.subscribe(entity_types=["Room"], on_item=receiver(member)).wait_ready(PATIENCE)
        ids = local.publish(*[room(n, data={}) for n in range(40)], tenant=tenant)
        await until(lambda: len(got[0]) + len(got[1]) >= 40)
        ids += await asyncio.to_thread(local.publish, *[room(n, data={}) for n in range(20)], tenant=tenant)
        await streams[0].aclose()
        ids += await asyncio.to_thread(local.publish, *[room(n, data={}) for n in range(20)], tenant=tenant)
        await until(lambda: len(got[0]) + len(got[1]) >= 80)
        assert sorted(got[0] + got[1]) == sorted(ids)
        assert got[0]
        assert got[1]
        await streams[1].aclose()

    run(check())


def test_rotation_loses_nothing(local: LocalSystem, tenant: str):
    async def check() -> None:
        errors: list[EntityStreamError] = []
        async with EntityStream(local.url, tenant, rotate_after=0.5, drain=0.3, on_error=errors.append) as stream:
            rooms = stream.subscribe(entity_types=["Room"])
            await rooms.wait_ready(PATIENCE)
            links: set[int] = set()
            ids: list[str] = []
            while len(links) < 4:
                ids += await asyncio.to_thread(local.publish, *[room(n, data={}) for n in range(5)], tenant=tenant)
                main = stream._shell.machine.main
                assert main is not None
                links.add(main.id)
            assert sorted(event.id for event in await take(rooms, len(ids))) == sorted(ids)
            assert errors == []

    run(check())


def test_an_api_key_and_logs_without_secrets(caplog: pytest.LogCaptureFixture):
    async def check() -> None:
        with guarded() as system:
            token = mint()
            for name in ("", "websockets", "entity_stream", "asyncio"):
                caplog.set_level(logging.DEBUG, logger=name)
            async with EntityStream(system.url, "demo", get_token=lambda: token) as stream:
                rooms = stream.subscribe()
                await rooms.wait_ready(PATIENCE)
                system.publish(room(1, data={"name": "the secret value"}))
                await take(rooms, 1)
            async with EntityStream(system.url, "demo", api_key=("name", "the-secret-key"), backoff_max=0.1) as stream:
                with pytest.raises(AuthenticationError):
                    await stream.subscribe().ready
            for text in (token, "the secret value", "the-secret-key"):
                assert text not in caplog.text
                assert text not in repr(stream._settings)

    run(check())


def test_options_are_checked():
    with pytest.raises(TypeError, match="unknown"):
        EntityStream("ws://localhost", "demo", unknown=1)  # type: ignore[call-arg]
    for url in ("http://localhost", "ws://", "localhost", "ws://user:secret@localhost", "ws://localhost?token=secret"):
        with pytest.raises(ValueError, match="url") as error:
            EntityStream(url, "demo")
        assert "secret" not in str(error.value)
    for options in ({"tenant": "a b"}, {"drain": -1}, {"drain": True}, {"group_id": "a b"}, {"authenticate": "url"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            EntityStream(**{"url": "ws://localhost", "tenant": "demo", **options})
