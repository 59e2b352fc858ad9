//! Properties of every query and every entity. `PROPTEST_CASES=200000` makes a long run of it.

use entity_stream_protocol::Query;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::forms::{CARRIERS, Carrier, Known, data};
use crate::oracle::oracle;
use crate::spelling::{Unwritten, UnwrittenLiteral, UnwrittenTest, write};
use crate::table::product;

const NAMES: [&str; 6] = ["a", "b", "温度", "a.b", "schema:x", "it's"];
const BELOW: [&str; 3] = ["s", "observedAt", "x y"];
const MEMBERS: [&str; 4] = ["m", "n", "京", "m.n"];
const NUMBERS: [&str; 12] =
    ["0", "1", "-1", "5", "5.0", "5e0", "0.1", "-0", "1E3", "9007199254740993", "18446744073709551615", "1e300"];
const MOMENTS: [&str; 12] = [
    "9999-12-31T23:59:59Z",
    "9999-12-31",
    "0000-01-01T00:00:00+01:00",
    "2026-01-02",
    "2026-01-02T00:00:00Z",
    "2026-01-02T09:00:00+09:00",
    "2026-01-02T03:04:05.678",
    "1969-12-31T23:59:59.999999999Z",
    "2024-02-29",
    "03:04:05Z",
    "05:04:05+02:00",
    "23:59:59.5",
];
const WORDS: [&str; 3] = ["true", "false", "null"];
const TEXTS: [&str; 24] = [
    "",
    "open",
    "Open",
    "a b",
    "a;b",
    "a|b",
    "(x)",
    "5",
    "true",
    "null",
    "2026-01-02",
    "2026-01-02T03:04:05.678Z",
    "03:04:05Z",
    "2025-02-29",
    "urn:ngsi-ld:A:1",
    "é京😀",
    "it's",
    "say \"x\"",
    "back\\slash",
    "a..b",
    "a,b",
    "=x",
    "%22",
    "a.b",
];
const PATTERNS: [&str; 12] =
    ["a", "^a", "b$", "[0-9]+", "(a|b)", "a;b", "^$", "", "京", "\\d\\d:", "it's", "(?i)^OPEN$"];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(&NUMBERS[..]).prop_map(|number| serde_json::from_str(number).unwrap()),
        select(&MOMENTS[..]).prop_map(Value::from),
        select(&WORDS[..]).prop_map(|word| serde_json::from_str(word).unwrap()),
        select(&TEXTS[..]).prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let object = |inner: BoxedStrategy<Value>| {
        prop::collection::vec((select(&MEMBERS[..]), inner), 0..3).prop_map(|members| {
            Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        })
    };
    let array = prop::collection::vec(scalar(), 0..4).prop_map(Value::Array);
    let inner =
        prop_oneof![scalar(), object(scalar().boxed()), prop::collection::vec(scalar(), 0..3).prop_map(Value::Array)];
    prop_oneof![5 => scalar(), 2 => array, 2 => object(inner.boxed()), 1 => Just(json!([["open"], [5]]))]
}

fn attribute() -> impl Strategy<Value = Known> {
    let single = || {
        let below = prop::option::weighted(0.3, (select(&["s", "x y"][..]), value().prop_map(Known::property)));
        let fact = prop::option::weighted(0.2, select(&MOMENTS[..]));
        (value(), 0..8_u8, below, fact).prop_map(|(value, kind, below, fact)| {
            let (is_object, is_array) = (value.is_object(), value.is_array());
            let mut known = match kind {
                0 => Known::relationship(value),
                1 => Known::vocab(value),
                2 => Known::json(value),
                3 if is_object => Known::language(value),
                4 if is_object => Known::geo(value),
                3 if is_array => Known::list(value),
                4 if is_array => Known::relationships(value),
                _ => Known::property(value),
            };
            known = below.into_iter().fold(known, |known, (name, below)| known.with(name, below));
            fact.into_iter().fold(known, |known, moment| known.fact("observedAt", moment))
        })
    };
    prop_oneof![
        6 => single(),
        1 => (single(), single()).prop_map(|(one, other)| one.and(other)),
        1 => (single(), single()).prop_map(|(one, below)| one.with("s", below)),
    ]
}

