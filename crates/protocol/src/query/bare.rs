//! Texts that stand in a query without quotes: names, values and regular expressions.
//!
//! Invariant: the reader takes exactly the texts here, and the writer quotes all others. So both agree where a text
//! ends.

use serde::de::IgnoredAny;
use serde_json::{Number, from_str};

use super::literal::Literal;
use super::moment::Moment;

/// The operators, longer ones before those that they begin with.
pub(super) const OPERATORS: [&str; 8] = ["!~=", "==", "!=", ">=", "<=", "~=", ">", "<"];

/// The length of the name at the start of a text, in bytes.
///
/// NGSI-LD's names have letters, digits and `_`. NGSIv2 allows more; `-`, `@` and `$` collide with nothing in a query.
pub(super) fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '@' | '$'))).unwrap_or(text.len())
}

/// The length of the value at the start of a text, in bytes. A value ends before a space, before a character that has a
/// meaning in queries, before an operator, and before `..`.
pub(super) fn value_length(text: &str) -> usize {
    let ends = |(at, c): (usize, char)| {
        let rest = &text[at..];
        c.is_whitespace()
            || c.is_control()
            || matches!(c, ';' | '|' | '(' | ')' | ',' | '"' | '\'' | '[' | ']' | '{' | '}')
            // After `<`, it would be a part of the operator.
            || (at == 0 && c == '=')
            || rest.starts_with("..")
            || OPERATORS.iter().any(|operator| rest.starts_with(operator))
    };
    text.char_indices().find(|place| ends(*place)).map_or(text.len(), |(at, _)| at)
}

/// Returns true if a value is not too close to a range: with a point at an end, `a...b` would have two meanings.
pub(super) fn is_value(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('.') && !text.ends_with('.') && !is_percent_encoded(text)
}

/// The length of the regular expression at the start of a text, in bytes. It ends before `;`, `|` or `)` outside its
/// own parentheses; a backslash takes the meaning from the next character.
pub(super) fn pattern_length(text: &str) -> usize {
    let (mut depth, mut escaped, mut length) = (0_usize, false, text.len());
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' | ';' | '|' if depth == 0 => {
                length = at;
                break;
            }
            ')' => depth -= 1,
            _ => {}
        }
    }
    text[..length].trim_end().len()
}

/// Returns true if a regular expression ends where its text ends, whatever follows: outside its parentheses, and not
/// after a backslash.
pub(super) fn is_pattern(text: &str) -> bool {
    !text.is_empty() && pattern_length(&format!("{text};")) == text.len()
}

/// Returns true if a text begins with a percent-encoded byte, such as the `%22` of a quotation mark.
pub(super) fn is_percent_encoded(text: &str) -> bool {
    matches!(text.as_bytes(), [b'%', first, second, ..] if first.is_ascii_hexdigit() && second.is_ascii_hexdigit())
}

/// Reads a value without quotes. `None` if it is a number that is too large for Rust's types.
pub(super) fn literal(text: &str) -> Option<Literal> {
    let literal = match text {
        "null" => Literal::Null,
        "true" => Literal::Bool(true),
        "false" => Literal::Bool(false),
        _ if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            if let Ok(number) = from_str::<Number>(text) {
                Literal::Number(number, text.to_owned())
            } else if from_str::<IgnoredAny>(text).is_ok() {
                return None;
            } else if let Some(moment) = Moment::parse(text) {
                Literal::Moment(moment, text.to_owned())
            } else {
                Literal::Text(text.to_owned())
            }
        }
        _ => Literal::Text(text.to_owned()),
    };
    Some(literal)
}
