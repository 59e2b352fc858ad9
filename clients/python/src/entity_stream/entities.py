"""A live collection of entities."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ._checks import check_function, check_functions, named_options
from ._core.collection import Collection
from ._core.shown import Feed
from ._source import Load, Source, Start
from .buffer import Buffer, Loop, Overflow
from .dataframe import to_dataframe
from .entity import Change, Entity
from .errors import ClosedError, EntityStreamError, LoadError
from .events import Item
from .filter import EntitiesFields, Filter
from .subscription import Call, Subscription, chosen_filter, wait_for
from .view import EntityView

if TYPE_CHECKING:
    import pandas
    from typing_extensions import Unpack

T = TypeVar("T")
#: Subscribes with a filter, and with a snapshot or without.
Subscribe = Callable[[Filter, bool, Callable[[Item], None]], Subscription]


@dataclass(frozen=True)
class _Update:
    """A filter that has to be put in force."""

    filter: Filter
    load: Load | None
    call: Call[None]


class Entities(Mapping[str, Entity]):
    """The entities that match a filter, by their ids. `EntityStream.entities` makes it.

    An entity is there while it exists and matches. After a lost connection the collection keeps what it has, and is brought up to
    date. If several service paths have an entity of the same id, the mapping has the one of the first path. `all()` has all, and
    `get(id, service_path=…)` selects one.
    """

    def __init__(
        self,
        tenant: str,
        filter: Filter,
        load: Load | None,
        on_change: Callable[[Change], None] | None,
        guard: Callable[[Callable[[Any], None] | None, object], None],
        report: Callable[[EntityStreamError], None],
        start: Start,
        subscribe: Subscribe,
        *,
        merges: bool = False,
    ) -> None:
        self._tenant, self._on_change, self._guard, self._report, self._start = tenant, on_change, guard, report, start
        self._subscribe, self._merges = subscribe, merges
        self._source = self._new_source(Collection(Feed.of(filter, loads=load is not None)), filter, load)
        #: The updates that wait for their turn, and the one that is under way.
        self._updates: deque[_Update] = deque()
        self._updating: tuple[_Update, Source] | None = None
        self._by_id: dict[str, Entity] | None = None
        #: The buffers of the loops. A loop that was left is collected, with its buffer.
        self._buffers: weakref.WeakSet[Buffer[Change]] = weakref.WeakSet()
        self._views: weakref.WeakSet[EntityView] = weakref.WeakSet()
        self._kept_views: list[EntityView] = []
        self._ready = Call[None]()
        self._is_online = self._is_closing = False
        self._end: tuple[EntityStreamError | None] | None = None

    # The mapping.

    def __getitem__(self, entity_id: str) -> Entity:
        return self._index()[entity_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._index())

    def __len__(self) -> int:
        return len(self._index())

    # Each loop goes over the entities of the moment in which it began: the index is replaced as a whole and never changed.

    def keys(self) -> KeysView[str]:
        """The ids at this moment."""
        return self._index().keys()

    def values(self) -> ValuesView[Entity]:
        """The entities at this moment."""
        return self._index().values()

    def items(self) -> ItemsView[str, Entity]:
        """The ids and the entities at this moment."""
        return self._index().items()

    @overload
    def get(self, entity_id: str, /, *, service_path: str | None = None) -> Entity | None: ...
    @overload
    def get(self, entity_id: str, /, default: Entity | T, *, service_path: str | None = None) -> Entity | T: ...
    def get(self, entity_id: str, /, default: T | None = None, *, service_path: str | None = None) -> Entity | T | None:
        """The entity with this id, or `default`. An id may exist in several service paths; `service_path` selects one."""
        if service_path is None:
            return self._index().get(entity_id, default)
        found = self._source.collection.get((entity_id, service_path, self._tenant))
        return default if found is None else found

    def all(self) -> list[Entity]:
        """All entities, in the order of their ids and service paths."""
        return self._source.collection.entities()

    def to_dataframe(self) -> pandas.DataFrame:
        """A row for each entity and a column for each attribute, with the bare values. It needs pandas."""
        entities, is_normalized = self._rows()
        return to_dataframe(entities, is_normalized=is_normalized)

    def _rows(self) -> tuple[list[Entity], bool]:
        """The entities of a table, and whether their attributes are normalized."""
        return self.all(), self.filter.representation != "keyValues"

    # The life of the collection.

    @property
    def ready(self) -> Call[None]:
        """Await it: the collection then holds every entity that matches."""
        return self._ready

    async def wait_ready(self, timeout: float | None = None) -> None:
        """Waits until the collection is complete. Raises `TimeoutError` after `timeout` seconds."""
        await wait_for(self._ready, timeout)

    @property
    def is_complete(self) -> bool:
        """True if the collection holds every entity that matches, and is connected."""
        return self._source.collection.is_complete

    @property
    def filter(self) -> Filter:
        """The filter in force."""
        return self._source.filter

    async def update(self, filter: Filter | None = None, *, load: Load | None = None, **fields: Unpack[EntitiesFields]) -> None:
        """Exchanges the filter: entities that do not match any more leave, and those that match now are added.

        The new subscription is added before the old one is removed. Until the collection holds every entity that matches the
        new filter, it follows the old one, so it misses nothing. If the server refuses the new filter, or a load for it fails,
        this raises, and the old one stays in force. With `load`, this function returns the entities from now on. A call that
        is cancelled still takes effect.
        """
        check_function("load", load)
        if load is not None and self._source.load is None:
            raise ValueError("the collection has no load: the snapshot of the service fills it")
        chosen = self.filter_of(chosen_filter(filter, fields), whole=not self._merges)
        chosen.check_size()
        if self._is_closing or self._end is not None:
            raise (self._end and self._end[0]) or ClosedError("the collection")
        update = _Update(chosen, load, Call[None]())
        self._updates.append(update)
        self._next_update()
        await update.call

    @named_options("changes")
    def changes(self, *, capacity: int = 1000, overflow: Overflow = "drop-oldest") -> Loop[Change]:
        """Yields an `added` change for each entity that is there already, and then each change."""
        return Loop(self._open_buffer(capacity, overflow))

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
        """A sorted part of the collection, which follows its changes while the program has it.

        `key` and `reverse` are those of `sorted`; equal entities are in the order of their ids. `filter` selects entities, and
        `limit` is the most of them. `on_change` gets the entities after each change of the view, which then stays.
        """

        check_functions(on_change=on_change)

        def tell(values: tuple[Entity, ...]) -> None:
            self._guard(on_change, values)

        view = EntityView(self.all(), key, reverse, filter, limit, tell)
        self._views.add(view)
        if on_change is not None:
            self._kept_views.append(view)
        return view

    async def aclose(self) -> None:
        """Ends the collection. It keeps its entities."""
        self._is_closing = True
        sources = self._sources()
        self._abandon(ClosedError("the collection"))
        for call in [each.close() for each in sources]:
            if call is not None:
                await call

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

    def _begin(self, *, is_online: bool) -> None:
        self._is_online = is_online
        self._attach(self._source)

    def _connection(self, is_online: bool) -> None:
        self._is_online = is_online
        for source in self._sources():
            source.connection(is_online)

    def _ended(self, subscription: Subscription, error: EntityStreamError | None) -> bool:
        """A subscription of the stream has ended. Returns true if the collection has ended with it."""
        if self._updating is not None and subscription is self._updating[1].subscription:
            self._updated(error or ClosedError("the collection"))
        elif subscription is self._source.subscription:
            self._finish(error)
            return True
        return False

    def _finish(self, error: EntityStreamError | None) -> None:
        self._end = self._end or (error,)
        self._source.stop()
        self._ready.fail(error or ClosedError("the collection"))
        updating = self._sources()[1:]
        self._abandon(error or ClosedError("the collection"))
        for each in updating:
            each.close()
        for buffer in list(self._buffers):
            buffer.finish(error)

    # Its sources. The stream's subscription of each has its own name.

    def told(self, source: Source, changes: list[Change]) -> None:
        """The entities of the source have changed."""
        if source is self._source:
            self._tell(changes)

    def filled(self, source: Source) -> None:
        """The source holds every entity that matches."""
        if self._updating is not None and source is self._updating[1]:
            old, self._source = self._source, source
            self._tell(old.collection.changes_to(source.collection))
            old.close()
            self._updated(None)
        if source is self._source:
            self._ready.settle(None)

    def load_failed(self, source: Source, error: LoadError) -> None:
        """A load has failed. An update fails with it; without one, the source tries it again."""
        if self._updating is not None and source is self._updating[1]:
            self._updated(error)
            source.close()
        else:
            self._report(error)

    def _new_source(self, collection: Collection, filter: Filter, load: Load | None) -> Source:
        return Source(self, collection, filter, self._tenant, load, self._start)

    def _attach(self, source: Source) -> None:
        subscription = self._subscribe(source.filter, source.load is None, source.take)
        source.begin(subscription, is_online=self._is_online)

    def _sources(self) -> list[Source]:
        return [self._source, *([self._updating[1]] if self._updating is not None else [])]

    def _next_update(self) -> None:
        while self._updates and self._updating is None and self._end is None:
            update = self._updates.popleft()
            load = update.load or self._source.load
            collection = self._source.collection.successor(Feed.of(update.filter, loads=load is not None))
            source = self._new_source(collection, update.filter, load)
            self._updating = update, source
            try:
                self._attach(source)
            except EntityStreamError as error:
                self._updated(error)
            except BaseException:
                # A mistake of the caller, which it is told.
                self._updating = None
                raise

    def _abandon(self, error: EntityStreamError) -> None:
        """Fails all updates."""
        while self._updates:
            self._updates.popleft().call.fail(error)
        self._updated(error)

    def _updated(self, error: EntityStreamError | None) -> None:
        """The update that was under way has succeeded or failed."""
        if self._updating is not None:
            (update, _), self._updating = self._updating, None
            if error is None:
                update.call.settle(None)
            else:
                update.call.fail(error)
            self._next_update()

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
            for view in list(self._views):
                self._guard(view._take, change)
            for buffer in list(self._buffers):
                buffer.push(change)
            self._guard(self._on_change, change)

    def _index(self) -> dict[str, Entity]:
        if self._by_id is None:
            # In reverse, so that the first service path of an id comes last and stays.
            index = {entity.id: entity for entity in reversed(self.all())}
            self._by_id = dict(reversed(index.items()))
        return self._by_id
