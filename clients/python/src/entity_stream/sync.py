"""The same client for scripts and notebooks: it blocks. It also works where a loop already runs, as in Jupyter.

Callbacks (`on_item`, `on_change`, `on_state`, `on_error`, `on_verdict`) run in the stream's own thread. There, `close` and
`subscribe` do not wait, and what waits raises `RuntimeError`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from . import stream as _stream
from ._checks import check_timeout, named_options
from ._core.effects import StateChange, StreamState
from ._emitter import EventName
from ._source import Load
from ._thread import LoopThread
from .bookmark import Bookmark
from .buffer import Buffer, Overflow
from .dataframe import to_dataframe
from .entities import Entities as _Entities
from .entity import Change, Entity
from .errors import ClosedError, EntityStreamError
from .events import EntityEvent, Item, Verdict
from .filter import EntitiesFields, Filter, FilterFields
from .settings import StreamOptions
from .subscription import Call, wait_for
from .subscription import Subscription as _Subscription
from .view import EntityView as _EntityView

if TYPE_CHECKING:
    import pandas
    from typing_extensions import Unpack

__all__ = ["Entities", "EntityStream", "EntityView", "Subscription"]

T = TypeVar("T")

#: The items that a loop takes from the stream's thread at once.
_BATCH = 256


def _next(thread: LoopThread, buffer: Buffer[T], timeout: float | None) -> T | None:
    """The next item; `None` at the end. Several threads may take the items of one buffer: each item goes to one of them."""
    check_timeout(timeout)
    thread.check_caller()
    end, left = None if timeout is None else time.monotonic() + timeout, timeout
    while (item := buffer.borrowed()) is None:
        # In two steps, so that a wait that ends with its time limit takes nothing.
        lent, is_over = thread.call(lambda: (buffer.lend(_BATCH), buffer.is_over))
        if lent:
            continue
        if is_over:
            return thread.call(buffer.raise_error)
        if thread.is_stopped:
            thread.call(lambda: buffer.lend(_BATCH))
            return buffer.borrowed()
        try:
            thread.run(buffer.wait(), left)
        except ClosedError:
            # The items that arrived before the end are still there.
            if not thread.is_stopped:
                raise
        left = None if end is None else max(0.0, end - time.monotonic())
    return item


def _wait_for(thread: LoopThread, call: Call[T], timeout: float | None) -> T:
    """Waits for a call, for some seconds at most."""
    check_timeout(timeout)
    # The thread takes a moment to tell the result of one that is over.
    return thread.run(wait_for(call, None), None if call.is_over else timeout)


def _run_unless_stopped(thread: LoopThread, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Waits for the end, but not in a callback, because the end may need the thread."""
    try:
        if thread.is_current:
            thread.start(close())
        elif not thread.is_stopped:
            thread.run(close())
    except ClosedError:
        # Another thread has closed the stream meanwhile.
        if not thread.is_stopped:
            raise


class _Closing:
    """Ends with its `with` block."""

    def close(self) -> None:
        raise NotImplementedError

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Subscription(_Closing):
    """The events that match a filter, for a `for` loop."""

    def __init__(self, thread: LoopThread, subscription: _Subscription) -> None:
        self._thread, self._subscription = thread, subscription

    @property
    def name(self) -> str:
        """The name that the caller chose, or that the client made."""
        return self._subscription.name

    @property
    def filter(self) -> Filter:
        """The filter in force, or the one that was asked for first."""
        return self._subscription.filter

    @property
    def dropped(self) -> int:
        """The number of items that were dropped because the loop was too slow."""
        return self._subscription.dropped

    def wait_ready(self, timeout: float | None = None) -> Filter:
        """Waits until the subscription is in force, and returns the server's filter.

        Raises `TimeoutError` after `timeout` seconds.
        """
        return _wait_for(self._thread, self._subscription.ready, timeout)

    def update(self, filter: Filter | None = None, *, timeout: float | None = None, **fields: Unpack[FilterFields]) -> Filter:
        """Exchanges the filter, and returns the one of the server.

        If the server refuses the new one, this raises, and the old one stays in force.
        """
        return self._thread.run(self._subscription.update(filter, **fields), timeout)

    def next(self, timeout: float | None = None) -> EntityEvent | None:
        """The next event; `None` at the end. Raises `TimeoutError` after `timeout` seconds."""
        while (item := self._next_item(timeout)) is not None:
            if isinstance(item, EntityEvent):
                return item
        return None

    def __iter__(self) -> Iterator[EntityEvent]:
        for item in self.items():
            if isinstance(item, EntityEvent):
                yield item

    def items(self) -> Iterator[Item]:
        """Yields the events, the entities of snapshots, verdicts, and the ends of snapshots."""
        buffer = self._subscription._buffered()
        return iter(lambda: _next(self._thread, buffer, None), None)

    def close(self) -> None:
        """Ends the subscription. Its loops end after the items that have arrived."""
        _run_unless_stopped(self._thread, self._subscription.aclose)

    def __enter__(self) -> Subscription:
        return self

    def __repr__(self) -> str:
        return repr(self._subscription)

    def _next_item(self, timeout: float | None) -> Item | None:
        return _next(self._thread, self._subscription._buffered(), timeout)


