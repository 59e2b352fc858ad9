//! Evaluates queries on the attributes of one event.
//!
//! Invariant: a term visits at most [`QUERY_VALUES`] values, and reads at most [`QUERY_REGEX_BYTES`] of text with a regular
//! expression, however large the event is. A term that would need more is false. A comparison with a list is one step,
//! because the list is sorted.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::expression::{AttributePath, Condition, Expression, MemberPath, Operand, Relation, Term};
use super::literal::Literal;
use super::value_pattern::ValuePattern;
use crate::entity_data::{EntityData, instances, language_map, sub_attribute, value_of};
use crate::limits::{QUERY_REGEX_BYTES, QUERY_VALUES};

/// One evaluation of one query.
pub(super) struct Evaluation<'a> {
    data: &'a EntityData,
    /// The values that were visited, and the bytes that regular expressions read.
    pub(super) steps: usize,
    /// The values that the present term has visited.
    visited: usize,
    /// The bytes that the present term may still read with a regular expression.
    readable: usize,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(data: &'a EntityData) -> Self {
        Self { data, steps: 0, visited: 0, readable: 0 }
    }

    pub(super) fn is_true(&mut self, expression: &Expression) -> bool {
        match expression {
            Expression::All(parts) => parts.iter().all(|part| self.is_true(part)),
            Expression::Any(parts) => parts.iter().any(|part| self.is_true(part)),
            Expression::Term(term) => self.holds(term),
        }
    }

    fn holds(&mut self, term: &Term) -> bool {
        self.steps += 1;
        self.visited = 0;
        self.readable = QUERY_REGEX_BYTES;
        let attribute = self.data.attribute(&term.path.attribute);
        let found = attribute.is_some_and(|attribute| {
            self.any_instance(attribute, &term.path.sub_attributes, &term.path, &term.condition)
        });
        self.visited <= QUERY_VALUES && found != (term.condition == Condition::Missing)
    }

    /// Returns whether the term may visit one more value.
    fn visit(&mut self) -> bool {
        self.steps += 1;
        self.visited += 1;
        self.visited <= QUERY_VALUES
    }

    /// Returns true if the condition holds for one instance of an attribute, or of the sub-attribute with these names.
    fn any_instance(
        &mut self,
        attribute: &Value,
        names: &[String],
        path: &AttributePath,
        condition: &Condition,
    ) -> bool {
        for instance in instances(attribute) {
            let holds = self.visit()
                && match names.split_first() {
                    Some((name, rest)) => sub_attribute(instance, name)
                        .is_some_and(|sub_attribute| self.any_instance(sub_attribute, rest, path, condition)),
                    None => self.meets_at(instance, &path.member, condition),
                };
            if holds || self.visited > QUERY_VALUES {
                return holds;
            }
        }
        false
    }

    /// Returns true if the condition holds for the place in an instance. A comparison with a `LanguageProperty` is one with
    /// its texts in all languages.
    fn meets_at(&mut self, instance: &Value, path: &MemberPath, condition: &Condition) -> bool {
        let value = typed_value(value_of(instance));
        match path {
            MemberPath::Whole => match language_map(instance).filter(|_| condition.compares()) {
                Some(texts) => self.meets_each(texts, condition),
                None => self.meets(value, condition),
            },
            MemberPath::Each => value.as_object().is_some_and(|members| self.meets_each(members, condition)),
            MemberPath::Names(names) => {
                let member = names.iter().try_fold(value, |value, name| value.as_object()?.get(name));
                member.is_some_and(|member| self.meets(member, condition))
            }
        }
    }

    /// Returns true if one of the members meets a condition, or all of them one that begins with `!`: `a[*]!=x` is false if a
    /// member is `x`.
    fn meets_each(&mut self, members: &Map<String, Value>, condition: &Condition) -> bool {
        let mut values = members.values().take(QUERY_VALUES + 1);
        match condition {
            Condition::Unequal(_) | Condition::MatchesNot(_) => {
                !members.is_empty() && values.all(|member| self.meets(member, condition))
            }
            _ => values.any(|member| self.meets(member, condition)),
        }
    }

    /// Returns true if a value that exists meets a condition. [`Evaluation::holds`] turns [`Condition::Missing`] round.
    fn meets(&mut self, value: &Value, condition: &Condition) -> bool {
        if !self.visit() {
            return false;
        }
        let value = typed_value(value);
        match condition {
            Condition::Exists | Condition::Missing => true,
            Condition::Equal(operand) => self.includes(value, operand),
            Condition::Unequal(operand) => !self.includes(value, operand),
            Condition::Order(relation, literal) => literal.compare(value).is_some_and(|order| relation.holds(order)),
            Condition::Matches(pattern) => self.matches(value, pattern) == Some(true),
            Condition::MatchesNot(pattern) => self.matches(value, pattern) == Some(false),
        }
    }

    fn includes(&mut self, value: &Value, operand: &Operand) -> bool {
        match value {
            Value::Array(items) => {
                let mut items = items.iter().take(QUERY_VALUES + 1);
                items.any(|item| self.visit() && operand.equals(list_item(item)))
            }
            value => operand.equals(value),
        }
    }

    /// `None` if the value is not a string, or is longer than the term may read.
    fn matches(&mut self, value: &Value, pattern: &ValuePattern) -> Option<bool> {
        let text = value.as_str()?;
        // An empty text counts too, because each match has a cost of its own.
        let cost = text.len().max(1);
        self.readable = self.readable.checked_sub(cost)?;
        self.steps += cost;
        pattern.matches(text)
    }
}

impl Condition {
    /// Returns false if the condition only asks whether the attribute exists.
    fn compares(&self) -> bool {
        !matches!(self, Self::Exists | Self::Missing)
    }
}

impl Operand {
    fn equals(&self, value: &Value) -> bool {
        match self {
            Self::One(literal) => literal.equals(value),
            Self::List(literals) => Literal::any_equals(literals, value),
            Self::Range(first, last) => {
                first.compare(value).is_some_and(Ordering::is_ge) && last.compare(value).is_some_and(Ordering::is_le)
            }
        }
    }
}

impl Relation {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// The value of a JSON-LD typed value, such as `{"@type":"DateTime","@value":"2026-01-02T03:04:05Z"}`.
fn typed_value(value: &Value) -> &Value {
    match value {
        Value::Object(members) if members.contains_key("@type") => members.get("@value").unwrap_or(value),
        _ => value,
    }
}

/// The value of an item of an array. A `ListRelationship` has items such as `{"object":"urn:a"}`.
fn list_item(item: &Value) -> &Value {
    match item {
        Value::Object(members) if members.len() == 1 => members.get("object").unwrap_or(item),
        item => typed_value(item),
    }
}
