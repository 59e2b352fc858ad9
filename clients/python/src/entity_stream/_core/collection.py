"""A collection of entities.

Invariants:
- A message never replaces what is newer, also if the entity is gone. So the order in which messages arrive, and their repetition,
  make no difference. In a collection that is loaded, this holds for each attribute.
- A message that does not tell what has changed changes nothing in a collection that is loaded: the next load shows it.
- At the end of a snapshot the collection holds exactly the entities that match: those of the snapshot, those that messages of
  the same connection have added or changed, and no others.
- The changes that it returns lead from each of its states to the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from copy import copy

from ..entity import Change, Entity
from ..events import EntityEvent
from .held import Held, greatest, is_older
from .online_time import OnlineTime
from .shown import Feed, is_unclear, shown_by

#: The id, the service path and the tenant. Keys are in the order of the ids.
Key = tuple[str, str, str]

#: The time online for which the versions of entities that are gone are remembered, and the most of them.
GONE_SECONDS = 15 * 60.0
GONE_MOST = 100_000


class Collection:
    """The entities that match a subscription."""

    def __init__(self, feed: Feed | None = None) -> None:
        self._feed = feed or Feed()
        self._held: dict[Key, Held] = {}
        self._gone = _Gone()
        #: Those of them that were deleted.
        self._deleted = _Gone()
        self._online = OnlineTime()
        #: The number of connections, or of loads.
        self._beginnings = 0
        #: The entities that events have removed since the present load began. `None` if no load is under way.
        self._removed: set[Key] | None = None
        #: The entities that another load has to show, with the greatest version of the unclear messages.
        self._unclear: dict[Key, int] = {}
        #: Those before the load that is under way. It knows of these changes, and of all before them.
        self._included: dict[Key, int] = {}
        self.is_complete = False

    @property
    def is_in_doubt(self) -> bool:
        """True if another load has to show what messages did not tell."""
        return bool(self._unclear)

    def entities(self) -> list[Entity]:
        """The entities, in the order of their ids."""
        return [self._held[key].entity for key in sorted(self._held)]

    def get(self, key: Key) -> Entity | None:
        """The entity with this id, service path and tenant."""
        held = self._held.get(key)
        return held.entity if held is not None else None

    def successor(self, feed: Feed) -> Collection:
        """An empty collection for another filter. Late changes do not bring entities back that were deleted."""
        other = Collection(feed)
        other._online = copy(self._online)
        other._gone, other._deleted = self._deleted.copy(), self._deleted.copy()
        return other

    def changes_to(self, other: Collection) -> list[Change]:
        """The changes that lead from this collection to another one."""
        changes: list[Change] = []
        for key in sorted({*self._held, *other._held}):
            before, after = self._held.get(key), other._held.get(key)
            if before is None and after is not None:
                changes.append(Change("added", None, after.entity))
            elif before is not None and after is None:
                changes.append(Change("removed", before.entity, None))
            elif before is not None and after is not None and before.entity != after.entity:
                changes.append(Change("updated", before.entity, after.entity))
        return changes

    def connected(self, now: float) -> None:
        self._online.online(now)
        if not self._feed.loads:
            self._beginnings += 1

    def disconnected(self, now: float) -> None:
        self._online.offline(now)
        self.is_complete = False

    def apply(self, event: EntityEvent, now: float) -> Change | None:
        """Takes an event, or an entity of a snapshot."""
        key, time = (event.entity_id, event.service_path, event.tenant), self._online.at(now)
        self._gone.forget(time)
        if self._feed.loads and self._has(key, event.version):
            return None
        if is_unclear(event, self._feed):
            if self._is_after_end(key, event):
                self._note_unclear(key, event.version)
            return None
        if event.type in ("entityDeleted", "entityLeft"):
            return self._remove(key, event, time)
        return self._put(key, event)

    def snapshot_complete(self, now: float) -> list[Change]:
        """The snapshot is complete. Removes the entities that it lacks."""
        self.is_complete = True
        return self._drop(now)

    def load_begins(self) -> None:
        """The program reads the entities elsewhere. Events from now on are newer."""
        self._beginnings += 1
        self._removed = set()
        for key, version in self._unclear.items():
            self._included[key] = max(version, self._included.get(key, 0))
        self._unclear = {}
        for key, held in self._held.items():
            held.begin(self._included.get(key))

    def loaded(self, entities: Iterable[Entity], now: float) -> list[Change]:
        """Takes the entities that the program has read, and removes all others."""
        self.is_complete = True
        removed, self._removed = self._removed or set(), None
        changes: list[Change] = []
        there: set[Key] = set()

        def take(held: Held, entity: Entity | None) -> None:
            before = held.entity
            if held.load(entity, self._beginnings):
                changes.append(Change("updated", before, held.entity))

        for entity in entities:
            key = (entity.id, entity.service_path, entity.tenant)
            if key in removed:
                continue
            there.add(key)
            held = self._held.get(key)
            if held is not None:
                take(held, entity)
                continue
            added = Held.loaded(entity, self._beginnings, self._gone.version(key), self._included.get(key))
            self._gone.remove(key)
            self._held[key] = added
            changes.append(Change("added", None, added.entity))
        changes += self._drop(now)
        for key, held in self._held.items():
            # It was gone when the entities were read, and events have made it again.
            if key not in there:
                take(held, None)
        for key, version in self._included.items():
            if key not in self._held:
                self._gone.insert(key, version, self._online.at(now))
        self._included = {}
        return changes

    def _drop(self, now: float) -> list[Change]:
        """Removes the entities that nothing has shown since the beginning."""
        changes, time = [], self._online.at(now)
        for key in sorted(key for key, held in self._held.items() if held.shown_in < self._beginnings):
            entity = self._held.pop(key).entity
            if entity.version is not None:
                self._gone.insert(key, entity.version, time)
            changes.append(Change("removed", entity, None))
        return changes

    def _remove(self, key: Key, event: EntityEvent, time: float) -> Change | None:
        held, version = self._held.get(key), event.version
        known = held.entity.version if held is not None else None
        if event.type == "entityDeleted" and (last := version if version is not None else known) is not None:
            self._deleted.insert(key, last, time)
        if held is not None and version is not None and known is not None and version < known:
            # Newer changes have shown only some of the attributes that the entity has after this end.
            if self._feed.loads:
                held.include(version)
                self._note_unclear(key, known)
            return None
        if self._removed is not None:
            self._removed.add(key)
        if (gone := greatest(version, known)) is not None:
            self._gone.insert(key, gone, time)
        if held is None:
            return None
        del self._held[key]
        return Change("removed", held.entity, None)

    def _put(self, key: Key, event: EntityEvent) -> Change | None:
        held = self._held.get(key)
        if held is None:
            return self._add(key, event)
        before = held.entity
        if not self._feed.loads and is_older(event.version, before.version):
            # The snapshot shows that the entity is there, though a newer change of it is known.
            if event.is_snapshot:
                held.shown_in = self._beginnings
            return None
        is_changed = held.take(event, shown_by(event, self._feed), self._beginnings)
        return Change("updated", before, held.entity) if is_changed else None

    def _add(self, key: Key, event: EntityEvent) -> Change | None:
        if not self._is_after_end(key, event):
            return None
        shown = shown_by(event, self._feed)
        if self._removed is not None and key in self._removed:
            self._removed.remove(key)
            if shown.what != "whole":
                # The load that is under way may have the entity as it was before its end.
                self._note_unclear(key, event.version)
        held = Held.shown(event, shown, self._beginnings, self._gone.version(key), self._included.get(key))
        self._gone.remove(key)
        self._held[key] = held
        return Change("added", None, held.entity)

    def _has(self, key: Key, version: int | None) -> bool:
        """True if a load has shown this change, or will."""
        held, is_loading = self._held.get(key), self._removed is not None
        if held is not None:
            return held.has(version, is_loading=is_loading)
        return is_loading and is_older(version, self._included.get(key))

    def _is_after_end(self, key: Key, event: EntityEvent) -> bool:
        """True if the entity is not gone, or the event is newer than its end."""
        gone, deleted = self._gone.version(key), self._deleted.version(key)
        if gone is None:
            return True
        if event.version is not None:
            return event.version > gone
        # Without a version, only the creation of an entity that was deleted is certainly newer.
        return event.type == "entityCreated" or deleted is None or deleted < gone

    def _note_unclear(self, key: Key, version: int | None) -> None:
        """A message does not tell what has changed."""
        self._unclear[key] = max(version or 0, self._unclear.get(key, 0))


class _Gone:
    """The last versions of entities that are gone. A change that arrives later and is older does not bring them back."""

    def __init__(self) -> None:
        self._versions: dict[Key, tuple[int, float]] = {}
        self._order: deque[tuple[Key, float]] = deque()

    def copy(self) -> _Gone:
        other = _Gone()
        other._versions, other._order = dict(self._versions), self._order.copy()
        return other

    def version(self, key: Key) -> int | None:
        known = self._versions.get(key)
        return known[0] if known is not None else None

    def insert(self, key: Key, version: int, time: float) -> None:
        known = self.version(key)
        self._order.append((key, time))
        self._versions[key] = (version if known is None else max(version, known), time)
        self.forget(time)

    def remove(self, key: Key) -> None:
        self._versions.pop(key, None)

    def forget(self, now: float) -> None:
        while self._order and (now - self._order[0][1] > GONE_SECONDS or len(self._order) > GONE_MOST):
            key, time = self._order.popleft()
            # The entity may have gone again since.
            if key in self._versions and self._versions[key][1] == time:
                del self._versions[key]
