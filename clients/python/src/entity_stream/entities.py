"""A live collection of entities."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._core.collection import Collection
from .buffer import Buffer, Overflow
from .dataframe import to_dataframe
from .entity import Change, Entity
from .errors import ClosedError, EntityStreamError, LoadError
from .events import EntityEvent, Item, NotRecovered, Recovered, SnapshotComplete
from .filter import Filter
from .subscription import Call, Subscription, wait_for

if TYPE_CHECKING:
    import pandas

#: Returns the entities of a broker, as NGSI objects with `id` and `type`; or a coroutine of it.
Load = Callable[[], "Iterable[Mapping[str, Any]] | Awaitable[Iterable[Mapping[str, Any]]]"]


class Entities(Mapping[str, Entity]):
    """The entities that match a filter, by their ids. `EntityStream.entities` makes it.

    An entity is there while it exists and matches. After a lost connection the collection keeps what it has, and is brought up to
    date. If several service paths have an entity of the same id, the mapping has the one of the first path; `all()` has all.
    """

    def __init__(
        self,
        tenant: str,
        load: Load | None,
        on_change: Callable[[Change], None],
        report: Callable[[EntityStreamError], None],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        *,
        merges: bool = False,
    ) -> None:
        self._tenant, self._load, self._on_change, self._report, self._start = tenant, load, on_change, report, start
        self._collection = Collection(merges=merges)
        self._by_id: dict[str, Entity] | None = None
        self._buffers: set[Buffer[Change]] = set()
        self._ready = Call()
        self._subscription: Subscription | None = None
        self._loading: asyncio.Task[None] | None = None
        self._needs_load = load is not None
        self._connections = 0
        self._end: tuple[EntityStreamError | None] | None = None

    # The mapping.

    def __getitem__(self, entity_id: str) -> Entity:
        return self._index()[entity_id]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._index()))

    def __len__(self) -> int:
        return len(self._index())

    def all(self) -> list[Entity]:
        """All entities, in the order of their ids and service paths."""
        return self._collection.entities()

    def to_dataframe(self) -> pandas.DataFrame:
        """A row for each entity and a column for each attribute, with the bare values. It needs pandas."""
        return to_dataframe(self.all())

    # The life of the collection.

    @property
    def ready(self) -> Call:
        """Await it: the collection then holds every entity that matches."""
        return self._ready

    async def wait_ready(self, timeout: float | None = None) -> None:
        """Waits until the collection is complete. Raises `TimeoutError` after `timeout` seconds."""
        await wait_for(self._ready, timeout)

    @property
    def is_complete(self) -> bool:
        """True if the collection holds every entity that matches, and is connected."""
        return self._collection.is_complete

    async def changes(self, *, capacity: int = 1000, overflow: Overflow = "drop-oldest") -> AsyncIterator[Change]:
        """Yields an `added` change for each entity that is there already, and then each change."""
        buffer = self._open_buffer(capacity, overflow)
        try:
            while taken := await buffer.next():
                yield taken[0]
        finally:
            self._buffers.discard(buffer)

    async def aclose(self) -> None:
        """Ends the collection. It keeps its entities."""
        if self._loading is not None:
            self._loading.cancel()
        if self._subscription is not None:
            await self._subscription.aclose()

    async def __aenter__(self) -> Entities:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Entities {len(self)} {'complete' if self.is_complete else 'incomplete'}>"

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    # Reports of the stream.

    @staticmethod
    def filter_of(filter: Filter, *, whole: bool) -> Filter:
        """The filter of the subscription that feeds a collection."""
        chosen = filter.for_entities()
        return chosen if whole else replace(chosen, whole_entity=None)

    def _begin(self, subscription: Subscription, *, is_online: bool) -> None:
        self._subscription = subscription
        if is_online:
            self._connection(True)
        if self._load is not None:
            self._start(self._load_when_ready(subscription))

    def _connection(self, is_online: bool) -> None:
        if is_online:
            self._connections += 1
            self._collection.connected(time.monotonic())
        else:
            self._collection.disconnected(time.monotonic())

    def _take(self, item: Item) -> None:
        if isinstance(item, EntityEvent):
            if change := self._collection.apply(item, time.monotonic()):
                self._tell([change])
        elif isinstance(item, SnapshotComplete):
            if self._load is None:
                self._tell(self._collection.snapshot_complete(time.monotonic()))
                self._ready.settle(None)
        elif isinstance(item, NotRecovered):
            if self._load is not None:
                self._needs_load = True
                self._load_again()
        elif isinstance(item, Recovered):
            if self._needs_load:
                self._load_again()
            elif self._ready.is_done:
                self._collection.is_complete = True

    def _ended(self, subscription: Subscription, error: EntityStreamError | None) -> bool:
        if subscription is not self._subscription:
            return False
        self._finish(error)
        return True

    def _finish(self, error: EntityStreamError | None) -> None:
        self._collection.is_complete = False
        self._end = self._end or (error,)
        self._ready.settle(error or ClosedError("the collection"))
        for buffer in self._buffers:
            buffer.finish(error)

    # The entities of a broker.

    async def _load_when_ready(self, subscription: Subscription) -> None:
        try:
            await subscription.ready
        except EntityStreamError:
            return
        self._load_again()

    def _load_again(self) -> None:
        if self._loading is None or self._loading.done():
            self._loading = self._start(self._run_load())

    async def _run_load(self) -> None:
        wait = 0.5
        while self._needs_load and self._load is not None and self._end is None:
            connection = self._connections
            self._needs_load = False
            self._collection.load_begins()
            try:
                entities = await _loaded(self._load, self._tenant)
            except Exception as cause:
                self._needs_load = True
                error = LoadError()
                error.__cause__ = cause
                if not self._ready.is_done:
                    # The first failure is most likely a mistake, and the program waits for it.
                    return await self._fail(error)
                self._report(error)
                await asyncio.sleep(wait)
                wait = min(30.0, 2 * wait)
                continue
            if connection != self._connections:
                # Events may have been missed while the function read the entities.
                self._needs_load = True
                continue
            self._tell(self._collection.loaded(entities, time.monotonic()))
            self._ready.settle(None)

    async def _fail(self, error: LoadError) -> None:
        self._finish(error)
        if self._subscription is not None:
            await self._subscription.aclose()

    # The receivers of changes.

    def _open_buffer(self, capacity: int, overflow: Overflow) -> Buffer[Change]:
        buffer = Buffer[Change](capacity, overflow, self._report)
        for entity in self.all():
            buffer.push(Change("added", None, entity), counts=False)
        if self._end is None:
            self._buffers.add(buffer)
        else:
            buffer.finish(self._end[0])
        return buffer

    def _tell(self, changes: list[Change]) -> None:
        if changes:
            self._by_id = None
        for change in changes:
            for buffer in list(self._buffers):
                buffer.push(change)
            self._on_change(change)

    def _index(self) -> dict[str, Entity]:
        if self._by_id is None:
            # In reverse, so that the first service path of an id comes last and stays.
            index = {entity.id: entity for entity in reversed(self.all())}
            self._by_id = dict(reversed(index.items()))
        return self._by_id


async def _loaded(load: Load, tenant: str) -> list[Entity]:
    if inspect.iscoroutinefunction(load):
        found = await load()
    else:
        found = await asyncio.to_thread(load)
        if inspect.isawaitable(found):
            found = await found
    return [_entity(each, tenant) for each in found]


def _entity(loaded: Mapping[str, Any], tenant: str) -> Entity:
    types = loaded["type"]
    return Entity(
        tenant=tenant,
        service_path="/",
        id=str(loaded["id"]),
        type=tuple(types) if isinstance(types, (list, tuple)) else str(types),
        data={name: value for name, value in loaded.items() if name not in ("id", "type", "@context")},
    )
