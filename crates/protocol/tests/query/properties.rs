//! Properties of every query and every entity.

use entity_stream_protocol::limits::{QUERY_BYTES, QUERY_REGEX_BYTES, QUERY_TERMS};
use entity_stream_protocol::{EntityData, Query};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::entity::{data, data_of_text};

/// A term in one of its spellings. The names are those of [`entity`].
fn term() -> impl Strategy<Value = String> {
    let path = "(a|b|c|'a'|'\\\\u0061')(\\.(a|b|unitCode|observedAt))?( ?\\[(a|b|a\\.b|en|\\*|'\\*')\\])?";
    let value = prop_oneof![
        "-?[0-3](\\.0|e0|\\.5)?",
        "true|false|null",
        "x|y|[xy]{1,3}|\"x\"|'x'|\"\\\\u0078\"|'\"'|urn:x:1",
        "2026-01-0[1-3]|2026-01-0[1-3]T0[0-2]:00:00(Z|\\+01:00)?|0[0-2]:00:00Z?",
    ];
    let ordered = "-?[0-3](\\.5)?|x|\"y\"|2026-01-0[1-3]|01:00:00";
    let range = prop_oneof!["-?[0-3]\\.\\.[0-3]", "x ?\\.\\. ?y", "2026-01-01\\.\\.2026-01-0[1-3]"];
    let patterns = vec!["x", "\"x\"", "'x|y'", "^x", "(x|y)+$", "[xy]", r"\d", r#""\\d""#];
    let space = " ?";
    prop_oneof![
        ("!?", space, path).prop_map(|(not, space, path)| format!("{not}{space}{path}")),
        (path, space, "[!=]=", space, vec(value, 1..4)).prop_map(|(path, one, operator, other, values)| format!(
            "{path}{one}{operator}{other}{}",
            values.join(" ,")
        )),
        (path, "[!=]=", range).prop_map(|(path, operator, range)| format!("{path}{operator}{range}")),
        (path, "[<>]=?", space, ordered)
            .prop_map(|(path, operator, space, value)| format!("{path}{operator}{space}{value}")),
        (path, "!?~=", prop::sample::select(patterns))
            .prop_map(|(path, operator, pattern)| format!("{path}{operator}{pattern}")),
    ]
}

/// A query in one of its spellings.
fn query_text() -> impl Strategy<Value = String> {
    term().prop_recursive(4, 16, 3, |part| {
        prop_oneof![
            ("\\( ?", part.clone(), " ?\\)").prop_map(|(open, part, close)| format!("{open}{part}{close}")),
            (vec(part, 1..4), "[;|]").prop_map(|(parts, operator)| format!("({})", parts.join(&operator))),
        ]
    })
}

/// Any JSON, with members and texts that queries know.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-3_i32..4).prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        "[xy]{0,3}".prop_map(Value::String),
        "2026-01-0[1-3](T00:00:00Z)?|01:00:00Z".prop_map(Value::String),
        any::<String>().prop_map(Value::String),
    ];
    let member = prop::sample::select(vec![
        "a",
        "b",
        "en",
        "type",
        "value",
        "object",
        "languageMap",
        "vocab",
        "json",
        "metadata",
        "datasetId",
        "unitCode",
        "observedAt",
        "@type",
        "@value",
    ]);
    let kind = prop::sample::select(vec!["Property", "Relationship", "LanguageProperty", "GeoProperty", "Number"]);
    leaf.prop_recursive(5, 48, 6, move |part| {
        let instance = (part.clone(), hash_map(member.clone(), part.clone(), 0..3), kind.clone()).prop_map(
            |(value, members, kind)| {
                let mut instance = json!(members);
                instance["type"] = json!(kind);
                instance["value"] = value;
                instance
            },
        );
        prop_oneof![
            vec(part.clone(), 0..5).prop_map(Value::Array),
            hash_map(member.clone(), part, 0..5).prop_map(|members| json!(members)),
            instance.clone(),
            vec(instance, 1..4).prop_map(|mut instances| {
                instances[0]["datasetId"] = json!("urn:d");
                Value::Array(instances)
            }),
        ]
    })
}

fn entity() -> impl Strategy<Value = Value> {
    hash_map("[abc]", value(), 0..4).prop_map(|attributes| json!(attributes))
}

