//! Evaluates a query.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::attribute_reading::{Target, targets};
use crate::instants;
use crate::syntax::{OracleEntry, OracleLiteral, OraclePath, OracleQuery, read};

/// True if `data` matches the query. The error is the place at which the query cannot be read.
pub(crate) fn oracle(text: &str, data: &Value) -> Result<bool, usize> {
    Ok(holds(&read(text)?, data))
}

fn holds(query: &OracleQuery, data: &Value) -> bool {
    let found = |path: &OraclePath| targets(data, &path.names, &path.members);
    match query {
        OracleQuery::Any(all) => all.iter().any(|each| holds(each, data)),
        OracleQuery::All(all) => all.iter().all(|each| holds(each, data)),
        OracleQuery::Exists(path) => exists(path, data),
        OracleQuery::Missing(path) => !exists(path, data),
        OracleQuery::OneOf(path, is_positive, entries) => meets(&found(path), *is_positive, |value| {
            entries.iter().any(|entry| is_entry(value, entry)) == *is_positive
        }),
        OracleQuery::Ordered(path, operator, literal) => {
            meets(&found(path), true, |value| match (order(value, literal), operator.as_str()) {
                (Some(order), ">") => order.is_gt(),
                (Some(order), ">=") => order.is_ge(),
                (Some(order), "<") => order.is_lt(),
                (Some(order), _) => order.is_le(),
                (None, _) => false,
            })
        }
        OracleQuery::Like(path, is_positive, pattern) => {
            let pattern = regex::Regex::new(pattern).unwrap();
            meets(&found(path), *is_positive, |value| {
                value.as_str().is_some_and(|text| pattern.is_match(text) == *is_positive)
            })
        }
    }
}

/// A `LanguageProperty` without texts exists; `[*]` of an object without members does not.
fn exists(path: &OraclePath, data: &Value) -> bool {
    targets(data, &path.names, &path.members).iter().any(|target| match target {
        Target::One(_) => true,
        Target::Each(values) => !values.is_empty() || path.members.is_empty(),
    })
}

/// One instance has to meet the condition. One of several members has to, or all if the operator begins with `!`.
fn meets(found: &[Target], is_positive: bool, condition: impl Fn(&Value) -> bool) -> bool {
    found.iter().any(|target| match target {
        Target::One(value) => condition(value),
        Target::Each(values) if is_positive => values.iter().any(&condition),
        Target::Each(values) => !values.is_empty() && values.iter().all(&condition),
    })
}

/// An array has the value if one of its entries is it.
fn is_entry(value: &Value, entry: &OracleEntry) -> bool {
    let candidates = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    candidates.iter().any(|candidate| match entry {
        OracleEntry::Single(literal) => order(candidate, literal) == Some(Ordering::Equal),
        OracleEntry::Between(least, most) => {
            order(candidate, least).is_some_and(Ordering::is_ge) && order(candidate, most).is_some_and(Ordering::is_le)
        }
    })
}

/// How a value compares with a literal. `None`: they have different types.
fn order(value: &Value, literal: &OracleLiteral) -> Option<Ordering> {
    match (value, literal) {
        (Value::Null, OracleLiteral::Null) => Some(Ordering::Equal),
        (Value::Bool(value), OracleLiteral::Boolean(literal)) => (value == literal).then_some(Ordering::Equal),
        (Value::Number(value), OracleLiteral::Number(literal)) => order_of_numbers(value, literal),
        (Value::String(value), OracleLiteral::Text(literal)) => Some(value.chars().cmp(literal.chars())),
        (Value::String(value), OracleLiteral::DateTime(literal)) => Some(instants::date_time(value)?.cmp(literal)),
        (Value::String(value), OracleLiteral::TimeOfDay(literal)) => Some(instants::time_of_day(value)?.cmp(literal)),
        _ => None,
    }
}

fn order_of_numbers(one: &Number, other: &Number) -> Option<Ordering> {
    let integer = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (integer(one), integer(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}
