"""An entity as the client last knew it, and a change of a collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .events import EntityEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """An entity. Its `repr` does not show the values of attributes."""

    tenant: str
    service_path: str
    id: str
    #: A tuple for an entity with several types.
    type: str | tuple[str, ...]
    #: The attributes, in the view of the collection.
    data: Mapping[str, Any] = field(repr=False, hash=False)
    #: Grows with each change of the entity. `None` if the service keeps no state of it.
    version: int | None = None
    #: The time of the last change, as published.
    timestamp: str = ""
    #: True if there may be more attributes.
    is_partial: bool = False

    def __getitem__(self, name: str) -> Any:
        """The attribute of this name."""
        return self.data[name]

    @classmethod
    def after(cls, before: Entity | None, event: EntityEvent, *, merges: bool) -> Entity:
        """The entity after an event about it, which is no end of it. With `merges`, events have only some attributes."""
        published = None if event.truncated else event.data
        if published is not None and is_whole(event, merges=merges):
            data, is_partial = published, event.partial
        elif before is not None and published is not None:
            data, is_partial = _merged(before.data, published, event), before.is_partial
        elif before is not None:
            data, is_partial = before.data, True
        else:
            data, is_partial = published or {}, True
        known = before.version if before is not None else None
        return cls(
            tenant=event.tenant,
            service_path=event.service_path,
            id=event.entity_id,
            type=event.entity_type,
            data=data,
            version=event.version if event.version is not None else known,
            timestamp=event.timestamp,
            is_partial=is_partial or event.partial,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a collection."""

    #: `added`, `updated` or `removed`.
    kind: Literal["added", "updated", "removed"]
    #: The entity before the change. `None` for `added`.
    before: Entity | None
    #: The entity after the change. `None` for `removed`.
    after: Entity | None

    @property
    def entity(self) -> Entity:
        """The entity after the change, or the last one known if it was removed."""
        entity = self.after if self.after is not None else self.before
        assert entity is not None, "a change has an entity"
        return entity


def is_whole(event: EntityEvent, *, merges: bool) -> bool:
    """True if an event has all attributes that the service knows. With `merges`, updates have only some of them."""
    has_data = event.data is not None and not event.truncated
    return has_data and (event.type == "entityCreated" or (event.version is not None and not merges))


def _merged(before: Mapping[str, Any], changed: Mapping[str, Any], event: EntityEvent) -> Mapping[str, Any]:
    """The data after a change of some attributes. One that has changed and has no value any more was removed."""
    removed = set(event.changed_attributes or ()) - set(changed) if changed else set()
    return {**{name: value for name, value in before.items() if name not in removed}, **changed}
