"""The source of a live collection: a subscription, and its snapshot or the program's `load`."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol

from ._blocking import apart, in_thread
from ._core.collection import Collection
from ._place import place
from .entity import Change, Entity
from .errors import EntityStreamError, LoadError
from .events import EntityEvent, Item, NotRecovered, Recovered, SnapshotComplete
from .filter import Filter
from .subscription import Call, Subscription

#: Returns the entities of a broker, as NGSI objects with `id` and `type`, and `servicePath` if they have different ones; or a
#: coroutine of it.
Load = Callable[[], "Iterable[Mapping[str, Any]] | Awaitable[Iterable[Mapping[str, Any]]]"]
#: The pause before a load that failed is tried again, in seconds. It doubles up to the longest.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
#: The shortest time between two loads, in seconds, unless events may be missing.
LOAD_INTERVAL = 1.0

#: Starts a task that ends with the stream at the latest.
Start = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Owner(Protocol):
    """The live collection."""

    def told(self, source: Source, changes: list[Change]) -> None:
        """The entities of the source have changed."""

    def filled(self, source: Source) -> None:
        """The source holds every entity that matches."""

    def load_failed(self, source: Source, error: LoadError) -> None:
        """A load has failed. Unless the owner stops the source, the load is tried again."""


class Source:
    """The entities that match one filter."""

    def __init__(
        self,
        owner: Owner,
        collection: Collection,
        filter: Filter,
        tenant: str,
        load: Load | None,
        start: Start,
    ) -> None:
        self.collection, self.filter, self.load = collection, filter, load
        self._owner, self._tenant, self._start = owner, tenant, start
        self.subscription: Subscription | None = None
        #: True once it has held every entity that matches.
        self.is_filled = False
        self._loading: asyncio.Task[None] | None = None
        self._needs_load = load is not None
        self._connections = 0
        self._is_online = False
        #: True if the server has the subscription, and has replayed what a lost connection missed.
        self._is_in_force = False
        #: True if the next load need not be at once.
        self._may_wait = False
        self._loaded_at = -LOAD_INTERVAL
        self._is_over = False

    def begin(self, subscription: Subscription, *, is_online: bool) -> None:
        """Its subscription was made."""
        self.subscription = subscription
        if is_online:
            self.connection(True)
        if self.load is not None:
            self._start(self._load_when_ready(subscription))

    def connection(self, is_online: bool) -> None:
        """The stream has a connection, or has lost it."""
        self._is_online = is_online
        if is_online:
            self._connections += 1
            self.collection.connected(time.monotonic())
        else:
            self._is_in_force = False
            self.collection.disconnected(time.monotonic())

    def take(self, item: Item) -> None:
        """Takes an item of its subscription."""
        if isinstance(item, EntityEvent):
            change = self.collection.apply(item, time.monotonic())
            if self.collection.is_in_doubt:
                self._doubt()
            if change:
                self._owner.told(self, [change])
        elif isinstance(item, SnapshotComplete):
            if self.load is None:
                self._owner.told(self, self.collection.snapshot_complete(time.monotonic()))
                self._fill()
        elif isinstance(item, NotRecovered):
            if self.load is not None:
                self._needs_load = True
                self._load_now()
        elif isinstance(item, Recovered):
            if self._needs_load:
                self._load_now()
            else:
                self._is_in_force = True
                # A load that is under way completes it.
                self.collection.is_complete = self.is_filled and not self._is_loading

    def stop(self) -> None:
        """Loads nothing more."""
        self._is_over = True
        self.collection.is_complete = False
        if self._loading is not None and not self._loading.get_loop().is_closed():
            self._loading.cancel()

    def close(self) -> Call[None] | None:
        """Ends its subscription. The caller need not wait."""
        self.stop()
        return self.subscription._remove() if self.subscription is not None else None

    def _fill(self) -> None:
        self.is_filled = True
        self._owner.filled(self)

    async def _load_when_ready(self, subscription: Subscription) -> None:
        try:
            await subscription.ready
        except EntityStreamError:
            return
        self._load_now()

    def _load_now(self) -> None:
        self._is_in_force, self._may_wait = True, False
        self._load_again()

    def _doubt(self) -> None:
        """An event did not tell what has changed. Without a connection, the next one begins the load."""
        self._needs_load = self._may_wait = True
        self.collection.is_complete = False
        if self._is_in_force:
            self._load_again()

    def _load_again(self) -> None:
        if not self._is_over and not self._is_loading:
            self._loading = self._start(self._run_load())

    @property
    def _is_loading(self) -> bool:
        return self._loading is not None and not self._loading.done()

    async def _run_load(self) -> None:
        wait = FIRST_PAUSE
        while self._needs_load and self.load is not None and not self._is_over:
            if self._may_wait:
                # Late changes can be many.
                await asyncio.sleep(max(0.0, self._loaded_at + LOAD_INTERVAL - time.monotonic()))
            if not self._is_online:
                # The verdict of the next connection begins the load.
                return
            connection = self._connections
            self._needs_load = self._may_wait = False
            self.collection.load_begins()
            try:
                entities = await apart(_loaded(self.load, self._tenant, self._path))
            except Exception as cause:
                self._needs_load = True
                self._owner.load_failed(self, _load_error(cause))
                await asyncio.sleep(wait)
                wait = min(LONGEST_PAUSE, 2 * wait)
                continue
            if not self._is_online:
                # The verdict of the next connection begins the load again.
                self._needs_load = True
                return
            if connection != self._connections:
                # Events may have been missed while the function read the entities.
                self._needs_load = True
                continue
            self._loaded_at = time.monotonic()
            self._owner.told(self, self.collection.loaded(entities, self._loaded_at))
            self._fill()
            if self.collection.is_in_doubt:
                self._doubt()

    @property
    def _path(self) -> str:
        """The service path of loaded entities that have none."""
        return (self.filter.service_path or "").removesuffix("#").rstrip("/") or "/"


async def _loaded(load: Load, tenant: str, usual_path: str) -> list[Entity]:
    def entities(found: object) -> list[Entity]:
        if not isinstance(found, Iterable) or isinstance(found, (str, bytes, Mapping)):
            raise LoadError("load has to return a list of entities")
        return [_entity(each, tenant, usual_path) for each in found]

    def read() -> list[Entity] | Awaitable[Iterable[Mapping[str, Any]]]:
        found = load()
        # A generator may block as well.
        return found if inspect.isawaitable(found) else entities(found)

    if inspect.iscoroutinefunction(load):
        return entities(await load())
    found = await in_thread(read)
    return found if isinstance(found, list) else entities(await found)


def _entity(loaded: Mapping[str, Any], tenant: str, usual_path: str) -> Entity:
    if not isinstance(loaded, Mapping) or not _is_name(loaded.get("id")):
        raise LoadError("load has to return entities as dictionaries with an `id`")
    kind, path = loaded.get("type"), loaded.get("servicePath")
    types = (kind,) if isinstance(kind, str) else tuple(kind) if isinstance(kind, (list, tuple)) else ()
    if not types or not all(map(_is_name, types)):
        raise LoadError("load has to return entities with a `type`")
    return Entity(
        tenant=tenant,
        service_path=path if isinstance(path, str) else usual_path,
        id=loaded["id"],
        type=kind if isinstance(kind, str) else types,
        data={name: value for name, value in loaded.items() if name not in ("id", "type", "servicePath", "@context")},
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _load_error(cause: Exception) -> LoadError:
    if isinstance(cause, LoadError):
        return cause
    # The text of the cause may have a value of an entity, or a credential.
    error = LoadError(f"load raised {place(cause)}")
    error.__cause__ = cause
    return error
