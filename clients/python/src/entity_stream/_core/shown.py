"""The part of an entity that an event shows, and how a collection gets its entities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..events import EntityEvent
from ..filter import Filter


@dataclass(frozen=True)
class Feed:
    """The way in which a collection gets its entities."""

    #: `load` fills the collection, and not a snapshot of the service.
    loads: bool = False
    #: Events have only the attributes that were published, also those with a version.
    merges: bool = False
    #: A replay has each entity as it is now, and not the events as they were published.
    follows: bool = True

    @classmethod
    def of(cls, filter: Filter, *, loads: bool) -> Feed:
        """The feed of a collection that has this filter."""
        merges = not filter.whole_entity
        return cls(loads, merges, not merges or filter.q is not None or filter.geo_q is not None)


@dataclass(frozen=True)
class Shown:
    """The part of an entity that an event shows."""

    what: Literal["nothing", "part", "whole"]
    attributes: Mapping[str, Any]
    #: The attributes that the change has removed.
    removed: frozenset[str]


def shown_by(event: EntityEvent, feed: Feed) -> Shown:
    """Reads an event that is no end of its entity."""
    # A state that is too large has a version and no attributes.
    is_too_large = event.version is not None and event.state is not None
    if event.data is None or event.truncated or is_too_large:
        return Shown("nothing", {}, frozenset())
    has_state = event.version is not None and not feed.merges
    # A load knows the attributes that the service does not know.
    is_whole = (event.type == "entityCreated" or has_state) and not (feed.loads and event.partial)
    # Publishers leave all attributes out if they are too large. One that has changed and has no value any more was removed.
    removed = frozenset(event.changed_attributes or ()) - set(event.data) if event.data else frozenset[str]()
    return Shown("whole" if is_whole else "part", event.data, removed)


def is_unclear(event: EntityEvent, feed: Feed) -> bool:
    """True if an event does not tell which attributes have changed, or whether the entity is gone. A load has to show it.

    Newer values stay after a late change. The entity as the service knows it lacks what was removed, and what only others know.
    """
    if not feed.loads or event.type == "entityLeft":
        return False
    if event.type == "entityDeleted":
        return event.late and feed.merges
    is_replay = event.replayed and feed.follows and event.version is not None
    if event.late and feed.merges:
        return True
    return (event.late or is_replay) and shown_by(event, feed).what != "whole"
