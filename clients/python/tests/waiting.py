"""Waits with a limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from local import LocalSystem

from entity_stream import (
    EntityEvent,
    Subscription,
    sync,
)

PATIENCE = 20.0


def run(work: Awaitable[None]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(work, 6 * PATIENCE)

    asyncio.run(limited())


async def until(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    async with asyncio.timeout(patience) if hasattr(asyncio, "timeout") else _forever():
        while not condition():
            await asyncio.sleep(0.01)


class _forever:
    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


async def take(subscription: Subscription, count: int) -> list[EntityEvent]:
    return [await asyncio.wait_for(anext(subscription), PATIENCE) for _ in range(count)]


def stored(system: LocalSystem, tenant: str, count: int) -> None:
    """Waits until the service has the states of so many entities, a moment after `publish`."""
    end = time.monotonic() + PATIENCE
    with sync.EntityStream(system.url, tenant) as stream, stream.entities() as entities:
        entities.wait_ready(PATIENCE)
        while len(entities) < count:
            assert time.monotonic() < end, f"{len(entities)} of {count} entities"
            time.sleep(0.01)
