"""The items of a subscription: events, entities of snapshots, and verdicts about a gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: The types of events. `entitySnapshot` is an entity of a snapshot and no event.
EVENT_TYPES = frozenset({"entityCreated", "entityUpdated", "entityDeleted", "entityLeft"})
SNAPSHOT_TYPE = "entitySnapshot"


@dataclass(frozen=True, kw_only=True, slots=True)
class EntityEvent:
    """A change of an entity, or an entity of a snapshot. Its `repr` does not show the values of attributes."""

    #: `entityCreated`, `entityUpdated`, `entityDeleted`, `entityLeft`, or `entitySnapshot` in a snapshot.
    type: str
    #: The id of the event, the same in every redelivery. The client has already dropped repeats.
    id: str
    tenant: str
    service_path: str
    entity_id: str
    #: A tuple for an entity with several types.
    entity_type: str | tuple[str, ...]
    #: The attributes in the view of the subscription; empty if `truncated`; `None` for `entityLeft`.
    data: Mapping[str, Any] | None = field(default=None, repr=False)
    #: On updates only, if the publisher sent it.
    changed_attributes: tuple[str, ...] | None = None
    #: The former values of the changed attributes, with `show_changes`.
    previous: Mapping[str, Any] | None = field(default=None, repr=False)
    #: The JSON-LD `@context`, if the publisher sent one.
    context: Any = field(default=None, repr=False)
    #: The publisher's time of the change.
    timestamp: str = ""
    #: The place of the event in the history.
    position: str | None = None
    #: Grows with each change of the entity. `None` without entity state.
    version: int | None = None
    #: The event comes from the history.
    replayed: bool = False
    #: The service knew a newer change of the entity already.
    late: bool = False
    #: The service does not know the whole entity.
    partial: bool = False
    #: The event was too large for its `data`.
    truncated: bool = False
    #: The size of the data that is missing, in bytes.
    data_bytes: int | None = None
    #: `unavailable`: the service keeps states, but none of this entity.
    state: str | None = None

    @property
    def is_snapshot(self) -> bool:
        """True for an entity of a snapshot."""
        return self.type == SNAPSHOT_TYPE


@dataclass(frozen=True, slots=True)
class Recovered:
    """The subscription has every event that it missed while there was no connection."""

    #: The number of events from the history that were not repeats.
    replayed: int


@dataclass(frozen=True, slots=True)
class NotRecovered:
    """The subscription may have missed events. With a snapshot, the present state follows."""

    #: `expired`, `too_many`, `unknown_position` or `unavailable`. Later versions may add reasons.
    reason: str
    #: The time when the server was last heard from. `None` if there was no connection before.
    missed_since: datetime | None


@dataclass(frozen=True, slots=True)
class SnapshotComplete:
    """All entities of the snapshot have been delivered. Other entities do not match, or are gone."""

    #: The number of entities in the snapshot, for all subscriptions that asked for it together.
    entities: int


#: An item of a subscription.
Item = EntityEvent | Recovered | NotRecovered | SnapshotComplete
#: A verdict about a gap.
Verdict = Recovered | NotRecovered


def parse_event(frame: Mapping[str, Any]) -> tuple[EntityEvent, tuple[str, ...]] | None:
    """Reads an event and the names of its subscriptions. `None` for any other frame, and for an event without its ids."""
    kind, entity_id, event_id = frame.get("type"), frame.get("entityId"), frame.get("id")
    if not (isinstance(kind, str) and (kind in EVENT_TYPES or kind == SNAPSHOT_TYPE)):
        return None
    if not isinstance(entity_id, str) or not (isinstance(event_id, str) or kind == SNAPSHOT_TYPE):
        return None
    types = frame.get("entityType")
    event = EntityEvent(
        type=kind,
        id=event_id if isinstance(event_id, str) else "",
        tenant=_text(frame.get("tenant")) or "",
        service_path=_text(frame.get("servicePath")) or "/",
        entity_id=entity_id,
        entity_type=tuple(map(str, types)) if isinstance(types, list) else str(types or ""),
        data=_object(frame.get("data")),
        changed_attributes=_texts(frame.get("changedAttributes")),
        previous=_object(frame.get("previous")),
        context=frame.get("@context"),
        timestamp=_text(frame.get("timestamp")) or "",
        position=_text(frame.get("position")),
        version=_integer(frame.get("version")),
        replayed=frame.get("replayed") is True,
        late=frame.get("late") is True,
        partial=frame.get("partial") is True,
        truncated=frame.get("truncated") is True,
        data_bytes=_integer(frame.get("dataBytes")),
        state=_text(frame.get("state")),
    )
    # A connection that has only the default subscription gets no names.
    return event, _texts(frame.get("subscriptions")) or ("",)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _texts(value: object) -> tuple[str, ...] | None:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else None