class Entities(_Closing, Mapping[str, Entity]):
    """The entities that match a filter, by their ids, kept up to date by the stream's thread."""

    def __init__(self, thread: LoopThread, entities: _Entities) -> None:
        self._thread, self._entities = thread, entities

    def wait_ready(self, timeout: float | None = None) -> None:
        """Waits until the collection is complete. Raises `TimeoutError` after `timeout` seconds."""
        _wait_for(self._thread, self._entities.ready, timeout)

    @property
    def is_complete(self) -> bool:
        """True if the collection holds every entity that matches, and is connected."""
        return self._entities.is_complete

    @property
    def filter(self) -> Filter:
        """The filter in force."""
        return self._entities.filter

    def update(
        self,
        filter: Filter | None = None,
        *,
        load: Load | None = None,
        timeout: float | None = None,
        **fields: Unpack[EntitiesFields],
    ) -> None:
        """Exchanges the filter: entities that do not match any more leave. See `entity_stream.Entities.update`."""
        self._thread.run(self._entities.update(filter, load=load, **fields), timeout)

    def __getitem__(self, entity_id: str) -> Entity:
        return self._snapshot()[entity_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._snapshot())

    def __len__(self) -> int:
        return len(self._snapshot())

    def keys(self) -> KeysView[str]:
        """The ids at this moment."""
        return self._snapshot().keys()

    def values(self) -> ValuesView[Entity]:
        """The entities at this moment."""
        return self._snapshot().values()

    def items(self) -> ItemsView[str, Entity]:
        """The ids and the entities at this moment."""
        return self._snapshot().items()

    @overload
    def get(self, entity_id: str, /, *, service_path: str | None = None) -> Entity | None: ...
    @overload
    def get(self, entity_id: str, /, default: Entity | T, *, service_path: str | None = None) -> Entity | T: ...
    def get(self, entity_id: str, /, default: T | None = None, *, service_path: str | None = None) -> Entity | T | None:
        """The entity with this id, or `default`. An id may exist in several service paths; `service_path` selects one."""
        if service_path is None:
            return self._snapshot().get(entity_id, default)
        return self._thread.call(lambda: self._entities.get(entity_id, default, service_path=service_path))

    def all(self) -> list[Entity]:
        """All entities, in the order of their ids and service paths."""
        return self._thread.call(self._entities.all)

    def to_dataframe(self) -> pandas.DataFrame:
        """A row for each entity and a column for each attribute, with the bare values. It needs pandas."""
        # The stream's thread has the connection to serve meanwhile.
        entities, is_normalized = self._thread.call(self._entities._rows)
        return to_dataframe(entities, is_normalized=is_normalized)

    @named_options("a view")
    def view(
        self,
        *,
        key: Callable[[Entity], Any] | None = None,
        reverse: bool = False,
        filter: Callable[[Entity], bool] | None = None,
        limit: int | None = None,
        on_change: Callable[[tuple[Entity, ...]], None] | None = None,
    ) -> EntityView:
        """A sorted part of the collection. Its functions run in the stream's thread. See `entity_stream.Entities.view`."""
        made = self._thread.call(
            lambda: self._entities.view(key=key, reverse=reverse, filter=filter, limit=limit, on_change=on_change)
        )
        return EntityView(self._thread, made)

    @named_options("changes")
    def changes(self, *, capacity: int = 1000, overflow: Overflow = "drop-oldest") -> Iterator[Change]:
        """Yields an `added` change for each entity that is there already, and then each change."""
        return self._changes(self._thread.call(lambda: self._entities._open_buffer(capacity, overflow)))

    def _changes(self, buffer: Buffer[Change]) -> Iterator[Change]:
        try:
            while (change := _next(self._thread, buffer, None)) is not None:
                yield change
        finally:
            # The collector may end a loop that was left, in any thread.
            self._thread.post(lambda: self._entities._buffers.discard(buffer))

    def close(self) -> None:
        """Ends the collection. It keeps its entities."""
        _run_unless_stopped(self._thread, self._entities.aclose)

    def __enter__(self) -> Entities:
        return self

    def __repr__(self) -> str:
        return self._thread.call(lambda: repr(self._entities))

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def _snapshot(self) -> dict[str, Entity]:
        """The mapping at this moment. The stream's thread may change it at the next."""
        # The index is replaced as a whole and never changed.
        index = self._entities._by_id
        return index if index is not None else self._thread.call(self._entities._index)


