//! Values in a query, and their comparison with values of an entity.
//!
//! Invariant: `literal.compare(value)` is an order among the values of one kind, and `None` for all other values. The
//! order of [`Literal::order`] agrees with it, so a sorted list of literals can be searched for a value.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::moment::Moment;

/// A value in a query. Numbers and times keep the spelling of the client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Number(Number, String),
    Moment(Moment, String),
    Text(String),
}

/// The compared part of a literal or of an entity's value.
enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(&'a Number),
    Moment(Moment),
    Text(&'a str),
}

impl Literal {
    /// The order of an entity's value relative to this literal. `None` if the value has another type.
    pub(super) fn compare(&self, value: &Value) -> Option<Ordering> {
        let literal = self.scalar();
        let value = match self {
            Self::Moment(..) => Scalar::moment_of(value),
            _ => Scalar::of(value),
        }?;
        (value.kind() == literal.kind()).then(|| value.cmp(&literal))
    }

    /// Returns true if an entity's value equals this literal.
    pub(super) fn equals(&self, value: &Value) -> bool {
        match (self, value) {
            // Texts of different lengths differ. It takes no look at them to find out.
            (Self::Text(literal), Value::String(text)) => literal == text,
            (Self::Number(literal, _), Value::Number(number)) => compare_numbers(number, literal).is_eq(),
            _ => self.compare(value) == Some(Ordering::Equal),
        }
    }

    /// Returns false for `true`, `false` and `null`, which are equal to a value or not.
    pub(super) fn has_order(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(_))
    }

    /// True if the literals have one type.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.scalar().kind() == other.scalar().kind()
    }

    /// The order by type and value.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.scalar().cmp(&other.scalar())
    }

    /// Returns true if a list, sorted by [`Literal::order`], has a literal that equals this value.
    pub(super) fn any_equals(sorted: &[Self], value: &Value) -> bool {
        let has = |scalar: Scalar<'_>| sorted.binary_search_by(|literal| literal.scalar().cmp(&scalar)).is_ok();
        Scalar::of(value).is_some_and(has) || Scalar::moment_of(value).is_some_and(has)
    }

    fn scalar(&self) -> Scalar<'_> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(flag) => Scalar::Bool(*flag),
            Self::Number(number, _) => Scalar::Number(number),
            Self::Moment(moment, _) => Scalar::Moment(*moment),
            Self::Text(text) => Scalar::Text(text),
        }
    }
}

impl<'a> Scalar<'a> {
    /// A value as it is: a string is a text, even if it holds a time.
    fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Bool(flag) => Some(Self::Bool(*flag)),
            Value::Number(number) => Some(Self::Number(number)),
            Value::String(text) => Some(Self::Text(text)),
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn moment_of(value: &Value) -> Option<Self> {
        value.as_str().and_then(Moment::parse).map(Self::Moment)
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::Moment(Moment::Instant(_)) => 3,
            Self::Moment(Moment::TimeOfDay(_)) => 4,
            Self::Text(_) => 5,
        }
    }

    fn cmp(&self, other: &Scalar<'_>) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Scalar::Bool(other)) => one.cmp(other),
            (Self::Number(one), Scalar::Number(other)) => compare_numbers(one, other),
            (Self::Moment(Moment::Instant(one)), Scalar::Moment(Moment::Instant(other))) => one.cmp(other),
            (Self::Moment(Moment::TimeOfDay(one)), Scalar::Moment(Moment::TimeOfDay(other))) => one.cmp(other),
            (Self::Text(one), Scalar::Text(other)) => one.cmp(other),
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

/// Compares the exact values, whether they are integers or floats.
fn compare_numbers(one: &Number, other: &Number) -> Ordering {
    if let (Some(one), Some(other)) = (one.as_i64(), other.as_i64()) {
        return one.cmp(&other);
    }
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one.cmp(&other),
        (Some(one), None) => compare_with_float(one, float(other)),
        (None, Some(other)) => compare_with_float(other, float(one)).reverse(),
        (None, None) => float(one).partial_cmp(&float(other)).unwrap_or(Ordering::Equal),
    }
}

/// Without serde_json's arbitrary precision, every number is an integer of 64 bits or a finite float.
fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or_default()
}

/// The conversion stops at the ends of `i128`, which are beyond every integer of JSON here.
fn compare_with_float(integer: i128, float: f64) -> Ordering {
    let whole = float.floor();
    let fraction_is_less = if float > whole { Ordering::Less } else { Ordering::Equal };
    integer.cmp(&(whole as i128)).then(fraction_is_less)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_compare_by_their_exact_value() {
        for (less, more) in [
            ("9007199254740992", "9007199254740993"),
            ("9007199254740992.0", "9007199254740993"),
            ("18446744073709551615", "18446744073709551616"),
            ("-1.5", "-1"),
            ("-2", "-1.5"),
            ("1", "1.5"),
            ("1e308", "1.1e308"),
            ("-1e308", "0"),
        ] {
            assert_eq!(compare_numbers(&number(less), &number(more)), Ordering::Less, "{less} {more}");
            assert_eq!(compare_numbers(&number(more), &number(less)), Ordering::Greater, "{less} {more}");
        }
        for equal in ["1.0", "1e0", "10e-1", "0.1e1"] {
            assert_eq!(compare_numbers(&number("1"), &number(equal)), Ordering::Equal, "{equal}");
        }
        assert_eq!(compare_numbers(&number("-0.0"), &number("0")), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn integers_and_floats_have_one_order(one in any::<i32>(), other in any::<i32>()) {
            let exact = compare_numbers(&number(&one.to_string()), &number(&other.to_string()));
            let mixed = compare_numbers(&number(&one.to_string()), &number(&format!("{other}.0")));
            prop_assert_eq!((exact, mixed), (one.cmp(&other), one.cmp(&other)));
        }

        #[test]
        fn a_sorted_list_is_searched_as_each_literal_is_compared(
            numbers: Vec<i8>, texts in prop::collection::vec("[ab]?", 0..4), sought in -3_i8..3,
        ) {
            let mut list: Vec<_> = numbers.iter().map(|number| Literal::Number((*number).into(), number.to_string()))
                .chain(texts.into_iter().map(Literal::Text))
                .chain([Literal::Bool(true), Literal::Moment(Moment::parse("2026-01-02").unwrap(), String::new())])
                .collect();
            list.sort_by(Literal::order);
            let values = json!([sought, "a", "", true, false, null, "2026-01-02T00:00:00Z", []]);
            for value in values.as_array().unwrap() {
                let expected = list.iter().any(|literal| literal.equals(value));
                prop_assert_eq!(Literal::any_equals(&list, value), expected, "{}", value);
            }
        }
    }
}
