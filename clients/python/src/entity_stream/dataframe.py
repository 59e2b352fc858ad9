"""A table of entities, with pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .entity import Entity

if TYPE_CHECKING:
    import pandas

#: The types of NGSI-LD attributes, each with the member that has its value.
_NGSI_LD = {
    "Property": "value",
    "GeoProperty": "value",
    "Relationship": "object",
    "LanguageProperty": "languageMap",
    "VocabProperty": "vocab",
    "JsonProperty": "json",
    "ListProperty": "valueList",
    "ListRelationship": "objectList",
}
#: The members that have values, in the order in which NGSI-LD's concise form is searched for them.
_VALUES = ("value", "object", "languageMap", "vocab", "json", "valueList", "objectList")


def to_dataframe(entities: Iterable[Entity], *, is_normalized: bool) -> pandas.DataFrame:
    """A row for each entity, by its id. The columns are `type`, `timestamp` and the attributes.

    Attributes in the normalized representation become their bare values. In any other they are bare already.
    """
    try:
        import pandas
    except ImportError:
        raise ImportError('to_dataframe needs pandas: pip install "entity-stream[pandas]"') from None
    rows = []
    for entity in entities:
        attributes = {name: value for name, value in entity.data.items() if name not in ("id", "type", "@context")}
        if is_normalized:
            attributes = {name: bare_value(value) for name, value in attributes.items()}
        # An attribute may have the name of a column of ours; it is the one that the program knows.
        rows.append({"type": _type(entity.type), "timestamp": entity.timestamp, **attributes, "id": entity.id})
    columns = None if rows else ["type", "timestamp", "id"]
    return pandas.DataFrame(rows, columns=columns).set_index("id")


@dataclass(frozen=True, slots=True)
class _Instance:
    """One instance of an attribute."""

    value: Any
    #: The `datasetId`.
    dataset: str | None
    #: The attribute has one of NGSI-LD's types.
    is_ngsi_ld: bool


def bare_value(attribute: Any) -> Any:
    """The value of an attribute, as the view `keyValues` of the service chooses it. One of no known form stays as it is.

    An attribute with a `datasetId`, or with several instances, becomes `{"dataset": {"urn:…": VALUE, "@none": VALUE}}`.
    """
    if isinstance(attribute, Mapping):
        instance = _instance(attribute)
        return attribute if instance is None else _bare([instance], attribute)
    if not isinstance(attribute, (list, tuple)) or not attribute:
        return attribute
    instances = [_instance(each) for each in attribute]
    known = [each for each in instances if each is not None and (each.is_ngsi_ld or each.dataset is not None)]
    # A list of anything else is a bare value itself.
    return _bare(known, attribute) if len(known) == len(instances) else attribute


def _bare(instances: list[_Instance], attribute: Any) -> Any:
    """The value of the instances of an attribute. Two of the same `datasetId` have none."""
    if len(instances) == 1 and instances[0].dataset is None:
        return instances[0].value
    values = {each.dataset if each.dataset is not None else "@none": each.value for each in instances}
    return {"dataset": values} if len(values) == len(instances) else attribute


def _instance(attribute: Any) -> _Instance | None:
    """Reads an instance of an attribute. `None` for any other value."""
    if not isinstance(attribute, Mapping):
        return None
    dataset, kind = attribute.get("datasetId"), attribute.get("type")
    if any(name in attribute and not isinstance(attribute[name], str) for name in ("datasetId", "type")):
        return None
    # Without a type it is the concise form of NGSI-LD. Any other type is one of NGSIv2.
    concise = next((name for name in _VALUES if name in attribute), None)
    member = concise if kind is None else _NGSI_LD.get(kind, "value")
    if member is None or member not in attribute:
        return None
    return _Instance(attribute[member], dataset, kind in _NGSI_LD)


def _type(types: str | tuple[str, ...]) -> str:
    return types if isinstance(types, str) else ", ".join(types)