class EntityView(Sequence[Entity]):
    """A sorted part of a live collection, kept up to date by the stream's thread."""

    def __init__(self, thread: LoopThread, view: _EntityView) -> None:
        self._thread, self._view = thread, view

    @property
    def values(self) -> tuple[Entity, ...]:
        """The entities in the order, at this moment."""
        return self._thread.call(lambda: self._view.values)

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> Entity: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Entity, ...]: ...
    def __getitem__(self, index: int | slice) -> Entity | tuple[Entity, ...]:
        return self.values[index]

    def __iter__(self) -> Iterator[Entity]:
        return iter(self.values)

    def __repr__(self) -> str:
        return self._thread.call(lambda: repr(self._view))

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class EntityStream(_Closing):
    """Streams the changes of a tenant's entities. See `entity_stream.EntityStream`, which has the same options."""

    def __init__(
        self,
        url: str,
        tenant: str,
        *,
        on_state: Callable[[StateChange], None] | None = None,
        on_error: Callable[[EntityStreamError], None] | None = None,
        on_verdict: Callable[[Verdict], None] | None = None,
        **options: Unpack[StreamOptions],
    ) -> None:
        self._stream = _stream.EntityStream(url, tenant, on_state=on_state, on_error=on_error, on_verdict=on_verdict, **options)
        self._thread = LoopThread()

    @property
    def state(self) -> StreamState:
        """The state of the stream."""
        # `sys.exit` in a callback ends the thread alone.
        return StreamState.CLOSED if self._thread.is_stopped else self._stream.state

    @property
    def bookmark(self) -> Bookmark | None:
        """The place of the stream in the history. See `entity_stream.EntityStream.bookmark`."""
        return self._thread.call(lambda: self._stream.bookmark)

    def on(self, name: EventName, listener: Callable[[Any], None]) -> Callable[[], None]:
        """Calls `listener` for each future occurrence, in the stream's thread. See `entity_stream.EntityStream.on`."""
        return self._listening(self._stream.on, name, listener)

    def once(self, name: EventName, listener: Callable[[Any], None]) -> Callable[[], None]:
        """Calls `listener` for the next occurrence. Returns a function that removes the listener."""
        return self._listening(self._stream.once, name, listener)

    def off(self, name: EventName, listener: Callable[[Any], None]) -> None:
        """Removes a listener."""
        self._thread.call(lambda: self._stream.off(name, listener))

    def _listening(
        self,
        add: Callable[[EventName, Callable[[Any], None]], Callable[[], None]],
        name: EventName,
        listener: Callable[[Any], None],
    ) -> Callable[[], None]:
        remove = self._thread.call(lambda: add(name, listener))
        return lambda: self._thread.call(remove)

    def subscribe(
        self,
        filter: Filter | None = None,
        *,
        name: str | None = None,
        snapshot: bool = False,
        since: float | Bookmark | None = None,
        capacity: int = 1000,
        overflow: Literal["drop-oldest", "fail"] = "drop-oldest",
        on_item: Callable[[Item], None] | None = None,
        **fields: Unpack[FilterFields],
    ) -> Subscription:
        """Subscribes to the changes that match a filter: a `Filter`, or its fields as keyword arguments.

        With `snapshot`, the entities that match now come first. With `since`, the events of so many past seconds come first, or
        those since a `bookmark`.
        """
        made = self._made(
            lambda: self._stream.subscribe(
                filter,
                name=name,
                snapshot=snapshot,
                since=since,
                capacity=capacity,
                overflow=overflow,
                on_item=on_item,
                **fields,
            )
        )
        return Subscription(self._thread, made)

    def entities(
        self,
        filter: Filter | None = None,
        *,
        name: str | None = None,
        load: Load | None = None,
        whole_entity: bool = True,
        on_change: Callable[[Change], None] | None = None,
        **fields: Unpack[EntitiesFields],
    ) -> Entities:
        """The entities that match a filter, kept up to date. See `entity_stream.EntityStream.entities`."""
        made = self._made(
            lambda: self._stream.entities(filter, name=name, load=load, whole_entity=whole_entity, on_change=on_change, **fields)
        )
        return Entities(self._thread, made)

    def wake(self) -> None:
        """Call it when the network is back: the stream connects at once, or checks its connection."""
        self._thread.call(self._stream.wake)

    def close(self) -> None:
        """Ends the stream and its thread. In a callback, it does not wait for that."""
        if self._thread.is_current:
            return self._thread.start(self._close())
        try:
            _run_unless_stopped(self._thread, self._stream.aclose)
        finally:
            self._thread.stop()

    async def _close(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._thread.stop()

    def _made(self, make: Callable[[], T]) -> T:
        """Calls a function that needs the loop."""
        if self._thread.is_stopped:
            raise ClosedError()
        return self._thread.call(make)

    def __enter__(self) -> EntityStream:
        return self

    def __repr__(self) -> str:
        return repr(self._stream)
