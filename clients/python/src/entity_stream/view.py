"""A sorted part of a collection."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from ._checks import check_flags, check_functions
from .entity import Change, Entity

#: The order of an entity in a view: the key of the program, then the id and the service path.
_Place = tuple[Any, str, str]


class _Reversed:
    """A key of the opposite order."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and bool(self.key == other.key)

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.key < self.key)


class EntityView(Sequence[Entity]):
    """A sorted part of a live collection, which follows its changes. `Entities.view` makes it.

    Invariant: the view has the entities that pass the filter, each once, in the order. A change costs a search and a move, not
    another sort. `values` is another tuple after each change of it.
    """

    def __init__(
        self,
        entities: Sequence[Entity],
        key: Callable[[Entity], Any] | None,
        reverse: bool,
        filter: Callable[[Entity], bool] | None,
        limit: int | None,
        on_change: Callable[[tuple[Entity, ...]], None],
    ) -> None:
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ValueError("limit has to be a whole number, at least 1")
        check_functions(key=key, filter=filter)
        check_flags(reverse=reverse)
        self._key, self._reverse, self._filter, self._limit, self._on_change = key, reverse, filter, limit, on_change
        self._places: list[_Place] = []
        #: The place of each entity when it was added. The functions of the program may depend on more than the entity.
        self._members: dict[tuple[str, str], tuple[_Place, Entity]] = {}
        self._values: tuple[Entity, ...] | None = None
        for entity in entities:
            self._add(entity)

    @property
    def values(self) -> tuple[Entity, ...]:
        """The entities in the order."""
        if self._values is None:
            self._values = tuple(self._members[place[1:]][1] for place in self._places[: self._limit])
        return self._values

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
        return f"<EntityView {len(self)}>"

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def _take(self, change: Change) -> None:
        """Takes a change of the collection."""
        limit = len(self._places) + 1 if self._limit is None else self._limit
        try:
            removed = self._remove(change.before) if change.before is not None else None
            added = self._add(change.after) if change.after is not None else None
        except BaseException:
            # A function of the program has raised after the entity has left its place.
            self._values = None
            raise
        # Entities beyond the limit are not shown.
        if any(place is not None and place < limit for place in (removed, added)):
            self._values = None
            self._on_change(self.values)

    def _add(self, entity: Entity) -> int | None:
        # A view that was made during the delivery of several changes has the results of all of them.
        self._remove(entity)
        if self._filter is not None and not self._filter(entity):
            return None
        key = self._key(entity) if self._key is not None else None
        place = (_Reversed(key) if self._reverse and self._key is not None else key, entity.id, entity.service_path)
        insort(self._places, place)
        self._members[place[1:]] = place, entity
        return bisect_left(self._places, place)

    def _remove(self, entity: Entity) -> int | None:
        member = self._members.pop((entity.id, entity.service_path), None)
        if member is None:
            return None
        index = bisect_left(self._places, member[0])
        if index == len(self._places) or self._places[index] is not member[0]:
            # Keys without an order, such as NaN, defeat the search.
            index = next(n for n, place in enumerate(self._places) if place is member[0])
        del self._places[index]
        return index
