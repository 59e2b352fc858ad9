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
        let is_bare = begins_well && !bare::is_percent_encoded(text) && bare::is_pattern(text);
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::moment::Moment;
    use super::super::parse::parse;
    use super::*;

    /// Texts of every kind, and those that look like something else.
    fn text() -> impl Strategy<Value = String> {
        let alike = "true|false|null|-?[0-9]{1,3}|2026-01-0[1-9]|12:00:00Z|%22|[.a]{0,4}|[ '\"\\\\;|(),=~!a]{0,5}";
        prop_oneof![any::<String>(), "\\PC{0,8}", "[a-z]{1,8}", alike]
    }

    fn literal() -> impl Strategy<Value = Literal> {
        prop_oneof![
            Just(Literal::Null),
            any::<bool>().prop_map(Literal::Bool),
            (any::<f64>().prop_map(|float| float.to_string()), any::<i64>().prop_map(|integer| integer.to_string()))
                .prop_flat_map(|(float, integer)| prop_oneof![Just(float), Just(integer)])
                .prop_filter_map("it is no number of JSON", |text| {
                    Some(Literal::Number(serde_json::from_str(&text).ok()?, text))
                }),
            "20[0-9]{2}-0[1-9]-1[0-9](T0[0-9]:00:00(\\.[0-9]{1,9})?(Z|[+-]09:00)?)?|1[0-9]:00:00Z?"
                .prop_map(|text| Literal::Moment(Moment::parse(&text).unwrap(), text)),
            text().prop_map(Literal::Text),
        ]
    }

    fn operand() -> impl Strategy<Value = Operand> {
        let range = (literal(), literal())
            .prop_filter("it is no range", |(first, last)| first.has_order() && first.is_like(last))
            .prop_map(|(first, last)| Operand::Range(first, last));
        prop_oneof![
            3 => literal().prop_map(Operand::One),
            2 => vec(literal(), 1..5).prop_map(Operand::any_of),
            1 => range,
        ]
    }

    fn condition() -> impl Strategy<Value = Condition> {
        let relation = prop::sample::select(vec![
            Relation::Less,
            Relation::LessOrEqual,
            Relation::Greater,
            Relation::GreaterOrEqual,
        ]);
        let ordered = literal().prop_filter("it has no order", Literal::has_order);
        prop_oneof![
            Just(Condition::Exists),
            Just(Condition::Missing),
            operand().prop_map(Condition::Equal),
            operand().prop_map(Condition::Unequal),
            (relation, ordered).prop_map(|(relation, literal)| Condition::Order(relation, literal)),
            text().prop_map(|text| Condition::Matches(ValuePattern::new(text))),
            text().prop_map(|text| Condition::MatchesNot(ValuePattern::new(text))),
        ]
    }

    fn expression() -> impl Strategy<Value = Expression> {
        let member = prop_oneof![
            3 => Just(MemberPath::Whole),
            1 => Just(MemberPath::Each),
            1 => vec(text(), 1..3).prop_map(MemberPath::Names),
        ];
        let path = (text(), vec(text(), 0..3), member).prop_map(|(attribute, sub_attributes, member)| AttributePath {
            attribute,
            sub_attributes,
            member,
        });
        let term = (path, condition()).prop_map(|(path, condition)| Expression::Term(Term { path, condition }));
        term.prop_recursive(6, 12, 4, |part| {
            prop_oneof![vec(part.clone(), 1..4).prop_map(Expression::all), vec(part, 1..4).prop_map(Expression::any)]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn the_text_reads_back_as_the_same_tree(tree in expression()) {
            let text = tree.to_string();
            prop_assume!(text.len() <= crate::limits::QUERY_BYTES);
            prop_assert_eq!(parse(&text, None), Ok(tree), "{}", text);
        }
    }
}
