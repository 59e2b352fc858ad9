use std::collections::HashMap;

use entity_stream_protocol::EntityChange;
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::map::{CENTRE, METRES_PER_DEGREE};

fn start() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn city(seed: u64, population: usize) -> City {
    City::new("test", &Tenant::parse("demo").unwrap(), seed, population, start()).unwrap()
}

fn change(city: &mut City, now: Timestamp) -> (EntityChange, Map<String, Value>) {
    let change = EntityChange::parse(city.next(now).unwrap().detail()).unwrap();
    let data = serde_json::from_str(change.data.get()).unwrap();
    (change, data)
}

fn in_range(name: &str, attribute: &Value) -> bool {
    let value = &attribute["value"];
    let within = |low: f64, high: f64| value.as_f64().is_some_and(|value| (low..=high).contains(&value));
    match name {
        "name" => value.is_string(),
        "temperature" => within(-25.0, 45.0),
        "humidity" => within(10.0, 100.0),
        "co2" => within(400.0, 2500.0),
        "occupancy" => within(0.0, 30.0) && value.is_u64(),
        "pm25" => within(0.0, 500.0),
        "noiseLevel" => within(30.0, 100.0),
        "batteryLevel" | "fuelLevel" => within(0.0, 100.0),
        "speed" => within(0.0, 77.0),
        "heading" => within(0.0, 359.0),
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
    fn every_change_is_valid_and_in_range(seed in any::<u64>(), steps in prop::collection::vec(0_i64..2_000_000, 100)) {
        let (mut city, mut now) = (city(seed, 12), start());
        for step in steps {
            now += SignedDuration::from_millis(step);
            let (change, data) = change(&mut city, now);
            for (name, attribute) in &data {
                prop_assert!(in_range(name, attribute), "{}.{name} is {attribute}", change.entity_id);
            }
            let names: Vec<&String> = data.keys().collect();
            match change.change_type {
                ChangeType::EntityUpdated => {
                    let mut changed = change.changed_attributes.unwrap();
                    changed.sort_unstable();
                    prop_assert!(!changed.is_empty());
                    prop_assert_eq!(changed.iter().collect::<Vec<_>>(), names);
                }
                ChangeType::EntityCreated => prop_assert!(names.len() >= 4),
                ChangeType::EntityDeleted => prop_assert!(names.is_empty()),
            }
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
        prop_assert!((6..=24).contains(&city.things.len()));
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
    let mut vehicle = Vehicle::new(&mut chance);
    let place = |vehicle: &Vehicle| {
        let location = &vehicle.attributes()[0].1["value"]["coordinates"];
        (location[0].as_f64().unwrap(), location[1].as_f64().unwrap())
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
    let temperature = |room: &Room| room.attributes()[1].1["value"].as_f64().unwrap();
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
    for name in ["entityCreated", "entityDeleted", "Room", "Sensor", "Vehicle"] {
        assert!(counts[name] > 40, "{counts:?}");
    }
}
