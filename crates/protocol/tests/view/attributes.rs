//! Which attributes stay.

use std::borrow::Cow;

use entity_stream_protocol::{InvalidView, Representation, View};
use serde_json::value::RawValue;

use crate::shown;

fn only(names: &[&str]) -> View {
    View::new(names.iter().copied(), Representation::Normalized).unwrap()
}

#[test]
fn named_attributes_stay_in_the_order_published_byte_for_byte() {
    let data = r#"{ "b" : { "value" : 1.50e+1, "n":12345678901234567890123 } ,"a":"\u00e9" , "c":[ 1 ] }"#;
    assert_eq!(
        shown(&only(&["a", "b"]), data),
        r#"{"b":{ "value" : 1.50e+1, "n":12345678901234567890123 },"a":"\u00e9"}"#
    );
    assert_eq!(shown(&only(&["c"]), data), r#"{"c":[ 1 ]}"#);
    assert_eq!(shown(&only(&["x"]), data), "{}");
}

#[test]
fn a_name_is_compared_without_its_escapes_and_written_with_them() {
    assert_eq!(shown(&only(&["é\"x"]), r#"{"\u00e9\"x":1,"e":2}"#), r#"{"\u00e9\"x":1}"#);
    assert_eq!(shown(&only(&["é"]), r#"{"é":1,"\u00e8":2}"#), r#"{"é":1}"#);
}

#[test]
fn the_members_of_the_entity_itself_stay() {
    let data = r#"{"id":"urn:1","type":"Room","@context":["https://c"],"a":1,"b":2}"#;
    assert_eq!(shown(&only(&["b"]), data), r#"{"id":"urn:1","type":"Room","@context":["https://c"],"b":2}"#);
}

#[test]
fn repeated_members_all_stay() {
    assert_eq!(shown(&only(&["a"]), r#"{"a":1,"b":2,"a":3}"#), r#"{"a":1,"a":3}"#);
}

#[test]
fn data_that_the_view_does_not_change_is_borrowed() {
    let all = View::default();
    let key_values = View::new([""; 0], Representation::KeyValues).unwrap();
    for data in ["{}", "[]", "null", r#""text""#, "5", r#"{ "a": 1 }"#, r#"{"a":[1,{}],"id":{"value":1}}"#] {
        let raw = RawValue::from_string(data.to_owned()).unwrap();
        for view in [&all, &only(&["a"]), &key_values] {
            assert!(matches!(view.apply(&raw), Cow::Borrowed(same) if same.get() == data), "{data}");
        }
    }
    let raw = RawValue::from_string(r#"{"a":{"type":"Property","value":1}}"#.to_owned()).unwrap();
    assert!(matches!(all.apply(&raw), Cow::Borrowed(_)));
}

#[test]
fn a_view_has_49_attributes_of_256_characters() {
    let names = |count: usize| (0..count).map(|n| format!("a{n}")).collect::<Vec<_>>();
    let view = |names: Vec<String>| View::new(names, Representation::Normalized);
    assert_eq!(view(names(49)).unwrap().attributes().len(), 49);
    assert_eq!(view(names(50)), Err(InvalidView::TooManyAttributes));
    assert_eq!(view([names(49), names(49)].concat()).unwrap().attributes().len(), 49);
    assert!(view(vec!["é".repeat(256)]).is_ok());
    assert_eq!(view(vec!["é".repeat(257)]), Err(InvalidView::AttributeName));
    assert_eq!(view(vec![String::new()]), Err(InvalidView::AttributeName));
}
