"""A subscription of a program."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._checks import check_timeout, refuse_unknown, type_name
from ._core.subscriptions import Subscription as Core
from .buffer import Buffer, Loop
from .errors import ClosedError, EntityStreamError
from .events import EntityEvent, Item, SnapshotComplete
from .filter import EntitiesFields, Filter, FilterFields

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .stream import EntityStream


T = TypeVar("T")


class Call(Awaitable[T], Generic[T]):
    """The answer to a call. It can be awaited any number of times, and by several tasks."""

    def __init__(self) -> None:
        self._future: asyncio.Future[T] = self._new_future()

    def __await__(self) -> Generator[Any, None, T]:
        return asyncio.shield(self._future).__await__()

    @property
    def is_over(self) -> bool:
        """True if the call has succeeded or failed."""
        return self._future.done()

    @property
    def is_done(self) -> bool:
        """True if the call has succeeded."""
        return self._future.done() and self._future.exception() is None

    def settle(self, result: T) -> None:
        """The call has succeeded."""
        if not self.is_over:
            self._open_future().set_result(result)

    def fail(self, error: EntityStreamError) -> None:
        """The call has failed."""
        if not self.is_over:
            self._open_future().set_exception(error)

    def _open_future(self) -> asyncio.Future[T]:
        if self._future.get_loop().is_closed():
            # It can be awaited in the present loop instead.
            self._future = self._new_future()
        return self._future

    def _new_future(self) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        # The program need not await it: the loop over the events raises the error as well.
        future.add_done_callback(lambda future: future.cancelled() or future.exception())
        return future


class Subscription(AsyncIterator[EntityEvent]):
    """The events that match a filter. `EntityStream.subscribe` makes it; it is in force once it is `ready`.

    `async for event in subscription` yields events and, if the subscription begins with a snapshot, its entities first. The
    loop ends when the subscription or the stream is closed, and raises when the server refuses the filter or the stream
    fails. `items()` yields verdicts about gaps as well.
    """

    def __init__(
        self,
        stream: EntityStream,
        buffer: Buffer[Item] | None,
        on_item: Callable[[Item], None] | None,
    ) -> None:
        self._stream, self._buffer, self._on_item = stream, buffer, on_item
        self._ready = Call[Filter]()
        self._is_over = False
        self._error: EntityStreamError | None = None
        #: The subscription in the core, which the stream sets.
        self._core: Core
        self._name = ""

    @property
    def name(self) -> str:
        """The name that the caller chose, or that the client made."""
        return self._name

    @property
    def filter(self) -> Filter:
        """The filter in force, or the one that was asked for first."""
        return self._core.filter

    @property
    def ready(self) -> Call[Filter]:
        """Await it: from then on, every matching change that is published is delivered. The result is the server's filter."""
        return self._ready

    async def wait_ready(self, timeout: float | None = None) -> Filter:
        """Waits until the subscription is in force, and returns the server's filter.

        Raises `TimeoutError` after `timeout` seconds.
        """
        return await wait_for(self._ready, timeout)

    async def update(self, filter: Filter | None = None, **fields: Unpack[FilterFields]) -> Filter:
        """Exchanges the filter, and returns the one of the server. No event that matches both is lost or comes twice.

        A subscription with a snapshot begins with another one. If the server refuses the new filter, this raises, and the old one
        stays in force. A call that is cancelled still takes effect; `filter` shows the one in force.
        """
        new = chosen_filter(filter, fields)
        new.check_size()
        if self._is_over:
            raise self._error or ClosedError("the subscription")
        return await self._stream._update(self, new)

    async def aclose(self) -> None:
        """Ends the subscription. Its loops end after the items that have arrived."""
        await self._remove()

    @property
    def dropped(self) -> int:
        """The number of items that were dropped because the loop was too slow."""
        return self._buffer.dropped if self._buffer is not None else 0

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> EntityEvent:
        while taken := await self._buffered().next():
            if isinstance(taken[0], EntityEvent):
                return taken[0]
        raise StopAsyncIteration

    def items(self) -> Loop[Item]:
        """Yields the events, the entities of snapshots, verdicts, and the ends of snapshots.

        All loops over one subscription share its buffer: each item goes to one of them.
        """
        return Loop(self._buffered())

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Subscription {self._name!r} {'closed' if self._is_over else 'open'}>"

    def _remove(self) -> Call[None]:
        """Ends the subscription. The caller need not wait."""
        return self._stream._remove(self)

    def _buffered(self) -> Buffer[Item]:
        if self._buffer is None:
            raise TypeError("a subscription with on_item has no buffer; leave on_item out to use a loop")
        return self._buffer

    def _take(self, item: Item) -> None:
        if self._on_item is not None:
            self._on_item(item)
        if self._buffer is not None:
            is_asked_for = isinstance(item, SnapshotComplete) or (isinstance(item, EntityEvent) and item.is_snapshot)
            self._buffer.push(item, counts=not is_asked_for, place=self._stream._place)

    def _end(self, error: EntityStreamError | None) -> None:
        self._is_over, self._error = True, error
        self._ready.fail(error or ClosedError("the subscription"))
        if self._buffer is not None:
            self._buffer.finish(error)


def chosen_filter(filter: Filter | None, fields: FilterFields | EntitiesFields, options: Iterable[str] = ()) -> Filter:
    """The filter of a call, which gives an object or keyword arguments. The call may have other options as well."""
    refuse_unknown("a filter", fields, [*FilterFields.__annotations__, *options])
    if filter is not None and fields:
        raise TypeError("give a Filter or keyword arguments, not both")
    if filter is not None and not isinstance(filter, Filter):
        raise TypeError(f"the filter has to be a Filter, not {type_name(filter)}")
    return filter if filter is not None else Filter(**fields)


async def wait_for(call: Call[T], timeout: float | None) -> T:
    """Waits for a call, for some seconds at most."""
    check_timeout(timeout)
    if call.is_over:
        return await call
    try:
        return await asyncio.wait_for(asyncio.ensure_future(call), timeout)
    except asyncio.TimeoutError:
        raise TimeoutError(f"not ready in {timeout:g} s") from None
