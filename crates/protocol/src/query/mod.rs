//! `q`: the query language of NGSI-LD, evaluated on the attributes of one event.
//!
//! The text is read once into a tree of conditions. The tree is written back as the canonical text, and evaluated on
//! the [`EntityData`] of each event.

mod bare;
mod cursor;
mod evaluate;
mod expression;
mod invalid_query;
mod literal;
mod moment;
mod parse;
mod value_pattern;
mod write;

use std::collections::BTreeSet;
use std::fmt;

use self::evaluate::Evaluation;
use self::expression::{Condition, Expression};
pub use self::invalid_query::{InvalidQuery, QueryFault};
use crate::entity_data::EntityData;
use crate::pattern::PatternBudget;

/// A query on the values of an entity's attributes, in the language of ETSI GS CIM 009 V1.9.1, clause 4.9.
///
/// - `;` is "and" and binds before `|`, which is "or". Parentheses nest up to 8 levels. A query has at most 32 terms
///   and 1,024 bytes. Spaces between the parts have no meaning.
/// - A term is `attribute`, which exists, `!attribute`, which does not exist, or a comparison with `==`, `!=`, `>`,
///   `>=`, `<`, `<=`, `~=` or `!~=`. `==` and `!=` also take a list `a,b` or a range `a..b`, both ends included.
/// - An attribute is a name, with sub-attributes or metadata after points, and a path into the value in brackets:
///   `address[city]`, `color[en]`, and `color[*]` for any member. Other names than letters, digits, `_`, `-`, `@` and
///   `$` stand in apostrophes: `'a.b'`. Names are compared literally: there is no `@context` to expand them.
/// - A value is a JSON number, `true`, `false`, `null`, a date or a time, or a string. Strings need quotation marks or
///   apostrophes only if they look like one of the others or have characters with a meaning in queries.
/// - If an attribute is missing, every comparison is false, `!=` included. If a value has another type, every
///   comparison but `!=` is false. An array equals a value that it includes, and has no order. A term is true if it is
///   true for one instance of an attribute with several.
/// - With `[*]`, `!=` and `!~=` have to be true for each member, all other comparisons for one. A `LanguageProperty`
///   without a language is compared as with `[*]`.
/// - Dates and times compare as instants. A date is its midnight; without an offset, a time is in UTC. A quoted date is
///   a string.
/// - Strings compare by code points.
/// - A regular expression has the syntax of the `regex` crate and matches anywhere. It stands in quotes, with JSON's
///   escapes, or bare up to `;`, `|` or `)` outside its own parentheses. It reads at most 1,024 bytes of a value, or of
///   all instances together; for longer values, `~=` and `!~=` are false. All regular expressions of a query together
///   cost at most as much as an `idPattern`.
/// - A term visits at most 1,000 instances, elements and members of an attribute. If it would need more, it is false.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    expression: Expression,
}

impl Query {
    /// Reads a query, and checks the cost of its regular expressions.
    ///
    /// # Errors
    /// [`InvalidQuery`] names the fault and its place.
    pub fn parse(text: &str) -> Result<Self, InvalidQuery> {
        parse::parse(text, Some(PatternBudget::default())).map(|expression| Self { expression })
    }

    /// Reads a stored query, whose regular expressions were checked when it was stored. They are not compiled again.
    ///
    /// # Errors
    /// [`InvalidQuery`] if the text is not a query, which only the text of another version can be.
    pub fn from_stored(text: &str) -> Result<Self, InvalidQuery> {
        parse::parse(text, None).map(|expression| Self { expression })
    }

    /// Returns true if the query is true for these attributes.
    pub fn matches(&self, data: &EntityData) -> bool {
        Evaluation::new(data).is_true(&self.expression)
    }

    /// The steps of [`Query::matches`]: the values that it visits, and the bytes that regular expressions read. They
    /// bound its time.
    pub fn steps(&self, data: &EntityData) -> usize {
        let mut evaluation = Evaluation::new(data);
        evaluation.is_true(&self.expression);
        evaluation.steps
    }

    /// The memory of the compiled regular expressions, in bytes. Each is compiled for its first value.
    pub fn pattern_memory(&self) -> usize {
        let mut memory = 0;
        self.expression.each_term(&mut |term| match &term.condition {
            Condition::Matches(pattern) | Condition::MatchesNot(pattern) => memory += pattern.memory(),
            Condition::Exists
            | Condition::Missing
            | Condition::Equal(_)
            | Condition::Unequal(_)
            | Condition::Order(..) => {}
        });
        memory
    }

    /// The names of the attributes that the query reads, without sub-attributes.
    pub fn attributes(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.expression.each_term(&mut |term| {
            names.insert(term.path.attribute.as_str());
        });
        names
    }
}

/// The canonical text. It reads back as the same query, and is at most as long as the text that the query was read
/// from.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}
