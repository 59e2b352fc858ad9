"""A broker that changes entities, and a service that hears of the changes in another order and tells of them in a third one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from entity_stream import EntityEvent

NAMES = ("x", "y", "z")
Receive = Callable[[EntityEvent], None]


@dataclass
class _Change:
    entity: str
    time: int
    kind: str
    data: dict[str, int]
    removed: list[str] = field(default_factory=list)


@dataclass
class _State:
    """The service's state of an entity."""

    exists: bool = False
    is_partial: bool = True
    version: int = 0
    newest: int = 0
    #: The time of the last creation or deletion.
    replaced: int = 0
    #: The value and the time of each attribute. `None` for one that was removed.
    attributes: dict[str, tuple[int | None, int]] = field(default_factory=dict)


class Broker:
    """The broker, the service and the network between them and the client."""

    def __init__(self, random: Random, *, has_late: bool, merges: bool) -> None:
        self._random, self._has_late, self._merges = random, has_late, merges
        # The service has never heard of this one, nor of its attributes.
        self._entities: dict[str, dict[str, int]] = {"a": dict.fromkeys(NAMES, -1)}
        self._states: dict[str, _State] = {}
        self._unheard: list[_Change] = []
        self._untold: list[EntityEvent] = []
        self._time, self._left = 0, 14

    def read(self) -> dict[str, dict[str, int]]:
        """The entities of the broker."""
        return {name: dict(data) for name, data in self._entities.items()}

    def run(self, receive: Receive, steps: int) -> None:
        """Some steps of the broker, the service and the network."""
        for _ in range(steps):
            choice = self._random.random()
            if choice < 0.4 and self._left > 0:
                self._change()
            elif choice < 0.7:
                self._hear()
            elif self._untold:
                self._tell(receive)

    def finish(self, receive: Receive) -> None:
        """All changes arrive."""
        while self._unheard:
            self._hear()
        while self._untold:
            self._tell(receive)

    def _change(self) -> None:
        self._left -= 1
        self._time += 1
        name, time = self._random.choice("ab"), self._time
        data = self._entities.get(name)
        changed = {each: time for each in NAMES if self._random.random() < 0.5}
        if data is not None and self._random.random() < 0.15:
            del self._entities[name]
            self._unheard.append(_Change(name, time, "entityDeleted", {}))
        elif data is None and self._random.random() < 0.5:
            self._entities[name] = changed
            self._unheard.append(_Change(name, time, "entityCreated", changed))
        else:
            changed[self._random.choice(NAMES)] = time
            removed = [each for each in NAMES if each not in changed and self._random.random() < 0.3]
            kept = {each: value for each, value in (data or {}).items() if each not in removed}
            self._entities[name] = {**kept, **changed}
            self._unheard.append(_Change(name, time, "entityUpdated", changed, removed))

    def _hear(self) -> None:
        """The service hears of a change, of the oldest one unless there are late ones. A creation is never late."""
        if not self._unheard:
            return
        place = self._random.randrange(min(3, len(self._unheard))) if self._has_late else 0
        has_creation = any(each.kind == "entityCreated" for each in self._unheard[: place + 1])
        change = self._unheard.pop(0 if has_creation else place)
        state = self._states.setdefault(change.entity, _State())
        late = change.time < state.newest
        state.newest = max(state.newest, change.time)
        is_changed = not late
        if change.kind != "entityUpdated":
            older = [name for name, (_, time) in state.attributes.items() if time < change.time]
            for name in older:
                del state.attributes[name]
            is_changed = is_changed or bool(older)
            state.replaced = max(state.replaced, change.time)
            if not late:
                state.is_partial, state.exists = change.kind == "entityDeleted", change.kind == "entityCreated"
        elif not late:
            state.exists = True
        for name, value in {**dict.fromkeys(change.removed), **change.data}.items():
            known = state.attributes.get(name, (None, -1))[1]
            if state.exists and change.time >= state.replaced and known <= change.time:
                state.attributes[name] = value, change.time
                is_changed = True
        state.version += is_changed
        self._untold.append(self._event(change, state, late))

    def _event(self, change: _Change, state: _State, late: bool) -> EntityEvent:
        fields: dict[str, Any] = {"id": f"e{change.time}", "tenant": "demo", "service_path": "/", "entity_id": change.entity}
        fields |= {"entity_type": "Room", "timestamp": str(change.time), "version": state.version, "late": late}
        if change.kind == "entityUpdated":
            fields["changed_attributes"] = (*change.data, *change.removed)
        if self._merges:
            return EntityEvent(type=change.kind, data=change.data, **fields)
        if not state.exists:
            return EntityEvent(type="entityDeleted", data={}, **fields)
        known = {name: value for name, (value, _) in state.attributes.items() if value is not None}
        return EntityEvent(type="entityUpdated" if late else change.kind, data=known, partial=state.is_partial, **fields)

    def _tell(self, receive: Receive) -> None:
        event = self._untold.pop(self._random.randrange(len(self._untold)))
        receive(event)
        if self._random.random() < 0.2:
            receive(event)