/// The number of values in a value, itself included.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => members.values().map(size).sum(),
        _ => 0,
    }
}

/// Reads any text, and checks the properties of every query.
fn check(text: &str, data: &EntityData) -> Result<(), TestCaseError> {
    match Query::parse(text) {
        Ok(query) => {
            let canonical = query.to_string();
            prop_assert!(canonical.len() <= text.len(), "{} {}", text, canonical);
            let again = Query::parse(&canonical);
            prop_assert_eq!(again.as_ref(), Ok(&query), "{} {}", text, &canonical);
            prop_assert_eq!(again.unwrap().to_string(), &canonical[..]);
            let stored = Query::from_stored(text);
            prop_assert_eq!(stored.as_ref(), Ok(&query));
            query.matches(data);
        }
        Err(error) => {
            let message = error.to_string();
            prop_assert!(message.starts_with('q') && !message.contains('\n') && message.len() < 1024, "{}", message);
            prop_assert!(error.character().is_none_or(|place| (1..=text.chars().count() + 1).contains(&place)));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_spelling_reads_and_reads_back(text in query_text(), entity in entity()) {
        prop_assume!(text.len() <= QUERY_BYTES && text.matches(['=', '<', '>']).count() <= QUERY_TERMS);
        let parsed = Query::parse(&text);
        prop_assert!(parsed.is_ok() || text.len() > 200, "{} {:?}", text, parsed);
        check(&text, &data(&entity))?;
    }

    #[test]
    fn any_text_is_read_or_refused(text: String, entity in entity()) {
        check(&text, &data(&entity))?;
    }

    #[test]
    fn any_text_of_the_alphabet_is_read_or_refused(
        text in "([a-c0-9 .;|()=!<>~,\"'\\[\\]{}%:*\\\\-]|==|~=){0,40}", entity in entity(),
    ) {
        check(&text, &data(&entity))?;
    }

    #[test]
    fn any_json_is_data(json: String, entity in value(), text in query_text()) {
        if let Ok(query) = Query::parse(&text) {
            query.matches(&data(&entity));
            if serde_json::from_str::<Value>(&json).is_ok() {
                query.matches(&data_of_text(&json));
            }
        }
    }

    #[test]
    fn operators_join_the_answers_of_their_parts(one in term(), other in term(), third in term(), entity in entity()) {
        let data = data(&entity);
        let is_true = |text: &str| Query::parse(text).unwrap().matches(&data);
        let (a, b, c) = (is_true(&one), is_true(&other), is_true(&third));
        prop_assert_eq!(is_true(&format!("{one};{other}|{third}")), a && b || c);
        prop_assert_eq!(is_true(&format!("{one}|{other};{third}")), a || b && c);
        prop_assert_eq!(is_true(&format!("({one}|{other});{third}")), (a || b) && c);
    }

    #[test]
    fn one_instance_is_equal_or_unequal(value in value(), literal in "[0-3]|x|true|null|1,x|0\\.\\.2|2026-01-01") {
        let data = data(&json!({"a": {"type": "Property", "value": value}}));
        let is_true = |operator: &str| Query::parse(&format!("a{operator}{literal}")).unwrap().matches(&data);
        prop_assert_ne!(is_true("=="), is_true("!="));
    }

    #[test]
    fn an_attribute_exists_or_is_missing(text in "(a|b)(\\.(a|b))?(\\[(a|\\*)\\])?", entity in entity()) {
        let data = data(&entity);
        let is_true = |text: &str| Query::parse(text).unwrap().matches(&data);
        prop_assert_ne!(is_true(&text), is_true(&format!("!{text}")));
        let is_unequal = is_true(&format!("{text}!=1"));
        prop_assert!(is_true(&text) || !is_unequal);
    }

    #[test]
    fn the_steps_are_bounded_by_the_attributes_that_are_read(text in query_text(), entity in entity()) {
        if let Ok(query) = Query::parse(&text) {
            let read: usize = query.attributes().into_iter().filter_map(|name| entity.get(name)).map(size).sum();
            let steps = query.steps(&data(&entity));
            prop_assert!(steps <= QUERY_TERMS * (1 + 2 * read + QUERY_REGEX_BYTES), "{} {}", steps, read);
        }
    }
}
