use proptest::prelude::*;

use super::*;
use crate::entity_change::EntityChange;
use crate::error_code::ErrorCode;

fn change(entity_type: &str, id: &str) -> EntityChange {
    let detail = serde_json::json!({
        "type": "entityUpdated", "tenant": "t", "entityType": entity_type, "entityId": id
    });
    EntityChange::parse(&detail.to_string()).unwrap()
}

#[test]
fn a_pattern_matches_anywhere_unless_it_is_anchored() {
    let filter = |pattern| Filter::new(["Room"], Some(pattern)).unwrap();
    assert!(filter("Room:0").matches(&change("Room", "urn:ngsi-ld:Room:001")));
    assert!(!filter("^Room").matches(&change("Room", "urn:ngsi-ld:Room:001")));
    assert!(!filter("Room:0").matches(&change("Sensor", "urn:ngsi-ld:Room:001")));
}

#[test]
fn repeated_types_count_once_and_49_are_allowed() {
    let names = |n: usize| (0..n).map(|i| format!("T{i}")).collect::<Vec<_>>();
    assert!(Filter::new(names(49), None).is_ok());
    assert_eq!(Filter::new(names(50), None), Err(InvalidFilter::TooManyTypes));
    let twice: Vec<_> = names(49).into_iter().chain(names(49)).collect();
    assert_eq!(Filter::new(twice, None).unwrap().entity_types().len(), 49);
    assert!(Filter::new(["é".repeat(256)], None).is_ok());
    assert!(Filter::new([""], None).is_err());
    assert!(Filter::new(["é".repeat(257)], None).is_err());
}

#[test]
fn types_and_pattern_have_a_kilobyte_together() {
    let four = ["a", "b", "c", "d"].map(|name| name.repeat(256));
    assert!(Filter::new(four.clone(), None).is_ok());
    assert!(Filter::new(four.iter().chain(&four), None).is_ok(), "a repeated type counts once");
    assert_eq!(Filter::new(four, Some("e")), Err(InvalidFilter::TooMuchText));
    assert!(Filter::new(["é".repeat(256)], Some(&"é".repeat(256))).is_ok());
    assert_eq!(Filter::new(["é".repeat(256)], Some(&"é".repeat(257))), Err(InvalidFilter::TooMuchText));
    assert_eq!(InvalidFilter::TooMuchText.code(), ErrorCode::LimitExceeded);
    let too_long = Filter::new([""; 0], Some(&"x".repeat(1025))).unwrap_err();
    assert_eq!(too_long.code(), ErrorCode::InvalidIdPattern, "{too_long}");
}

proptest! {
    #[test]
    fn no_pattern_panics_and_an_accepted_one_matches_as_regex_does(pattern in any::<String>(), id in any::<String>()) {
        prop_assume!(!id.is_empty());
        if let Ok(filter) = Filter::new(["T"], Some(&pattern)) {
            let expected = pattern.is_empty() || regex::Regex::new(&pattern).unwrap().is_match(&id);
            prop_assert_eq!(filter.matches(&change("T", &id)), expected);
        }
    }

    #[test]
    fn only_the_named_types_pass(
        wanted in prop::collection::vec("[A-D]", 0..4),
        entity_type in "[A-D]",
    ) {
        let filter = Filter::new(wanted.clone(), None).unwrap();
        let expected = wanted.is_empty() || wanted.contains(&entity_type);
        prop_assert_eq!(filter.matches(&change(&entity_type, "x")), expected);
    }
}
