"""Tables of entities. The bare values are those of `crates/protocol/tests/view/bare_values.rs`."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pandas
import pytest

from entity_stream import Entity
from entity_stream.dataframe import bare_value, to_dataframe

VALUES: list[tuple[str, str]] = [
    ('{"type":"Property","value":1.50,"unitCode":"CEL","observedAt":"2026-01-01T00:00:00Z"}', "1.50"),
    ('{"value":12345678901234567890123,"type":"Property"}', "12345678901234567890123"),
    ('{"type":"Property","value":{"b":[1.0]}}', '{"b":[1.0]}'),
    ('{"type":"Property","value":null}', "null"),
    ('{"type":"Relationship","object":"urn:1"}', '"urn:1"'),
    ('{"type":"Relationship","object":["urn:1","urn:2"],"value":5}', '["urn:1","urn:2"]'),
    ('{"type":"GeoProperty","value":{"type":"Point","coordinates":[1.0,2]}}', '{"type":"Point","coordinates":[1.0,2]}'),
    ('{"type":"LanguageProperty","languageMap":{"en":"x"}}', '{"en":"x"}'),
    ('{"type":"VocabProperty","vocab":"x"}', '"x"'),
    ('{"type":"JsonProperty","json":{"value":1}}', '{"value":1}'),
    ('{"type":"ListProperty","valueList":[1,2]}', "[1,2]"),
    ('{"type":"ListRelationship","objectList":[{"object":"urn:1"}]}', '[{"object":"urn:1"}]'),
    # Concise.
    ('{"value":5,"unitCode":"CEL"}', "5"),
    ('{"object":"urn:1"}', '"urn:1"'),
    ('{"languageMap":{"en":"x"},"observedAt":"2026"}', '{"en":"x"}'),
    ('{"vocab":"x"}', '"x"'),
    ('{"json":[1]}', "[1]"),
    ('{"valueList":[1]}', "[1]"),
    ('{"objectList":["urn:1"]}', '["urn:1"]'),
    # NGSIv2.
    ('{"type":"Number","value":7.0,"metadata":{"unit":{"type":"Text","value":"C"}}}', "7.0"),
    ('{"type":"geo:point","value":"1, 2"}', '"1, 2"'),
    ('{"type":"StructuredValue","value":[{"value":1}],"metadata":{}}', '[{"value":1}]'),
    # Several instances.
    ('[{"type":"Property","value":1}]', "1"),
    (
        '[{"type":"Property","value":1.0},{"type":"Property","value":2,"datasetId":"urn:a"}]',
        '{"dataset":{"@none":1.0,"urn:a":2}}',
    ),
    (
        '[{"value":1,"datasetId":"urn:b"},{"object":"urn:1","datasetId":"urn:a"}]',
        '{"dataset":{"urn:b":1,"urn:a":"urn:1"}}',
    ),
    ('[{"value":1,"datasetId":"urn:b"}]', '{"dataset":{"urn:b":1}}'),
    ('{"type":"Property","value":1,"datasetId":"urn:b"}', '{"dataset":{"urn:b":1}}'),
]
BARE = [
    "1.0",
    "null",
    "true",
    '"text"',
    "[]",
    "{}",
    "[1, 2]",
    '[{"value":1},{"value":2}]',
    '[{"type":"Property","value":1}, 5]',
    '{"type":"Point","coordinates":[1,2]}',
    '{"dataset":{"@none":1}}',
    '{"street":"x","number":5}',
    '{"type":"PostalAddress","street":"x"}',
    '{"type":5,"value":1}',
    '{"type":["Property"],"value":1}',
    '{"type":"Relationship","value":1}',
    '{"type":"Property","value":1,"datasetId":5}',
    '[{"type":"Property","value":1},{"type":"Property","value":2}]',
    '[{"type":"Property","value":1,"datasetId":"urn:a"},{"type":"Property","value":2,"datasetId":"urn:a"}]',
]


@pytest.mark.parametrize(("attribute", "value"), [*VALUES, *((each, each) for each in BARE)])
def test_an_attribute_becomes_its_bare_value(attribute: str, value: str):
    assert bare_value(json.loads(attribute)) == json.loads(value)


def entity(entity_id: str, timestamp: str = "", **data: Any) -> Entity:
    return Entity(tenant="demo", service_path="/", id=entity_id, type="Room", data=data, timestamp=timestamp)


def test_a_table_of_bare_values_has_them_as_they_are():
    data = {"address": {"type": "PostalAddress", "value": "x"}, "steps": [{"type": "Property", "value": 1}]}
    table = to_dataframe([entity("urn:1", **data)], is_normalized=False)
    assert dict(table.loc["urn:1"][["address", "steps"]]) == data
    table = to_dataframe([entity("urn:1", **data)], is_normalized=True)
    assert dict(table.loc["urn:1"][["address", "steps"]]) == {"address": "x", "steps": 1}


def test_the_timestamps_of_a_table_become_times():
    stamps = ["2026-01-01T00:00:00Z", "2026-01-01T02:00:00.5+02:00", ""]
    table = to_dataframe([entity(f"urn:{n}", stamp) for n, stamp in enumerate(stamps)], is_normalized=True)
    times = pandas.to_datetime(table["timestamp"], format="ISO8601", utc=True)
    assert list(times[:2]) == [pandas.Timestamp("2026-01-01T00:00:00Z"), pandas.Timestamp("2026-01-01T00:00:00.5Z")]
    assert pandas.isna(times.iloc[2])


def test_a_table_can_be_pickled():
    table = to_dataframe([entity("urn:1", "2026-01-01T00:00:00Z", near={"type": "Property", "value": [1]})], is_normalized=True)
    pandas.testing.assert_frame_equal(pickle.loads(pickle.dumps(table)), table)
