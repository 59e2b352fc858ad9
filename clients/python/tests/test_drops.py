"""A stream whose connections are cut at random, while its tokens end and its connections are replaced.

`ENTITY_STREAM_DROPS_SECONDS` is the time that it takes.
"""

from __future__ import annotations

import asyncio
import os
from random import Random
from typing import Any

from local import SECRET, LocalSystem, guarded, mint, room
from waiting import PATIENCE, until

from entity_stream import EntityEvent, EntityStream, EntityStreamError, Item, NotRecovered, Verdict

SECONDS = float(os.environ.get("ENTITY_STREAM_DROPS_SECONDS", "8"))


class Proxy:
    """Passes bytes on, and cuts all connections when told to."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.cuts = 0

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        self.cuts += bool(self._writers)
        for writer in list(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        self.cut()
        self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection("localhost", self._port)
        self._writers |= {writer, back}
        await asyncio.gather(_copy(reader, back), _copy(onward, writer))
        self._writers -= {writer, back}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def publish(system: LocalSystem, random: Random, published: list[str], stop: asyncio.Event) -> None:
    there: set[int] = set()
    while not stop.is_set():
        changes: list[dict[str, Any]] = []
        for _ in range(5):
            number = random.randrange(60)
            if number in there and random.random() < 0.2:
                there.discard(number)
                changes.append(room(number, type="entityDeleted"))
            else:
                kind = "entityUpdated" if number in there else "entityCreated"
                there.add(number)
                changes.append(room(number, type=kind, data={"n": random.randrange(100)}))
        published += await asyncio.to_thread(system.publish, *changes)
        await asyncio.sleep(0.02)


async def check() -> None:
    random = Random(18)
    with guarded() as system:
        proxy = Proxy(system.ports[0])
        url = await proxy.start()
        verdicts: list[Verdict] = []
        errors: list[EntityStreamError] = []
        got: list[str] = []

        def take(item: Item) -> None:
            if isinstance(item, EntityEvent):
                got.append(item.id)

        stream = EntityStream(
            url,
            "demo",
            get_token=lambda: mint(life="4s"),
            on_verdict=verdicts.append,
            on_error=errors.append,
            rotate_after=2,
            drain=0.5,
            backoff_min=0.05,
            backoff_max=0.3,
        )
        async with stream:
            rooms = stream.subscribe(on_item=take)
            entities = stream.entities(entity_types=["Room"], q="n<70")
            await asyncio.gather(rooms.wait_ready(PATIENCE), entities.wait_ready(PATIENCE))
            stop = asyncio.Event()
            published: list[str] = []
            publishing = asyncio.create_task(publish(system, random, published, stop))
            end = asyncio.get_running_loop().time() + SECONDS
            while asyncio.get_running_loop().time() < end:
                await asyncio.sleep(random.random() * 1.2)
                proxy.cut()
            stop.set()
            await publishing
            await until(lambda: entities.is_complete)
            async with EntityStream(system.url, "demo", get_token=mint) as other:
                expected = other.entities(entity_types=["Room"], q="n<70")
                await expected.wait_ready(PATIENCE)
                await until(lambda: {k: e.data for k, e in entities.items()} == {k: e.data for k, e in expected.items()})
            assert proxy.cuts > SECONDS / 4
            assert not any(isinstance(verdict, NotRecovered) for verdict in verdicts), verdicts
            await until(lambda: len(got) >= len(published))
            assert sorted(got) == sorted(published)
            assert {error.code for error in errors} <= {"connection_lost", "connect_failed"}, errors
            assert all(SECRET not in str(error) for error in errors)
        await proxy.stop()


def test_nothing_is_lost_and_the_entities_are_equal():
    asyncio.run(asyncio.wait_for(check(), SECONDS + 5 * PATIENCE))
