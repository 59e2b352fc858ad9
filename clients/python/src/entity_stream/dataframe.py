"""A table of entities, with pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .entity import Entity

if TYPE_CHECKING:
    import pandas

#: The member with the bare value of an attribute, as the view `keyValues` of the service chooses it.
_VALUES = ("value", "object", "languageMap", "vocab", "json", "valueList", "objectList")


def to_dataframe(entities: Iterable[Entity]) -> pandas.DataFrame:
    """A row for each entity, by its id. The columns are `type`, `timestamp` and the attributes."""
    try:
        import pandas
    except ImportError:
        raise ImportError('to_dataframe needs pandas: pip install "entity-stream[pandas]"') from None
    rows = []
    for entity in entities:
        attributes = {name: bare_value(value) for name, value in entity.data.items() if name not in ("id", "type", "@context")}
        # An attribute may have the name of a column of ours; it is the one that the program knows.
        rows.append({"type": _type(entity.type), "timestamp": entity.timestamp, **attributes, "id": entity.id})
    columns = None if rows else ["type", "timestamp", "id"]
    return pandas.DataFrame(rows, columns=columns).set_index("id")


def bare_value(attribute: Any) -> Any:
    """The value of an attribute in the normalized representation; a bare value stays as it is."""
    if not isinstance(attribute, Mapping) or not _is_attribute(attribute):
        return attribute
    return next(attribute[name] for name in _VALUES if name in attribute)


def _is_attribute(value: Mapping[str, Any]) -> bool:
    return "value" in value or ("type" in value and any(name in value for name in _VALUES))


def _type(types: str | tuple[str, ...]) -> str:
    return types if isinstance(types, str) else ", ".join(types)
