//! One entity in the forms of an attribute: each answers a query in the same way.

use entity_stream_protocol::EntityData;
use serde_json::{Value, json};

use crate::entity::{assert_all, data, data_of_text};

/// The same entity, normalized and concise as NGSI-LD has it, normalized as NGSIv2 has it, and as key values.
fn in_all_forms() -> [(&'static str, Value); 4] {
    let address = json!({"city": "Berlin", "geo": {"zip": 10115, "open": true}, "tags": ["a", "b"]});
    let (color, gap) = (json!({"en": "red", "de": ["rot", "purpur"]}), json!(null));
    let seen = "2026-01-02T03:04:05Z";
    [
        (
            "normalized",
            json!({
                "speed": {"type": "Property", "value": 55.0, "unitCode": "KMH", "observedAt": seen},
                "name": {"type": "Property", "value": "Bull; Run"},
                "parked": {"type": "Property", "value": false},
                "driver": {"type": "Relationship", "object": "urn:ngsi-ld:Person:1"},
                "color": {"type": "LanguageProperty", "languageMap": color},
                "kind": {"type": "VocabProperty", "vocab": "van"},
                "raw": {"type": "JsonProperty", "json": {"value": 7}},
                "address": {"type": "Property", "value": address},
                "lanes": {"type": "Property", "value": [1, 2, "x"]},
                "seen": {"type": "Property", "value": {"@type": "DateTime", "@value": seen}},
                "gap": {"type": "Property", "value": gap},
                "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1.0, 2.0]}},
            }),
        ),
        (
            "concise",
            json!({
                "speed": {"value": 55, "unitCode": "KMH", "observedAt": seen},
                "name": "Bull; Run",
                "parked": {"value": false},
                "driver": {"object": "urn:ngsi-ld:Person:1"},
                "color": {"languageMap": color},
                "kind": {"vocab": "van"},
                "raw": {"json": {"value": 7}},
                "address": {"value": address},
                "lanes": [1, 2, "x"],
                "seen": {"value": {"@type": "DateTime", "@value": seen}},
                "gap": {"value": gap},
                "location": {"type": "Point", "coordinates": [1.0, 2.0]},
            }),
        ),
        (
            "NGSIv2",
            json!({
                "speed": {"type": "Number", "value": 5.5e1, "metadata": {
                    "unitCode": {"type": "Text", "value": "KMH"}, "observedAt": {"type": "DateTime", "value": seen}}},
                "name": {"type": "Text", "value": "Bull; Run", "metadata": {}},
                "parked": {"type": "Boolean", "value": false, "metadata": {}},
                "driver": {"type": "Relationship", "value": "urn:ngsi-ld:Person:1", "metadata": {}},
                "color": {"type": "StructuredValue", "value": color, "metadata": {}},
                "kind": {"type": "Text", "value": "van", "metadata": {}},
                "raw": {"type": "StructuredValue", "value": {"value": 7}, "metadata": {}},
                "address": {"type": "PostalAddress", "value": address, "metadata": {}},
                "lanes": {"type": "StructuredValue", "value": [1, 2, "x"], "metadata": {}},
                "seen": {"type": "DateTime", "value": seen, "metadata": {}},
                "gap": {"type": "None", "value": gap, "metadata": {}},
                "location": {"type": "geo:json", "value": {"type": "Point", "coordinates": [1.0, 2.0]}, "metadata": {}},
            }),
        ),
        (
            "keyValues",
            json!({
                "speed": 55, "name": "Bull; Run", "parked": false, "driver": "urn:ngsi-ld:Person:1", "color": color,
                "kind": "van", "raw": {"value": 7}, "address": address, "lanes": [1, 2, "x"], "seen": seen, "gap": gap,
                "location": {"type": "Point", "coordinates": [1.0, 2.0]},
            }),
        ),
    ]
}

#[test]
fn every_form_has_the_same_values() {
    for (form, entity) in in_all_forms() {
        let data = data(&entity);
        println!("{form}");
        assert_all(
            &data,
            true,
            &[
                "speed",
                "!other",
                "speed==55",
                "speed==55.0",
                "speed==5.5e1",
                "speed!=54",
                "speed>54.9",
                "speed>=55",
                "speed<55.5",
                "speed<=55",
                "speed==50..55",
                "speed==55..60",
                "speed!=56..60",
                "speed==1,55",
                "speed!=1,2",
                r#"name=="Bull; Run""#,
                "name=='Bull; Run'",
                "name>Bull",
                "name==Bulk..Bulm",
                "name~=Bull.*Run",
                r#"name~="Bull; Run""#,
                "name!~=^Run",
                "parked==false",
                "parked!=true",
                "driver==urn:ngsi-ld:Person:1",
                r#"driver=="urn:ngsi-ld:Person:1""#,
                r"driver~=:\d$",
                "color[en]==red",
                "color[en]~=^r",
                "color[*]==rot",
                "color[*]==red",
                "color[de]==rot,red",
                "color[de]!=red",
                "color[*]!=blau",
                "kind==van",
                "kind!=car",
                "address[city]==Berlin",
                "address[geo.zip]==10115",
                "address[geo.open]==true",
                "address[tags]==b",
                "address[tags]!=c",
                "address[geo]",
                "!address[street]",
                "lanes==2",
                "lanes==x",
                "lanes!=3",
                "lanes==3,2",
                "lanes==0..1",
                "seen==2026-01-02T03:04:05Z",
                "seen==2026-01-02T04:04:05+01:00",
                "seen>2026-01-02",
                "seen<2026-01-03",
                "seen==2026-01-01..2026-01-03",
                "gap",
                "gap==null",
                "gap!=1",
                "location[coordinates]==2",
                "location[type]==Point",
                "speed>50;name~=Run",
                "speed<50|name~=Run",
                "speed<50;gap|name~=Run;gap",
                "(speed<50|name~=Run);parked==false",
            ],
        );
        assert_all(
            &data,
            false,
            &[
                "!speed",
                "other",
                "other==1",
                "other!=1",
                "other>1",
                "other~=a",
                "other!~=a",
                "other[a]",
                "speed!=55",
                "speed>55",
                "speed<55",
                "speed==54,56",
                "speed!=55,56",
                "speed==1..54.9",
                "speed!=50..55",
                r#"speed=="55""#,
                "speed>a",
                "speed~=5",
                "speed!~=x",
                "name==Bull",
                "name>1",
                "name!~=Run",
                "parked==true",
                "parked>a",
                "parked==null",
                "color[*]!=red",
                "color[*]!~=^r",
                "color[fr]==red",
                "color[fr]!=red",
                "color[de]~=rot",
                "color[de]!~=blau",
                "address==Berlin",
                "address[city.name]==Berlin",
                "address[tags.0]==a",
                "lanes!=2",
                "lanes>0",
                "lanes<9",
                "lanes~=x",
                "lanes!~=y",
                "seen>2026-01-02T03:04:05Z",
                "seen==2026-01-02",
                "gap==0",
                "gap==false",
                "gap>0",
                "gap[a]",
                "speed>50;name~=^Run",
                "speed.other",
                "speed.other==1",
                "speed.other!=1",
                "name[a]",
                "lanes[0]",
            ],
        );
    }
}

#[test]
fn forms_with_members_have_sub_attributes() {
    for (form, entity) in in_all_forms() {
        let has_members = form != "keyValues";
        let queries = [
            "speed.unitCode",
            "speed.unitCode==KMH",
            "speed.observedAt>=2026-01-01T00:00:00Z",
            "speed.observedAt==2026-01-02T12:04:05+09:00",
            "speed.unitCode~=^K",
            "speed.unitCode!=CEL",
        ];
        assert_all(&data(&entity), has_members, &queries);
        assert_all(&data(&entity), !has_members, &["!speed.unitCode"]);
        assert_all(&data(&entity), false, &["speed.type", "speed.value", "speed.metadata", "speed.value==55"]);
    }
}

#[test]
fn sub_attributes_are_attributes() {
    let sensor = json!({"sensor": {
        "type": "Property", "value": {"airquality": {"particulate": 40}}, "createdAt": "2026-01-01T00:00:00Z",
        "modifiedAt": "2026-01-02T00:00:00Z", "datasetId": "urn:d:1",
        "accuracy": {"type": "Property", "value": 0.5, "by": {"type": "Relationship", "object": "urn:x"}},
        "note": {"languageMap": {"en": "fine"}}, "raw": {"value": {"a": {"b": [1, 2]}}},
        "twice": [{"value": 1}, {"value": 2, "datasetId": "urn:d:2"}],
    }});
    assert_all(
        &data(&sensor),
        true,
        &[
            "sensor[airquality.particulate]==40",
            "sensor.createdAt<sensor|sensor.createdAt<2026-01-02",
            "sensor.modifiedAt==2026-01-02",
            "sensor.datasetId==urn:d:1",
            "sensor.accuracy>0.4",
            "sensor.accuracy.by==urn:x",
            "sensor.note[en]==fine",
            "sensor.raw[a.b]==2",
            "sensor.twice==1",
            "sensor.twice==2",
            "sensor.twice.datasetId==urn:d:2",
            "!sensor.accuracy.other",
        ],
    );
    let text = json!({"t": {"type": "Number", "value": 1, "metadata": {"type": {"type": "Text", "value": "m"}}}});
    assert_all(&data(&text), true, &["t.type==m"]);
}

#[test]
fn one_instance_is_enough() {
    let speed = json!({"speed": [
        {"type": "Property", "value": 10, "datasetId": "urn:gps", "observedAt": "2026-01-01T00:00:00Z"},
        {"type": "Property", "value": 20, "source": {"value": "wheel"}},
    ]});
    assert_all(
        &data(&speed),
        true,
        &[
            "speed==10",
            "speed==20",
            "speed!=10",
            "speed>15",
            "speed.source==wheel",
            "speed.datasetId==urn:gps",
            "speed.observedAt",
        ],
    );
    assert_all(
        &data(&speed),
        false,
        &["speed>20", "!speed", "!speed.source", "speed!=10,20", "speed.datasetId!=urn:gps"],
    );
    for value in [json!([{"value": 10}, {"value": 20}]), json!([{"value": 10, "datasetId": "urn:a"}, 20]), json!([])] {
        assert_all(&data(&json!({"speed": value})), false, &["speed==10"]);
        assert_all(&data(&json!({"speed": value})), true, &["speed!=10", "speed"]);
    }
    let data = data(&speed);
    assert_eq!(data.values("speed").collect::<Vec<_>>(), [&json!(10), &json!(20)]);
    assert_eq!(data.values("other").count(), 0);
    assert_eq!(data.attribute("speed"), speed.get("speed"));
}

#[test]
fn data_without_attributes_has_none() {
    for data in
        [EntityData::new(None), data_of_text("{}"), data_of_text("null"), data_of_text("[1]"), data_of_text("7")]
    {
        assert_eq!(data.attribute("a"), None);
        assert_all(&data, true, &["!a"]);
        assert_all(&data, false, &["a", "a!=1"]);
    }
}

#[test]
fn an_unreadable_attribute_does_not_hide_the_others() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for unreadable in ["1e999", &deep, r#""\ud800""#] {
        let data = data_of_text(&format!(r#"{{"a":{unreadable},"b":1,"b":2}}"#));
        assert_all(&data, true, &["b==2", "!a"]);
        assert_all(&data, false, &["b==1", "a", "a!=1"]);
    }
}
