//! Writes a query in its canonical text: no spaces, no needless parentheses or quotes, lists in order.
//!
//! Invariant: the text reads back as the same query, and is at most as long as the text that the query was read from.

use std::fmt::{Display, Formatter, Result, Write};

use super::bare;
use super::expression::{AttributePath, Condition, Expression, MemberPath, Operand, Relation, Term};
use super::literal::Literal;
use super::value_pattern::ValuePattern;

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Any(parts) => separated(f, parts, "|", Self::fmt),
            Self::All(parts) => separated(f, parts, ";", |part, f| match part {
                Self::Any(_) => write!(f, "({part})"),
                _ => part.fmt(f),
            }),
            Self::Term(term) => term.fmt(f),
        }
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let path = &self.path;
        match &self.condition {
            Condition::Exists => path.fmt(f),
            Condition::Missing => write!(f, "!{path}"),
            Condition::Equal(operand) => write!(f, "{path}=={operand}"),
            Condition::Unequal(operand) => write!(f, "{path}!={operand}"),
            Condition::Order(relation, literal) => write!(f, "{path}{}{literal}", relation.as_str()),
            Condition::Matches(pattern) => write!(f, "{path}~={pattern}"),
            Condition::MatchesNot(pattern) => write!(f, "{path}!~={pattern}"),
        }
    }
}

impl Display for AttributePath {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write_name(&self.attribute, f)?;
        for name in &self.sub_attributes {
            f.write_char('.')?;
            write_name(name, f)?;
        }
        match &self.member {
            MemberPath::Whole => Ok(()),
            MemberPath::Each => f.write_str("[*]"),
            MemberPath::Names(names) => {
                f.write_char('[')?;
                separated(f, names, ".", |name, f| write_name(name, f))?;
                f.write_char(']')
            }
        }
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::One(literal) => literal.fmt(f),
            Self::List(literals) => separated(f, literals, ",", Literal::fmt),
            Self::Range(first, last) => write!(f, "{first}..{last}"),
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(flag) => flag.fmt(f),
            Self::Number(_, text) | Self::Moment(_, text) => f.write_str(text),
            Self::Text(text) => {
                let is_bare = bare::value_length(text) == text.len()
                    && bare::is_value(text)
                    && bare::literal(text).as_ref() == Some(self);
                if is_bare { f.write_str(text) } else { write_quoted(text, f) }
            }
        }
    }
}

impl Display for ValuePattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let text = self.as_str();
        let begins_well = !text.starts_with(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
        let is_bare = !text.is_empty()
            && begins_well
            && !bare::is_percent_encoded(text)
            && bare::pattern_length(text) == text.len();
        if is_bare { f.write_str(text) } else { write_quoted(text, f) }
    }
}

impl Relation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

fn separated<T>(
    f: &mut Formatter<'_>,
    parts: &[T],
    separator: &str,
    write: impl Fn(&T, &mut Formatter<'_>) -> Result,
) -> Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write(part, f)?;
    }
    Ok(())
}

fn write_name(name: &str, f: &mut Formatter<'_>) -> Result {
    let is_bare = !name.is_empty() && bare::name_length(name) == name.len();
    if is_bare { f.write_str(name) } else { write_in(name, '\'', f) }
}

/// Chooses the quotation mark that the text has less often.
fn write_quoted(text: &str, f: &mut Formatter<'_>) -> Result {
    let count = |mark| text.chars().filter(|c| *c == mark).count();
    write_in(text, if count('\'') < count('"') { '\'' } else { '"' }, f)
}

fn write_in(text: &str, mark: char, f: &mut Formatter<'_>) -> Result {
    f.write_char(mark)?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{c}' => f.write_str("\\f")?,
            '\0'..='\u{1f}' => write!(f, "\\u{:04x}", u32::from(c))?,
            _ if c == mark => write!(f, "\\{c}")?,
            _ => f.write_char(c)?,
        }
    }
    f.write_char(mark)
}
