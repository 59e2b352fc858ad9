//! Valid queries, and the text that clients read back.

use entity_stream_protocol::GeoQuery;
use entity_stream_protocol::limits::GEO_QUERY_BYTES;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{query, ring};

fn refusal(value: &Value) -> String {
    GeoQuery::parse(value).unwrap_err().to_string()
}

#[test]
fn a_query_is_written_as_it_was_read() {
    let squares = json!([[ring(0.0, 0.0, 1.0, 1.0)], [ring(2.0, 2.0, 3.0, 3.0)]]);
    let queries = [
        json!({"georel":"near;maxDistance==2000","geometry":"Point","coordinates":[139.7,35.6],"geoproperty":"place"}),
        json!({"georel":"near;minDistance==0.5","geometry":"Point","coordinates":[-180,90,12.5]}),
        json!({"georel":"within","geometry":"Polygon","coordinates":[ring(0.0, 0.0, 9.0, 9.0), ring(1.0, 1.0, 2.0, 2.0)]}),
        json!({"georel":"intersects","geometry":"LineString","coordinates":[[0,0],[1,1]]}),
        json!({"georel":"disjoint","geometry":"MultiPolygon","coordinates":squares}),
        json!({"georel":"contains","geometry":"MultiPoint","coordinates":[[0,0],[1,1]]}),
        json!({"georel":"overlaps","geometry":"MultiLineString","coordinates":[[[0,0],[1,1]]]}),
        json!({"georel":"equals","geometry":"Point","coordinates":[0,0]}),
    ];
    for value in queries {
        let query = GeoQuery::parse(&value).unwrap();
        let written = serde_json::to_string(&query).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        assert_eq!(query.text_bytes(), written.len());
        assert_eq!(serde_json::from_str::<GeoQuery>(&written).unwrap(), query);
    }
}

#[test]
fn the_default_geoproperty_is_the_location() {
    let query = query("within", "Point", &json!([0, 0]));
    assert_eq!(query.geoproperty(), "location");
    let named = json!({"georel":"within","geometry":"Point","coordinates":[0,0],"geoproperty":"location"});
    assert_eq!(GeoQuery::parse(&named).unwrap(), query);
    let other = json!({"georel":"within","geometry":"Point","coordinates":[0,0],"geoproperty":"place"});
    assert_ne!(GeoQuery::parse(&other).unwrap(), query);
    assert_eq!(GeoQuery::parse(&other).unwrap().geoproperty(), "place");
}

#[test]
fn coordinates_may_be_the_text_of_an_array() {
    assert_eq!(query("within", "Point", &json!("[1.5, 2]")), query("within", "Point", &json!([1.5, 2])));
}

#[test]
fn a_refusal_names_the_member_and_the_remedy() {
    let with = |name: &str, value: Value| {
        let mut query = json!({"georel":"within","geometry":"Polygon","coordinates":[ring(0.0, 0.0, 1.0, 1.0)]});
        query[name] = value;
        query
    };
    let area = |rings: Value| with("coordinates", rings);
    let table = [
        (json!([]), "expected an object"),
        (json!({"geometry":"Point","coordinates":[0,0]}), "geoQ.georel: expected a string"),
        (json!({"georel":"within","coordinates":[0,0]}), "geoQ.geometry: expected a string"),
        (json!({"georel":"within","geometry":"Point"}), "geoQ.coordinates: expected an array"),
        (with("geoProperty", json!("location")), "unknown member"),
        (with("georel", json!("near")), "near;maxDistance==METRES"),
        (with("georel", json!("near;maxDistance=5")), "near;maxDistance==METRES"),
        (with("georel", json!("near;maxDistance:5")), "two equals signs"),
        (with("georel", json!("near;maxDistance==-5")), "from 0 to 1000000000"),
        (with("georel", json!("near;maxDistance==inf")), "from 0 to"),
        (with("georel", json!("near;maxDistance==NaN")), "from 0 to"),
        (with("georel", json!("near;maxDistance==1e400")), "from 0 to"),
        (with("georel", json!("near;maxDistance==5;minDistance==1")), "from 0 to"),
        (with("georel", json!("near;maxDistance==5")), "near measures from a Point"),
        (with("georel", json!("coveredBy")), "write within"),
        (with("georel", json!("Within")), "within, intersects"),
        (with("geometry", json!("GeometryCollection")), "GeometryCollection is not supported"),
        (with("geometry", json!("polygon")), "expected Point, MultiPoint"),
        (with("geometry", json!("Point")), "two numbers"),
        (with("geoproperty", json!("")), "1 to 256 characters"),
        (with("geoproperty", json!("x".repeat(257))), "1 to 256 characters"),
        (with("geoproperty", json!(5)), "1 to 256 characters"),
        (with("coordinates", json!("[1,2")), "expected an array"),
        (with("coordinates", json!(7)), "expected an array"),
        (area(json!([])), "not empty"),
        (area(json!([[0, 0], [1, 0]])), "how deep"),
        (area(json!([[[0, 0], [181, 0], [1, 1], [0, 0]]])), "longitude is -180 to 180"),
        (area(json!([[[0, 0], [0, 91], [1, 1], [0, 0]]])), "latitude -90 to 90"),
        (area(json!([[[0, 0], [1, 0], [1, 1]]])), "ends with its first position"),
        (area(json!([[[0, 0], [1, 0], [0, 0]]])), "four positions"),
        (area(json!([[[0, 0], [0, 0], [1, 0], [0, 0]]])), "four positions"),
        (area(json!([[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]])), "do not cross"),
        (area(json!([[[0, 0], [2, 0], [1, 0], [0, 0]]])), "do not cross"),
        (area(json!([ring(0.0, 0.0, 1.0, 1.0), ring(2.0, 2.0, 3.0, 3.0)])), "holes lie inside"),
        (json!({"georel":"within","geometry":"LineString","coordinates":[[1, 1], [1, 1]]}), "two distinct positions"),
    ];
    for (value, expected) in table {
        let message = refusal(&value);
        assert!(message.starts_with("geoQ") && message.contains(expected), "{value}: {message}");
    }
}

#[test]
fn a_query_has_a_kilobyte() {
    let points = |count: usize| json!({"georel":"within","geometry":"MultiPoint","coordinates":(0..count).map(|n| [n, 0]).collect::<Vec<_>>()});
    let longest = (1..).take_while(|count| points(*count).to_string().len() <= GEO_QUERY_BYTES).last().unwrap();
    assert!(GeoQuery::parse(&points(longest)).is_ok());
    assert!(refusal(&points(longest + 1)).contains("at most 1024 bytes"));
    let text = format!("[{}1,2]", " ".repeat(GEO_QUERY_BYTES));
    assert!(refusal(&json!({"georel":"within","geometry":"Point","coordinates":text})).contains("at most 1024 bytes"));
}

proptest! {
    #[test]
    fn every_text_is_answered(georel in any::<String>(), geometry in any::<String>(), coordinates in any::<String>()) {
        let _ = GeoQuery::parse(&json!({"georel": georel, "geometry": geometry, "coordinates": coordinates}));
    }

    #[test]
    fn a_distance_is_written_as_it_was_read(metres in 0.0..1e9_f64) {
        let near = query(&format!("near;maxDistance=={metres}"), "Point", &json!([0, 0]));
        prop_assert_eq!(serde_json::to_value(&near).unwrap(), json!({
            "georel": format!("near;maxDistance=={metres}"), "geometry": "Point", "coordinates": [0, 0]
        }));
    }
}
