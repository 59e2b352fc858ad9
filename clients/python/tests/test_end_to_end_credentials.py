"""Credentials, groups and the replacement of connections, against the local system."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from local import LocalSystem, guarded, mint, room
from waiting import PATIENCE, run, take, until

from entity_stream import (
    AuthenticationError,
    DpopKey,
    EntityEvent,
    EntityStream,
    EntityStreamError,
    Item,
    StreamState,
)


def test_tokens_are_renewed_and_refused():
    async def check() -> None:
        with guarded() as system:
            tokens: list[str] = []

            def get_token() -> str:
                tokens.append(mint(life="6s"))
                return tokens[-1]

            states: list[StreamState] = []
            async with EntityStream(
                system.url, "demo", get_token=get_token, on_state=lambda change: states.append(change.state)
            ) as stream:
                rooms = stream.subscribe()
                await rooms.wait_ready(PATIENCE)
                await until(lambda: len(tokens) >= 3)
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
                tokens.append(await asyncio.to_thread(mint, "--dpop", str(file), life="6s"))
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

        streams = [EntityStream(local.url, tenant, group_id="g") for _ in range(2)]
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
            rooms = stream.subscribe(entity_types=["Room"], capacity=100_000)
            await rooms.wait_ready(PATIENCE)
            links: set[int] = set()
            ids: list[str] = []
            while len(links) < 4:
                ids += await asyncio.to_thread(local.publish, *[room(n, data={}) for n in range(5)], tenant=tenant)
                main = stream._shell.machine.main
                assert main is not None
                links.add(main.id)
            found: list[EntityEvent] = []
            while not set(ids) <= {event.id for event in found}:
                found += await take(rooms, 1)
            # An event whose state could not be written in time comes again with its state.
            once = [event.id for event in found if event.state is None]
            assert len(once) == len(set(once))
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
