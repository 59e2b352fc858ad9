use std::collections::HashMap;

use entity_stream_protocol::EntityChange;
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::attribute::AttributeValue;
use crate::form::NgsiFormat;
use crate::map::{CENTRE, METRES_PER_DEGREE};
use crate::room::Room;
use crate::vehicle::Vehicle;

fn start() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn city(seed: u64, population: usize) -> City {
    city_of(EventForm::default(), seed, population)
}

fn city_of(form: EventForm, seed: u64, population: usize) -> City {
    City::new("test", &Tenant::parse("demo").unwrap(), form, seed, population, start()).unwrap()
}

fn change(city: &mut City, now: Timestamp) -> (EntityChange, Map<String, Value>) {
    let change = EntityChange::parse(city.next(now).unwrap().detail()).unwrap();
    let data = serde_json::from_str(change.data.get()).unwrap();
    (change, data)
}

fn forms() -> impl Strategy<Value = EventForm> {
    let formats = prop::sample::select(&NgsiFormat::ALL[..]);
    (formats, any::<bool>()).prop_map(|(format, partial)| EventForm { format, partial })
}

fn is_in_range(name: &str, attribute: &Value) -> bool {
    let value = &attribute["value"];
    let within = |low: f64, high: f64| value.as_f64().is_some_and(|value| (low..=high).contains(&value));
    match name {
        "name" => value.is_string() || attribute["languageMap"].is_object(),
        "depot" => value.is_string() || attribute["object"].is_string(),
        "temperature" => within(-25.0, 45.0),
        "humidity" => within(10.0, 100.0),
        "co2" => within(400.0, 2500.0),
        "occupancy" => within(0.0, 30.0) && value.is_u64(),
        "pm25" => within(0.0, 500.0),
        "noiseLevel" => within(30.0, 100.0),
        "batteryLevel" | "fuelLevel" => within(0.0, 100.0),
        "speed" => within(0.0, 77.0),
        "heading" => within(0.0, 359.0),
        "availableDocks" => within(0.0, 16.0) && value.is_u64(),
        "power" => within(0.0, 250.0),
        "location" => {
            let (longitude, latitude) = (&value["coordinates"][0], &value["coordinates"][1]);
            value["type"] == "Point"
                && longitude.as_f64().is_some_and(|x| (x - CENTRE.0).abs() < 0.2)
                && latitude.as_f64().is_some_and(|y| (y - CENTRE.1).abs() < 0.2)
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_change_is_valid_and_in_range(
        form in forms(),
        seed in any::<u64>(),
        steps in prop::collection::vec(0_i64..2_000_000, 100),
    ) {
        let (mut city, mut now) = (city_of(form, seed, 12), start());
        for step in steps {
            now += SignedDuration::from_millis(step);
            let (change, data) = change(&mut city, now);
            for (name, attribute) in &data {
                prop_assert!(is_in_range(name, attribute), "{}.{name} is {attribute}", change.entity_id);
            }
            let names: Vec<&str> = data.keys().map(String::as_str).collect();
            match change.change_type {
                ChangeType::EntityUpdated => {
                    let changed = change.changed_attributes.unwrap();
                    prop_assert!(!changed.is_empty());
                    prop_assert!(changed.iter().all(|name| names.contains(&name.as_str())));
                    prop_assert_eq!(names.len() == changed.len(), form.partial, "{}", change.entity_id);
                }
                ChangeType::EntityCreated => prop_assert!(names.len() >= 4),
                ChangeType::EntityDeleted => prop_assert!(names.is_empty()),
            }
        }
    }

    #[test]
    fn the_whole_entity_is_the_merge_of_its_partial_changes(
        format in prop::sample::select(&NgsiFormat::ALL[..]),
        seed in any::<u64>(),
        steps in prop::collection::vec(0_i64..20_000, 200),
    ) {
        let mut whole = city_of(EventForm { format, partial: false }, seed, 6);
        let mut partial = city_of(EventForm { format, partial: true }, seed, 6);
        let (mut entities, mut now) = (HashMap::<String, Map<String, Value>>::new(), start());
        for step in steps {
            now += SignedDuration::from_millis(step);
            let ((left, whole), (right, partial)) = (change(&mut whole, now), change(&mut partial, now));
            prop_assert_eq!(&left.entity_id, &right.entity_id);
            prop_assert_eq!(&left.changed_attributes, &right.changed_attributes);
            if left.change_type == ChangeType::EntityDeleted {
                prop_assert!(whole.is_empty() && partial.is_empty());
                continue;
            }
            // The first event shows the entity as it is.
            let merged = entities.entry(left.entity_id).or_insert_with(|| whole.clone());
            merged.extend(partial);
            prop_assert_eq!(&*merged, &whole);
        }
    }

    #[test]
    fn nothing_is_created_twice_or_changes_once_deleted(seed in any::<u64>()) {
        let (mut city, mut alive, mut now) = (city(seed, 12), HashMap::new(), start());
        for _ in 0..1000 {
            now += SignedDuration::from_secs(1);
            let (change, _) = change(&mut city, now);
            let before = alive.insert(change.entity_id.clone(), change.change_type != ChangeType::EntityDeleted);
            match change.change_type {
                ChangeType::EntityCreated => prop_assert_eq!(before, None),
                _ => prop_assert_ne!(before, Some(false)),
            }
        }
        prop_assert!(city.entities.iter().any(|entity| entity.kind == Kind::Depot), "vehicles refer to it");
        prop_assert!((6..=24).contains(&city.entities.len()));
    }
}

#[test]
fn the_same_seed_is_the_same_city() {
    let details = |seed| {
        let mut city = city(seed, 12);
        (0..50).map(|_| city.next(start()).unwrap().detail().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(details(7), details(7));
    assert_ne!(details(7), details(8));
}

#[test]
fn vehicles_move_no_faster_than_they_say_they_may() {
    let mut chance = Chance::new(1);
    let mut vehicle = Vehicle::new("depot".to_owned(), &mut chance);
    let place = |vehicle: &Vehicle| {
        let AttributeValue::Place([longitude, latitude]) = &vehicle.attributes(start())[2].value else { panic!() };
        (longitude.as_f64().unwrap(), latitude.as_f64().unwrap())
    };
    let (mut distance, mut before) = (0.0, place(&vehicle));
    for _ in 0..600 {
        vehicle.step(10.0, &mut chance);
        let now = place(&vehicle);
        let east = (now.0 - before.0) * METRES_PER_DEGREE * CENTRE.1.to_radians().cos();
        let metres = east.hypot((now.1 - before.1) * METRES_PER_DEGREE);
        assert!(metres <= 77.0 / 3.6 * 10.0 + 1.0, "{metres} m in 10 s");
        (distance, before) = (distance + metres, now);
    }
    assert!(distance > 10_000.0, "drove {distance} m in 100 minutes");
}

#[test]
fn values_vary_little_by_little() {
    let mut chance = Chance::new(2);
    let mut room = Room::new(1, &mut chance);
    let temperature = |room: &Room| {
        let AttributeValue::Quantity { number, .. } = &room.attributes(start())[1].value else { panic!() };
        number.as_f64().unwrap()
    };
    let (mut before, mut lowest, mut highest) = (temperature(&room), f64::MAX, f64::MIN);
    for _ in 0..5000 {
        room.step(10.0, &mut chance);
        let now = temperature(&room);
        assert!((now - before).abs() < 0.5, "from {before} to {now} °C in 10 s");
        (before, lowest, highest) = (now, lowest.min(now), highest.max(now));
    }
    assert!(highest - lowest > 1.0, "between {lowest} and {highest} °C all day");
}

#[test]
fn most_changes_are_updates_of_every_kind() {
    let (mut city, mut now) = (city(3, 12), start());
    let mut counts: HashMap<String, u32> = HashMap::new();
    for _ in 0..5000 {
        now += SignedDuration::from_millis(100);
        let (change, _) = change(&mut city, now);
        *counts.entry(change.change_type.to_string()).or_default() += 1;
        *counts.entry(change.entity_types.display()).or_default() += 1;
    }
    assert!(counts["entityUpdated"] > 4500, "{counts:?}");
    for name in ["entityCreated", "entityDeleted", "Room", "Sensor", "Vehicle", "Depot, Building"] {
        assert!(counts[name] > 40, "{counts:?}");
    }
}

/// One whole entity of each kind, with the entity types as JSON.
fn created(format: NgsiFormat) -> HashMap<String, Value> {
    let mut city = city_of(EventForm { format, partial: false }, 4, 12);
    let mut entities = HashMap::new();
    for _ in 0..200 {
        let (change, data) = change(&mut city, start());
        if change.change_type != ChangeType::EntityDeleted {
            let entity_type = serde_json::to_value(&change.entity_types).unwrap();
            entities.insert(entity_type.to_string(), Value::Object(data));
        }
    }
    entities
}

/// The object without the values, which depend on the seed.
fn shape(mut data: Value) -> Value {
    for attribute in data.as_object_mut().unwrap().values_mut() {
        for value in ["value", "object", "languageMap"] {
            if let Some(value) = attribute.get_mut(value) {
                match value.get_mut("coordinates") {
                    Some(coordinates) => *coordinates = json!([]),
                    None => *value = json!(0),
                }
            }
        }
    }
    data
}

#[test]
fn ngsi_ld_is_normalized() {
    let at = "2026-01-31T12:00:00.000Z";
    let measured = |unit: &str| json!({ "type": "Property", "value": 0, "unitCode": unit, "observedAt": at });
    let counted = json!({ "type": "Property", "value": 0, "observedAt": at });
    let place = json!({ "type": "GeoProperty", "value": { "type": "Point", "coordinates": [] } });
    let moving = json!({ "type": "GeoProperty", "value": { "type": "Point", "coordinates": [] }, "observedAt": at });
    let name = json!({ "type": "LanguageProperty", "languageMap": 0 });
    let entities = created(NgsiFormat::NgsiLd);
    assert_eq!(entities.len(), 4, "{entities:?}");
    for (entity_type, expected) in [
        (
            r#""Room""#,
            json!({ "name": name, "temperature": measured("CEL"), "humidity": measured("P1"),
            "co2": measured("59"), "occupancy": counted, "location": place }),
        ),
        (
            r#""Sensor""#,
            json!({ "temperature": measured("CEL"), "humidity": measured("P1"), "pm25": measured("GQ"),
            "noiseLevel": measured("2N"), "batteryLevel": measured("P1"), "location": place }),
        ),
        (
            r#""Vehicle""#,
            json!({ "location": moving, "speed": measured("KMH"), "heading": measured("DD"),
            "fuelLevel": measured("P1"), "depot": { "type": "Relationship", "object": 0 } }),
        ),
        (
            r#"["Depot","Building"]"#,
            json!({ "name": name, "location": place, "availableDocks": counted,
            "power": measured("KWT") }),
        ),
    ] {
        assert_eq!(shape(entities[entity_type].clone()), expected, "{entity_type}");
    }
    let depot = &entities[r#"["Depot","Building"]"#]["name"]["languageMap"];
    assert_eq!(depot, &json!({ "ja": "伏見配送センター", "en": "Fushimi Depot" }));
    assert_eq!(entities[r#""Vehicle""#]["depot"]["object"], "urn:ngsi-ld:Depot:001");
}

#[test]
fn ngsi_v2_has_metadata_and_one_type() {
    let at = json!({ "type": "DateTime", "value": "2026-01-31T12:00:00.000Z" });
    let measured = |unit: &str| {
        json!({ "type": "Number", "value": 0,
            "metadata": { "unitCode": { "type": "Text", "value": unit }, "TimeInstant": at } })
    };
    let entities = created(NgsiFormat::NgsiV2);
    assert_eq!(entities.len(), 4, "{entities:?}");
    let place = json!({ "type": "Point", "coordinates": [] });
    assert_eq!(
        shape(entities[r#""Vehicle""#].clone()),
        json!({
            "location": { "type": "geo:json", "value": place, "metadata": { "TimeInstant": at } },
            "speed": measured("KMH"), "heading": measured("DD"), "fuelLevel": measured("P1"),
            "depot": { "type": "Relationship", "value": 0, "metadata": {} },
        })
    );
    let depot = &entities[r#""Depot""#];
    assert_eq!(depot["name"], json!({ "type": "Text", "value": "伏見配送センター", "metadata": {} }));
    assert_eq!(depot["availableDocks"]["metadata"], json!({ "TimeInstant": at }));
}

#[test]
fn members_are_in_the_order_of_brokers() {
    let mut city = city(4, 12);
    let update =
        (0..50).map(|_| change(&mut city, start()).0).find(|change| change.entity_id.contains("Sensor")).unwrap();
    assert!(update.data.get().starts_with(r#"{"temperature":{"type":"Property","value":"#), "{}", update.data);
    assert!(update.data.get().contains(r#","unitCode":"CEL","observedAt":"2026-01-31T12:00:00.000Z"},"humidity":{"#));
}
