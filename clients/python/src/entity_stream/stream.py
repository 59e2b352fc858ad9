"""The stream of a tenant's changes, for asyncio."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._checks import check_flags, check_function, check_functions, refuse_unknown
from ._core.effects import (
    Deliver,
    Effect,
    Ended,
    Moved,
    Offline,
    Online,
    Settled,
    StateChange,
    StreamState,
    Told,
    Trouble,
)
from ._emitter import Emitter, EventName
from ._place import place
from ._shell import Shell
from ._source import Load
from .bookmark import Bookmark, earliest
from .buffer import Buffer, Overflow
from .debug import DebugEntry
from .entities import Entities
from .entity import Change
from .errors import ClosedError, EntityStreamError, RequestError
from .events import EntityEvent, Item, Verdict
from .filter import EntitiesFields, Filter, FilterFields
from .settings import Settings, StreamOptions, is_name
from .subscription import Call, Subscription, chosen_filter

if TYPE_CHECKING:
    from typing_extensions import Unpack

log = logging.getLogger("entity_stream")

#: The options of two calls that are not fields of their filters.
_SUBSCRIBE = ("name", "snapshot", "since", "capacity", "overflow", "on_item")
_ENTITIES = ("name", "load", "on_change")


class EntityStream:
    """Streams the changes of a tenant's entities over one connection, for any number of subscriptions.

    The first `subscribe` connects the stream, and `aclose` ends it; so does the end of `async with`. The options after
    `tenant` are those of `Settings`, by keyword; all times are in seconds. An unknown option raises `TypeError`.
    """

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
        refuse_unknown("a stream", options, StreamOptions.__annotations__)
        self._settings = Settings(url=url, tenant=tenant, **options)
        self._emitter = Emitter(self._guarded)
        check_functions(on_state=on_state, on_error=on_error, on_verdict=on_verdict)
        functions: dict[EventName, Callable[[Any], None] | None] = {"state": on_state, "error": on_error, "verdict": on_verdict}
        for name, function in functions.items():
            if function is not None:
                self._emitter.on(name, function)
        self._last_event: EntityEvent | None = None
        self._shell = Shell(self._settings, self._handle)
        self._subscriptions: dict[int, Subscription] = {}
        self._calls: dict[int, Call[Filter] | Call[None]] = {}
        self._collections: set[Entities] = set()
        self._is_online = False
        #: The place before the item that is being handed out.
        self._place: Bookmark | None = None
        #: The subscriptions whose loops may still have to receive items.
        self._buffered: weakref.WeakSet[Subscription] = weakref.WeakSet()

    @property
    def state(self) -> StreamState:
        """The state of the stream."""
        return self._shell.machine.state

    @property
    def bookmark(self) -> Bookmark | None:
        """The place of the stream in the history, for a program that stores it and passes it as `since` after a restart.

        It never passes an event that waits for a loop. Read it after an event was handled. It is `None` before the first
        answer, and with a service without a history.
        """
        waiting = (place for each in list(self._buffered) if each._buffer is not None for place in each._buffer.waiting())
        return earliest([self._place, *waiting])

    def on(self, name: EventName, listener: Callable[[Any], None]) -> Callable[[], None]:
        """Calls `listener` for each future occurrence. Returns a function that removes the listener.

        `event` is a change of an entity, once for each view of the subscriptions that match. `state`, `verdict` and `error` are
        as for `on_state`, `on_verdict` and `on_error`.
        """
        return self._emitter.on(name, listener)

    def once(self, name: EventName, listener: Callable[[Any], None]) -> Callable[[], None]:
        """Calls `listener` for the next occurrence. Returns a function that removes the listener."""
        return self._emitter.once(name, listener)

    def off(self, name: EventName, listener: Callable[[Any], None]) -> None:
        """Removes a listener."""
        self._emitter.off(name, listener)

    def subscribe(
        self,
        filter: Filter | None = None,
        *,
        name: str | None = None,
        snapshot: bool = False,
        since: float | Bookmark | None = None,
        capacity: int = 1000,
        overflow: Overflow = "drop-oldest",
        on_item: Callable[[Item], None] | None = None,
        **fields: Unpack[FilterFields],
    ) -> Subscription:
        """Subscribes to the changes that match a filter: a `Filter`, or its fields as keyword arguments.

        It returns at once; await `ready` of the result. With `snapshot`, the entities that match now come first. With
        `since`, the events of so many past seconds come first, or those since a `bookmark`. `capacity` and `overflow` are
        about the buffer of its loop.
        With `on_item` each item is given to this function instead.
        """
        chosen = chosen_filter(filter, fields, _SUBSCRIBE)
        check_flags(snapshot=snapshot)
        check_functions(on_item=on_item)
        self._check(chosen, name, snapshot=snapshot, since=since)
        buffer = Buffer[Item](capacity, overflow, self._report) if on_item is None else None
        return self._add(chosen, name, snapshot, since, buffer, on_item)

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
        """The entities that match a filter, kept up to date. Await `ready` of the result.

        The service's snapshot fills the collection. With `load` this function does: it is called after the subscription is in
        force, and returns the entities of a broker. It is called again after each gap that was not recovered, and after an event
        that does not tell which attributes have changed, for example a late one. If it fails, `on_error` gets a `LoadError`, and
        the function is called again after a pause. `whole_entity=False` is for services without entity state: the collection
        then merges the attributes of each event.
        """
        chosen = chosen_filter(filter, fields, _ENTITIES)
        check_flags(whole_entity=whole_entity)
        check_function("load", load)
        check_functions(on_change=on_change)
        if not whole_entity and load is None:
            raise ValueError("whole_entity=False needs load: without entity state the service has no snapshot")
        chosen = Entities.filter_of(chosen, whole=whole_entity)
        self._check(chosen, name, snapshot=load is None, since=None)

        def subscribe(filter: Filter, snapshot: bool, take: Callable[[Item], None]) -> Subscription:
            return self._add(filter, name, snapshot, None, None, take)

        tenant, start = self._settings.tenant.lower(), self._shell.start
        entities = Entities(
            tenant, chosen, load, on_change, self._guarded, self._report, start, subscribe, merges=not whole_entity
        )
        self._collections.add(entities)
        entities._begin(is_online=self._is_online)
        return entities

    def wake(self) -> None:
        """Call it when the network is back: the stream connects at once, or checks its connection."""
        self._shell.check_loop()
        self._shell.call(self._shell.machine.wake)

    async def aclose(self) -> None:
        """Ends the stream. A member of a group first leaves it, and takes the events that are already assigned to it."""
        self._shell.check_loop()
        self._shell.call(self._shell.machine.close)
        await self._shell.finished()

    async def __aenter__(self) -> EntityStream:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<EntityStream {self._settings.tenant!r} {self.state}>"

    def _check(self, filter: Filter, name: str | None, *, snapshot: bool, since: float | Bookmark | None) -> None:
        """Raises for a subscription that the stream cannot have."""
        self._check_open()
        filter.check_size()
        if name is not None and not is_name(name, r"[A-Za-z0-9_.:-]{1,64}"):
            raise ValueError("name has to be 1 to 64 characters of A-Z a-z 0-9 _ - . :")
        if name is not None and self._shell.machine.subscriptions.has_name(name):
            raise ValueError("another subscription of the stream has this name")
        if (snapshot or since is not None) and self._settings.group_id is not None:
            raise ValueError("a member of a group has no snapshot and no since")
        if since is not None and not isinstance(since, Bookmark) and not _is_age(since):
            raise ValueError("since has to be a Bookmark, or a number of seconds, at least 0")

    def _check_open(self) -> None:
        self._shell.check_loop()
        if self.state is StreamState.CLOSED or self._shell.machine.is_closing:
            raise ClosedError()

    def _add(
        self,
        filter: Filter,
        name: str | None,
        snapshot: bool,
        since: float | Bookmark | None,
        buffer: Buffer[Item] | None,
        on_item: Callable[[Item], None] | None,
    ) -> Subscription:
        self._check_open()
        machine = self._shell.machine
        subscription = Subscription(self, buffer, on_item)
        add = machine.requests.add
        with self._shell.paused():
            key, call = self._shell.call(lambda: add(filter, name, snapshot=snapshot, since=since))
            subscription._core = machine.subscriptions.all[key]
            subscription._name = subscription._core.wire
            self._buffered.add(subscription)
            self._subscriptions[key], self._calls[call] = subscription, subscription._ready
        return subscription

    async def _update(self, subscription: Subscription, filter: Filter) -> Filter:
        call = Call[Filter]()
        self._ask(call, lambda: self._shell.machine.requests.update(subscription._core.key, filter))
        return await call

    def _remove(self, subscription: Subscription) -> Call[None]:
        call = Call[None]()
        self._ask(call, lambda: self._shell.machine.requests.remove(subscription._core.key))
        return call

    def _ask(self, call: Call[Filter] | Call[None], ask: Callable[[], int]) -> None:
        with self._shell.paused():
            self._calls[self._shell.call(ask)] = call

    def _handle(self, effect: Effect) -> None:
        if isinstance(effect, Deliver):
            item = effect.item
            # One event goes to all subscriptions that it names.
            if isinstance(item, EntityEvent) and not item.is_snapshot and item is not self._last_event:
                self._last_event = item
                self._emitter.emit("event", item)
            if subscription := self._subscriptions.get(effect.subscription):
                self._guarded(subscription._take, effect.item)
        elif isinstance(effect, Moved):
            self._place = effect.bookmark
        elif isinstance(effect, Settled):
            if call := self._calls.pop(effect.call, None):
                if effect.error is not None:
                    call.fail(effect.error)
                else:
                    call.settle(effect.in_force)  # type: ignore[arg-type]
        elif isinstance(effect, Ended):
            if subscription := self._subscriptions.pop(effect.subscription, None):
                if isinstance(effect.error, RequestError) and subscription._buffer is None:
                    # No loop raises it, and `ready` tells only of the first filter.
                    self._report(effect.error)
                subscription._end(effect.error)
                self._collections -= {each for each in list(self._collections) if each._ended(subscription, effect.error)}
        elif isinstance(effect, (Online, Offline)):
            self._is_online = isinstance(effect, Online)
            for collection in list(self._collections):
                collection._connection(self._is_online)
        elif isinstance(effect, StateChange):
            log.debug("state: %s", effect.state)
            self._guarded(
                self._settings.debug, DebugEntry("state", effect.state.value, error=effect.error.code if effect.error else None)
            )
            self._emitter.emit("state", effect)
        elif isinstance(effect, DebugEntry):
            self._guarded(self._settings.debug, effect)
        elif isinstance(effect, Told):
            self._emitter.emit("verdict", effect.verdict)
        elif isinstance(effect, Trouble):
            self._report(effect.error)

    def _report(self, error: EntityStreamError) -> None:
        log.warning("%s: %s", error.code, error)
        self._emitter.emit("error", error)

    def _guarded(self, callback: Callable[[Any], None] | None, value: object) -> None:
        """Calls a function of the program. Its error concerns only the program."""
        try:
            if callback is not None:
                callback(value)
        except (Exception, asyncio.CancelledError) as error:
            # A cancelled future of the program would otherwise end the connection. Its text may have a value of an entity.
            log.error("a callback raised %s", place(error))


def _is_age(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < inf
