"""The filter and the view of a subscription."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypedDict

from ._checks import check_flags, type_name
from .errors import RequestError

#: The largest frame that API Gateway takes, in bytes.
FRAME_BYTES = 32 * 1024

#: The fields that have another name on the wire.
_WIRE_NAMES = {
    "entity_types": "entityTypes",
    "entity_ids": "entityIds",
    "id_pattern": "idPattern",
    "notification_trigger": "notificationTrigger",
    "watched_attributes": "watchedAttributes",
    "q": "q",
    "geo_q": "geoQ",
    "service_path": "servicePath",
    "attributes": "attributes",
    "representation": "representation",
    "whole_entity": "wholeEntity",
    "show_changes": "showChanges",
}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Selects changes, and the view in which they arrive. A field that is `None` does not restrict.

    The fields are those of a subscription in docs/protocol.md, in Python's spelling.
    """

    #: Entity types; a change of any of them matches.
    entity_types: Sequence[str] | None = None
    #: Exact entity ids.
    entity_ids: Sequence[str] | None = None
    #: A regular expression (Rust's syntax) that is found in the entity id.
    id_pattern: str | None = None
    #: The kinds of change, for example `["entityCreated", "entityDeleted"]`.
    notification_trigger: Sequence[str] | None = None
    #: An update matches only if it changes one of these attributes.
    watched_attributes: Sequence[str] | None = None
    #: A query in NGSI-LD's language, for example `temperature>25`.
    q: str | None = None
    #: A geo-query of NGSI-LD, for example `{"georel": "near;maxDistance==2000", "geometry": "Point", …}`.
    geo_q: Mapping[str, Any] | None = field(default=None, hash=False)
    #: A `Fiware-ServicePath`, with `#` at its end for everything below.
    service_path: str | None = None
    #: Only these attributes are in `data`.
    attributes: Sequence[str] | None = None
    #: `keyValues`: each attribute is its bare value.
    representation: Literal["normalized", "keyValues"] | None = None
    #: `data` has all attributes as last known.
    whole_entity: bool | None = None
    #: Events have the former values of the changed attributes in `previous`.
    show_changes: bool | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None:
                object.__setattr__(self, each.name, _checked(each.name, value))

    def to_wire(self) -> dict[str, Any]:
        """The fields of a subscription in the wire contract."""
        values = ((wire, getattr(self, name)) for name, wire in _WIRE_NAMES.items())
        chosen = {wire: list(value) if isinstance(value, tuple) else value for wire, value in values if _restricts(value)}
        return chosen

    def for_entities(self) -> Filter:
        """The same filter for a collection of entities, which needs whole entities and every change of them."""
        for name in ("notification_trigger", "watched_attributes"):
            if getattr(self, name) is not None:
                raise TypeError(f"the filter of entities has no `{name}`, because a collection needs every change")
        return replace(self, whole_entity=True, show_changes=None)

    def check_size(self) -> None:
        """Raises `RequestError` if the filter cannot be sent."""
        size = len(json.dumps(self.to_wire(), ensure_ascii=False).encode()) + 256
        if size > FRAME_BYTES:
            message = f"the filter makes a message of {size} bytes; the server takes {FRAME_BYTES}. Use fewer or shorter entries"
            raise RequestError("limit_exceeded", message, "subscribe")


def filter_in_force(answer: Mapping[str, Any], wire: str) -> Filter:
    """The filter of a subscription in a `subscribed` answer. What is not of the contract does not restrict."""
    listed = answer.get("subscriptions")
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else [answer]
    found: Mapping[str, Any] = next((each for each in entries if each.get("subscription") == wire), {})
    fields = {name: found.get(key) for name, key in _WIRE_NAMES.items()}
    return Filter(**{name: value for name, value in fields.items() if _is_of_contract(name, value)})


def _checked(name: str, value: object) -> object:
    """A field that is not `None`. A list or an object is copied, so that later changes of the caller's have no effect."""
    if name in _LISTS:
        if isinstance(value, (str, bytes)):
            raise TypeError(f"{name} has to be a list of strings, not one string")
        entries = None if isinstance(value, Mapping) or not isinstance(value, Iterable) else tuple(value)
        if entries is None or not all(isinstance(each, str) for each in entries):
            raise TypeError(f"{name} has to be a list of strings")
        return entries
    if name == "geo_q":
        if not isinstance(value, Mapping):
            raise TypeError(f"geo_q has to be a dictionary, not {type_name(value)}")
        try:
            return json.loads(json.dumps(dict(value), allow_nan=False))
        except (TypeError, ValueError):
            raise TypeError("geo_q has to be a dictionary of JSON values") from None
    if name in _FLAGS:
        check_flags(**{name: value})
    elif not isinstance(value, str):
        raise TypeError(f"{name} has to be a string, not {type_name(value)}")
    elif name == "representation" and value not in _REPRESENTATIONS:
        raise ValueError('representation has to be "normalized" or "keyValues"')
    return value


def _is_of_contract(name: str, value: object) -> bool:
    if name in _LISTS:
        return isinstance(value, list) and value != [] and all(isinstance(each, str) for each in value)
    if name == "geo_q":
        return isinstance(value, dict)
    if name in _FLAGS:
        return value is True
    if name == "representation":
        return value in _REPRESENTATIONS
    return isinstance(value, str) and value != ""


_LISTS = {"entity_types", "entity_ids", "notification_trigger", "watched_attributes", "attributes"}
_FLAGS = ("whole_entity", "show_changes")
_REPRESENTATIONS = ("normalized", "keyValues")


def _restricts(value: object) -> bool:
    return value is not None and value is not False and value != () and value != ""


class EntitiesFields(TypedDict, total=False):
    """The fields of a `Filter` that a collection of entities has, as keyword arguments."""

    entity_types: Sequence[str] | None
    entity_ids: Sequence[str] | None
    id_pattern: str | None
    q: str | None
    geo_q: Mapping[str, Any] | None
    service_path: str | None
    attributes: Sequence[str] | None
    representation: Literal["normalized", "keyValues"] | None


class FilterFields(EntitiesFields, total=False):
    """The fields of a `Filter`, as keyword arguments."""

    notification_trigger: Sequence[str] | None
    watched_attributes: Sequence[str] | None
    whole_entity: bool | None
    show_changes: bool | None
