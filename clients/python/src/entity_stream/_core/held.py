"""An entity of a collection, with what is known of the age of its attributes.

Invariants:
- An event never replaces a value of the same or a newer version, removed attributes included. So the order of events makes no
  difference. An event without a version counts as the newest.
- `_floor` is the version of all attributes without a mark. No mark with a version is older.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..entity import Entity
from ..events import EntityEvent
from .shown import Shown


@dataclass(frozen=True)
class _Mark:
    """The last event about an attribute."""

    version: int | None
    #: The beginning after which it came.
    since: int


class Held:
    """An entity of a collection."""

    def __init__(self, entity: Entity, floor: int | None, included: int | None) -> None:
        """The former end of the entity had the version `floor`. A load that is under way has the changes up to `included`."""
        self.entity = replace(entity, version=floor)
        self._floor, self._begun_at = floor, greatest(floor, included)
        self._marks: dict[str, _Mark] = {}
        #: The last event that did not have what it changed.
        self._lack: _Mark | None = None
        #: True if an event, or a load, has shown all attributes.
        self._is_whole = False
        #: The beginning after which an event has shown all attributes.
        self._whole_in = -1
        #: The beginning after which an event, or a load, last showed that the entity is there.
        self.shown_in = -1

    @classmethod
    def shown(cls, event: EntityEvent, shown: Shown, beginning: int, floor: int | None, included: int | None) -> Held:
        """The entity of an event."""
        entity = Entity(tenant=event.tenant, service_path=event.service_path, id=event.entity_id, type=event.entity_type, data={})
        held = cls(entity, floor, included)
        held.take(event, shown, beginning)
        return held

    @classmethod
    def loaded(cls, entity: Entity, beginning: int, floor: int | None, included: int | None) -> Held:
        """A loaded entity."""
        held = cls(entity, floor, included)
        held._floor, held._is_whole, held.shown_in = held._begun_at, True, beginning
        return held

    def begin(self, included: int | None) -> None:
        """A load begins, which has all changes up to the version `included`."""
        self._begun_at = greatest(self.entity.version, included)

    def has(self, version: int | None, *, is_loading: bool) -> bool:
        """True if it has this change and all before it, or if the load that is under way has them."""
        return is_older(version, greatest(self._floor, self._begun_at) if is_loading else self._floor)

    def include(self, version: int) -> None:
        """Changes up to this version make no difference any more."""
        self._floor = greatest(self._floor, version)
        self._marks = {name: mark for name, mark in self._marks.items() if not is_older(mark.version, version)}

    def take(self, event: EntityEvent, shown: Shown, beginning: int) -> bool:
        """Takes an event about the entity. Returns false if it changes nothing."""
        version, known = event.version, self.entity.version
        is_newer = not is_older(version, known)
        self.shown_in = beginning
        mark = _Mark(version, beginning)
        data = dict(self.entity.data)
        is_changed = is_newer
        gone = set(data) - set(shown.attributes) if shown.what == "whole" else shown.removed
        for name in (*gone, *shown.attributes):
            if is_older(version, self._version_of(name)):
                continue
            is_changed = True
            if name in shown.attributes:
                data[name] = shown.attributes[name]
            else:
                data.pop(name, None)
            if shown.what == "part":
                former = self._marks.get(name)
                self._marks[name] = mark if version is not None or former is None else replace(mark, version=former.version)
        is_current = not is_older(version, self._floor)
        if is_current and shown.what == "nothing" and not (self._lack and is_older(version, self._lack.version)):
            self._lack = mark
        if is_current and shown.what == "whole":
            self._replaced(mark, is_partial=event.partial)
        if not is_changed and self.entity.is_partial == self._is_partial:
            return False
        self.entity = replace(self.entity, data=data, is_partial=self._is_partial)
        if is_newer:
            version = version if version is not None else known
            self.entity = replace(self.entity, type=event.entity_type, timestamp=event.timestamp, version=version)
        return True

    def load(self, loaded: Entity | None, beginning: int) -> bool:
        """Takes the entity of a load, or nothing if the load lacks it. Only what events have shown since the beginning stays.

        Returns false if it changes nothing.
        """
        if self._whole_in == beginning:
            return False
        before = self.entity
        data: dict[str, Any] = dict(loaded.data) if loaded is not None else {}
        self._marks = {name: mark for name, mark in self._marks.items() if mark.since == beginning}
        for name in self._marks:
            if name in before.data:
                data[name] = before.data[name]
            else:
                data.pop(name, None)
        if self._lack is not None and self._lack.since != beginning:
            self._lack = None
        self._floor = greatest(self._floor, self._begun_at)
        self._is_whole = loaded is not None
        named = before if self.shown_in == beginning or loaded is None else loaded
        self.shown_in = beginning
        after = replace(before, type=named.type, timestamp=named.timestamp, data=data, is_partial=self._is_partial)
        if _visible(after) == _visible(before):
            return False
        self.entity = after
        return True

    def _replaced(self, mark: _Mark, *, is_partial: bool) -> None:
        """An event has shown all attributes."""
        self._is_whole = not is_partial
        if self._lack and (self._lack.version is None or mark.version is None or mark.version >= self._lack.version):
            self._lack = None
        if not is_partial:
            self._whole_in = mark.since
        self._marks = {name: each for name, each in self._marks.items() if each.version is not None}
        if mark.version is not None:
            self.include(mark.version)

    @property
    def _is_partial(self) -> bool:
        return not self._is_whole or self._lack is not None

    def _version_of(self, name: str) -> int | None:
        mark = self._marks.get(name)
        return greatest(self._floor, mark.version if mark is not None else None)


def is_older(version: int | None, known: int | None) -> bool:
    """True if a version is the same as the known one, or an older one."""
    return version is not None and known is not None and version <= known


def greatest(one: int | None, other: int | None) -> int | None:
    """The greater version, if one is known."""
    return max((each for each in (one, other) if each is not None), default=None)


def _visible(entity: Entity) -> tuple[object, Mapping[str, Any], bool]:
    return entity.type, entity.data, entity.is_partial