fn entity() -> impl Strategy<Value = Value> {
    let attributes = subsequence(&NAMES[..], 0..5).prop_flat_map(|names| {
        let attributes = prop::collection::vec(attribute(), names.len());
        attributes.prop_map(move |attributes| names.iter().copied().zip(attributes).collect::<Vec<_>>())
    });
    // Attributes that the form cannot carry are in the form that can.
    (attributes, select(&CARRIERS[..])).prop_map(|(attributes, carrier)| {
        data(&attributes, carrier).or_else(|| data(&attributes, Carrier::Normalized)).unwrap()
    })
}

fn literal() -> impl Strategy<Value = UnwrittenLiteral> {
    prop_oneof![
        select(&NUMBERS[..]).prop_map(|word| UnwrittenLiteral::Word(word.to_owned())),
        select(&MOMENTS[..]).prop_map(|word| UnwrittenLiteral::Word(word.to_owned())),
        select(&WORDS[..]).prop_map(|word| UnwrittenLiteral::Word(word.to_owned())),
        select(&TEXTS[..]).prop_map(|text| UnwrittenLiteral::Text(text.to_owned())),
    ]
}

/// A literal that has an order, and another of the same type.
fn ordered() -> impl Strategy<Value = (UnwrittenLiteral, UnwrittenLiteral)> {
    let pair = |words: &'static [&'static str]| {
        (select(words), select(words))
            .prop_map(|(one, other)| (UnwrittenLiteral::Word(one.to_owned()), UnwrittenLiteral::Word(other.to_owned())))
    };
    prop_oneof![
        pair(&NUMBERS),
        pair(&MOMENTS[..9]),
        pair(&MOMENTS[9..]),
        (select(&TEXTS[..]), select(&TEXTS[..])).prop_map(|(one, other)| {
            (UnwrittenLiteral::Text(one.to_owned()), UnwrittenLiteral::Text(other.to_owned()))
        }),
    ]
}

fn test() -> impl Strategy<Value = UnwrittenTest> {
    let equality = || select(&["==", "!="][..]);
    prop_oneof![
        1 => Just(UnwrittenTest::Exists),
        1 => Just(UnwrittenTest::Missing),
        4 => (equality(), prop::collection::vec(literal(), 1..4)).prop_map(|(operator, all)| UnwrittenTest::OneOf(operator, all)),
        2 => (equality(), ordered()).prop_map(|(operator, (least, most))| UnwrittenTest::Between(operator, least, most)),
        3 => (select(&["<", "<=", ">", ">="][..]), ordered()).prop_map(|(operator, (one, _))| UnwrittenTest::Ordered(operator, one)),
        2 => (select(&["~=", "!~="][..]), select(&PATTERNS[..])).prop_map(|(operator, pattern)| UnwrittenTest::Like(operator, pattern)),
    ]
}

fn query() -> impl Strategy<Value = Unwritten> {
    let names = (select(&NAMES[..]), prop::option::weighted(0.25, select(&BELOW[..])))
        .prop_map(|(name, below)| std::iter::once(name).chain(below).collect::<Vec<_>>());
    let members = prop_oneof![
        4 => Just(Vec::new()),
        1 => prop::collection::vec(select(&MEMBERS[..]), 1..3),
        1 => Just(vec!["*"]),
    ];
    let term = (names, members, test()).prop_map(|(names, members, test)| Unwritten::Term(names, members, test));
    term.prop_recursive(3, 10, 3, |inner| {
        let all = prop::collection::vec(inner, 1..4);
        (any::<bool>(), all).prop_map(|(is_any, all)| if is_any { Unwritten::Any(all) } else { Unwritten::All(all) })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_oracle_and_the_product_agree(query in query(), choices in prop::collection::vec(any::<u8>(), 0..80), data in entity()) {
        for text in [write(&query, &choices), write(&query, &[])] {
            prop_assume!(text.len() <= 1024);
            let by_oracle = oracle(&text, &data);
            prop_assert!(by_oracle.is_ok(), "the oracle stops at {by_oracle:?} in {text}");
            let parsed = Query::parse(&text);
            prop_assert!(parsed.is_ok(), "the product refuses {text}: {}", parsed.unwrap_err());
            let parsed = parsed.unwrap();
            prop_assert_eq!(by_oracle, Ok(product(&parsed, &data)), "{} with {}", text, data);
            // The product writes the same query.
            let again = Query::parse(&parsed.to_string());
            prop_assert!(again.is_ok_and(|again| product(&again, &data) == product(&parsed, &data)), "{} and {}", text, parsed);
        }
    }
}
