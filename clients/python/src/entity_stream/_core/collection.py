"""A collection of entities.

Invariants:
- A message never replaces what the collection knows by an older version, also if the entity is gone. So the order in which
  messages arrive, and their repetition, make no difference.
- At the end of a snapshot the collection holds exactly the entities that match: those of the snapshot, those that messages of
  the same connection have added or changed, and no others.
- The changes that it returns lead from each of its states to the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace

from ..entity import Change, Entity, is_whole
from ..events import EntityEvent
from .online_time import OnlineTime

#: The id, the service path and the tenant. Keys are in the order of the ids.
Key = tuple[str, str, str]

#: The time online for which the versions of entities that are gone are remembered, and the most of them.
GONE_SECONDS = 15 * 60.0
GONE_MOST = 100_000


@dataclass
class _Held:
    entity: Entity
    #: The number of the last connection that showed that the entity is there.
    shown_by: int


class Collection:
    """The entities that match a subscription."""

    def __init__(self, *, merges: bool = False) -> None:
        self._merges = merges
        self._held: dict[Key, _Held] = {}
        self._gone = _Gone()
        #: Those of them that were deleted.
        self._deleted = _Gone()
        self._online = OnlineTime()
        self._connections = 0
        #: The events since the present load began about entities of which they have only a part. `None` for an entity of which an
        #: event has had the whole, or that is gone. The whole is `None` if no load is under way.
        self._since: dict[Key, list[EntityEvent] | None] | None = None
        self.is_complete = False

    def entities(self) -> list[Entity]:
        """The entities, in the order of their ids."""
        return [self._held[key].entity for key in sorted(self._held)]

    def get(self, key: Key) -> Entity | None:
        """The entity with this id, service path and tenant."""
        held = self._held.get(key)
        return held.entity if held is not None else None

    def successor(self) -> Collection:
        """An empty collection for another filter. Late changes do not bring entities back that were deleted."""
        other = Collection(merges=self._merges)
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
        self._connections += 1

    def disconnected(self, now: float) -> None:
        self._online.offline(now)
        self.is_complete = False

    def apply(self, event: EntityEvent, now: float) -> Change | None:
        """Takes an event, or an entity of a snapshot."""
        key, time = (event.entity_id, event.service_path, event.tenant), self._online.at(now)
        self._gone.forget(time)
        if event.type == "entityDeleted" and event.version is not None:
            self._deleted.insert(key, event.version, time)
        if event.type in ("entityDeleted", "entityLeft"):
            return self._remove(key, event.version, time)
        return self._put(key, event)

    def snapshot_complete(self, now: float) -> list[Change]:
        """The snapshot is complete. Removes the entities that it lacks."""
        self.is_complete = True
        lacking = [key for key, held in self._held.items() if held.shown_by < self._connections]
        return self._drop(lacking, now)

    def load_begins(self) -> None:
        """The program reads the entities elsewhere. Events from now on are newer."""
        self._since = {}

    def loaded(self, entities: Iterable[Entity], now: float) -> list[Change]:
        """Takes the entities that the program has read, and removes all others."""
        self.is_complete = True
        since, self._since = self._since or {}, None
        changes: list[Change] = []
        there: set[Key] = set()
        for entity in entities:
            key = (entity.id, entity.service_path, entity.tenant)
            there.add(key)
            held, parts = self._held.get(key), since.get(key)
            if key not in since:
                known = held.entity.version if held is not None else self._gone.version(key)
                self._gone.remove(key)
                changes += self._set(key, replace(entity, version=known))
            elif held is not None and parts is not None:
                for part in parts:
                    entity = Entity.after(entity, part, merges=True)
                changes += self._set(key, replace(held.entity, data=entity.data, is_partial=entity.is_partial))
        lacking = [key for key in self._held if key not in there and key not in since]
        return changes + self._drop(lacking, now)

    def _note(self, key: Key, event: EntityEvent) -> None:
        """Notes an event that has changed an entity, for the load that is under way."""
        if self._since is None:
            return
        if not event.partial and is_whole(event, merges=self._merges):
            self._since[key] = None
            return
        parts = self._since.setdefault(key, [])
        if parts is not None:
            # The load knows the attributes that the service does not know.
            parts.append(replace(event, type="entityUpdated", partial=False) if event.partial else event)

    def _set(self, key: Key, entity: Entity) -> list[Change]:
        held = self._held.get(key)
        self._held[key] = _Held(entity, self._connections)
        if held is None:
            return [Change("added", None, entity)]
        return [] if held.entity.data == entity.data else [Change("updated", held.entity, entity)]

    def _drop(self, keys: list[Key], now: float) -> list[Change]:
        changes, time = [], self._online.at(now)
        for key in sorted(keys):
            entity = self._held.pop(key).entity
            if entity.version is not None:
                self._gone.insert(key, entity.version, time)
            changes.append(Change("removed", entity, None))
        return changes

    def _remove(self, key: Key, version: int | None, time: float) -> Change | None:
        held = self._held.get(key)
        known = held.entity.version if held is not None else None
        if version is not None and known is not None and version < known:
            return None
        if self._since is not None:
            self._since[key] = None
        versions = [each for each in (version, known) if each is not None]
        if versions:
            self._gone.insert(key, max(versions), time)
        if held is None:
            return None
        del self._held[key]
        return Change("removed", held.entity, None)

    def _put(self, key: Key, event: EntityEvent) -> Change | None:
        held = self._held.get(key)
        if held is None:
            return self._add(key, event)
        known = held.entity.version
        if event.version is not None and known is not None and event.version <= known:
            # The snapshot shows that the entity is there, though a newer change of it is known.
            if event.is_snapshot:
                held.shown_by = self._connections
            return None
        before, after = held.entity, Entity.after(held.entity, event, merges=self._merges)
        held.entity, held.shown_by = after, self._connections
        self._note(key, event)
        return Change("updated", before, after)

    def _add(self, key: Key, event: EntityEvent) -> Change | None:
        gone = self._gone.version(key)
        # Without a version, only the creation of an entity that was there before is certainly newer than its end.
        is_newer = event.version > gone if event.version is not None and gone is not None else event.type == "entityCreated"
        if gone is not None and not is_newer:
            return None
        self._gone.remove(key)
        if self._since is not None:
            self._since.pop(key, None)
        self._note(key, event)
        entity = Entity.after(None, event, merges=self._merges)
        if gone is not None and (entity.version is None or entity.version < gone):
            entity = replace(entity, version=gone)
        self._held[key] = _Held(entity, self._connections)
        return Change("added", None, entity)


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
