"""The bounded buffer of a loop.

Invariant: a loop receives the items in their order, and then the end. If the buffer is full, either the oldest item gives
way, or the loop receives the buffered items and then an `OverflowError`. Items that the program asked for, such as the entities
of a snapshot, always find room.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import islice
from typing import Generic, Literal, TypeVar

from .bookmark import Bookmark
from .errors import EntityStreamError, OverflowError

T = TypeVar("T")
Overflow = Literal["drop-oldest", "fail"]


class _Cell(Generic[T]):
    """An item in a buffer, and the place before it."""

    __slots__ = ("is_dead", "item", "place")

    def __init__(self, item: T, place: Bookmark | None) -> None:
        self.item, self.place, self.is_dead = item, place, False


class Loop(AsyncIterator[T]):
    """The items of a buffer for `async for`. A wait that is cancelled, or that a time limit ends, does not end the loop."""

    def __init__(self, buffer: Buffer[T]) -> None:
        self._buffer = buffer

    def __aiter__(self) -> Loop[T]:
        return self

    async def __anext__(self) -> T:
        if taken := await self._buffer.next():
            return taken[0]
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Ends the loop."""
        self._buffer = Buffer(1, "fail", lambda _: None)
        self._buffer.finish(None)


class Buffer(Generic[T]):
    """The items that wait for a loop."""

    def __init__(self, capacity: int, overflow: Overflow, on_overflow: Callable[[OverflowError], None]) -> None:
        if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
            raise ValueError("capacity has to be a whole number, at least 1")
        if overflow not in ("drop-oldest", "fail"):
            raise ValueError('overflow has to be "drop-oldest" or "fail"')
        self._capacity, self._overflow, self._on_overflow = capacity, overflow, on_overflow
        #: The items.
        self._items: deque[_Cell[T]] = deque()
        #: Those that count and have not been dropped, and the number of those that were dropped and are still in `_items`.
        self._droppable: deque[_Cell[T]] = deque()
        self._dead = 0
        #: The items that another thread hands out, one after the other.
        self._lent: deque[tuple[T, Bookmark | None]] = deque()
        self._is_overflowing = False
        self._is_finished = False
        self._error: EntityStreamError | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()
        #: The number of items that were dropped for newer ones.
        self.dropped = 0

    def push(self, item: T, *, counts: bool = True, place: Bookmark | None = None) -> None:
        """Adds an item, and the place from which it comes again."""
        if self._is_finished:
            return
        if counts and len(self._droppable) >= self._capacity:
            if self._overflow == "fail":
                return self.finish(OverflowError(self._capacity))
            self._drop_oldest()
        cell = _Cell(item, place)
        self._items.append(cell)
        if counts:
            self._droppable.append(cell)
        self._wake()

    def finish(self, error: EntityStreamError | None) -> None:
        """Ends the buffer. The loop still receives the buffered items, and then the error."""
        if not self._is_finished:
            self._is_finished, self._error = True, error
            while self._waiting:
                self._wake()

    def take(self, most: int) -> list[T]:
        """Takes the buffered items, without waiting."""
        taken: list[T] = []
        while self._items and len(taken) < most:
            taken.append(self._pop()[0])
        return taken

    def lend(self, most: int) -> int:
        """Puts buffered items where another thread finds them with `borrowed`. Returns their number."""
        count = 0
        while self._items and count < most:
            self._lent.append(self._pop())
            count += 1
        return count

    def borrowed(self) -> T | None:
        """The next item that was lent. `None` if there is none. Any thread may call it."""
        try:
            return self._lent.popleft()[0]
        except IndexError:
            return None

    @property
    def is_over(self) -> bool:
        """True if nothing more comes, and nothing is buffered."""
        return self._is_finished and not self._items

    def waiting(self) -> Iterable[Bookmark | None]:
        """The place before the first item that the program has not received, if there is such an item."""
        with contextlib.suppress(IndexError):
            # Another thread may take the item at this moment.
            return [self._lent[0][1]]
        return [each.place for each in islice(self._items, 1)]

    async def next(self, most: int = 1) -> list[T]:
        """Waits for items. Returns none at the end, and raises the error of the end once."""
        await self.wait()
        return self.take(most)

    async def wait(self) -> None:
        """Waits until there are items, or the end. Raises the error of the end once."""
        while not self._items:
            if self._is_finished:
                return self.raise_error()
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                # A loop that was cancelled leaves the item to the next one.
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                elif self._items or self._is_finished:
                    self._wake()
                raise

    def raise_error(self) -> None:
        """Raises the error of the end, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _drop_oldest(self) -> None:
        self._droppable.popleft().is_dead = True
        self._dead += 1
        self.dropped += 1
        # A search for the item would take long behind a large snapshot. Half of the items at most are dead.
        if 2 * self._dead > len(self._items):
            self._items = deque(cell for cell in self._items if not cell.is_dead)
            self._dead = 0
        self._skip()
        if not self._is_overflowing:
            self._is_overflowing = True
            self._on_overflow(OverflowError(self._capacity))

    def _pop(self) -> tuple[T, Bookmark | None]:
        cell = self._items.popleft()
        if self._droppable and self._droppable[0] is cell:
            self._droppable.popleft()
        self._skip()
        if not self._items:
            self._is_overflowing = False
        return cell.item, cell.place

    def _skip(self) -> None:
        """Removes the dropped items at the beginning."""
        while self._items and self._items[0].is_dead:
            self._items.popleft()
            self._dead -= 1

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done() and not waiter.get_loop().is_closed():
                waiter.set_result(None)
                return
