//! The cost of an evaluation, in steps.

use entity_stream_protocol::limits::{QUERY_BYTES, QUERY_REGEX_BYTES, QUERY_TERMS, QUERY_VALUES};
use serde_json::{Value, json};

use crate::entity::{data, query};

/// The steps of a query that reads the attribute `a`.
fn steps(text: &str, attribute: &Value) -> usize {
    let entity = json!({"a": attribute, "b": vec![0; 100_000]});
    query(text).steps(&data(&entity))
}

#[test]
fn a_comparison_reads_its_attribute_only() {
    assert_eq!(steps("a==1", &json!(1)), steps("a==1", &json!({"type": "Property", "value": 1})));
    assert!(steps("a>1", &json!(1)) < 5);
    assert!(steps("a.b[c]~=x", &json!(1)) < 5);
    // Neither the length of a text nor the members beside the one that is named count.
    assert!(steps("a==x", &json!("x".repeat(100_000))) < 5);
    assert!(steps("a[b]==x", &json!({"b": 1, "c": vec![0; 100_000]})) < 5);
}

#[test]
fn a_list_costs_no_more_than_one_value() {
    let items = json!((10_000..10_990).collect::<Vec<_>>());
    let values: Vec<_> = (0..203).map(|value| (10_000 + value).to_string().split_off(1)).collect();
    let list = format!("a=={}", values.join(","));
    assert!((1_000..=QUERY_BYTES).contains(&list.len()), "{}", list.len());
    assert_eq!(steps(&list, &items), steps("a==x", &items));
    assert!(steps("a==x", &items) < 1_000);
}

#[test]
fn the_cost_grows_in_proportion_to_the_attribute() {
    let instances = |count: usize| {
        json!(
            (0..count)
                .map(|index| json!({"value": [index, index], "datasetId": index.to_string()}))
                .collect::<Vec<_>>()
        )
    };
    let members = |count: usize| {
        json!((0..count).map(|index| (index.to_string(), json!("y"))).collect::<serde_json::Map<_, _>>())
    };
    let terms = vec!["a==x"; QUERY_TERMS].join("|");
    for (text, attribute) in
        [("a==x", &instances as &dyn Fn(usize) -> Value), ("a[*]==x", &members), (&terms, &instances)]
    {
        let (one, ten) = (steps(text, &attribute(20)), steps(text, &attribute(200)));
        assert!(ten > 9 * one && ten <= 10 * one, "{text}: {one} {ten}");
    }
}

#[test]
fn regular_expressions_read_a_bounded_length() {
    let texts = |count: usize, length: usize| {
        json!((0..count).map(|index| (index.to_string(), json!("y".repeat(length)))).collect::<serde_json::Map<_, _>>())
    };
    for attribute in [texts(1, 1024), texts(1, 100_000), texts(1_000, 10), texts(100_000, 0), texts(4, 1_000)] {
        let visited = attribute.as_object().map_or(0, serde_json::Map::len);
        let steps = steps("a[*]~=x", &attribute);
        assert!(steps <= QUERY_REGEX_BYTES + visited + 5, "{steps}");
    }
}

#[test]
fn a_term_that_would_visit_too_many_values_is_false() {
    let array = |count: usize| json!(vec![7; count]);
    let members =
        |count: usize| json!((0..count).map(|i| (i.to_string(), json!(7))).collect::<serde_json::Map<_, _>>());
    let matches = |text: &str, attribute: &Value| query(text).matches(&data(&json!({ "a": attribute })));
    // The attribute and its value count too.
    let most = QUERY_VALUES - 2;
    assert!(matches("a!=8", &array(most)) && !matches("a!=8", &array(most + 1)));
    assert!(matches("a==7", &array(100_000)), "the first value is enough");
    assert!(!matches("a==8", &array(100_000)) && !matches("a!=8", &array(100_000)) && matches("a", &array(100_000)));
    assert!(!matches("a[*]==8", &members(100_000)) && !matches("a[*]>8|a[*]<7", &members(100_000)));
    let terms = vec!["a!=8"; QUERY_TERMS].join("|");
    assert!(steps(&terms, &array(100_000)) <= QUERY_TERMS * (QUERY_VALUES + 10));
}
