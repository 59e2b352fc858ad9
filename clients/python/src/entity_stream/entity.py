"""An entity as the client last knew it, and a change of a collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


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
