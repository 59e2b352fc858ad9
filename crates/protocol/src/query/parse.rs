//! Reads a query.
//!
//! Invariant: each function takes its part of the text, or fails at the place where the part ends. Only parentheses
//! recurse, and their depth is limited; so is the length of the text. `;` binds before `|`.
//!
//! Source: ETSI GS CIM 009 V1.9.1, clause 4.9, whose grammar lacks the nested parentheses of its own example 6. From
//! NGSIv2 come `!attribute`, strings without quotes, and quoted names.

use super::bare;
use super::cursor::Cursor;
use super::expression::{AttributePath, Condition, Expression, MemberPath, Operand, Relation, Term};
use super::invalid_query::{InvalidQuery, QueryFault};
use super::literal::Literal;
use super::value_pattern::ValuePattern;
use crate::limits::{QUERY_BYTES, QUERY_DEPTH, QUERY_TERMS};
use crate::pattern::PatternBudget;

/// Reads a query. With a budget, its regular expressions are checked.
pub(super) fn parse(text: &str, patterns: Option<PatternBudget>) -> Result<Expression, InvalidQuery> {
    if text.len() > QUERY_BYTES {
        return Err(InvalidQuery::whole(QueryFault::TooLong));
    }
    if text.trim().is_empty() {
        return Err(InvalidQuery::whole(QueryFault::Empty));
    }
    let mut parser = Parser { cursor: Cursor::new(text), terms: 0, depth: 0, patterns };
    let expression = parser.any()?;
    match parser.cursor.skip_spaces().chars().next() {
        None => Ok(expression),
        Some(')') => Err(parser.cursor.fault(QueryFault::UnopenedParenthesis)),
        Some(_) => Err(parser.cursor.fault(QueryFault::Unexpected)),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    terms: usize,
    depth: usize,
    patterns: Option<PatternBudget>,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Expression, InvalidQuery> {
        let mut parts = vec![self.all()?];
        while self.cursor.takes("|") {
            parts.push(self.all()?);
        }
        Ok(Expression::any(parts))
    }

    fn all(&mut self) -> Result<Expression, InvalidQuery> {
        let mut parts = vec![self.part()?];
        while self.cursor.takes(";") {
            parts.push(self.part()?);
        }
        Ok(Expression::all(parts))
    }

    /// A term, or a query in parentheses.
    fn part(&mut self) -> Result<Expression, InvalidQuery> {
        self.cursor.skip_spaces();
        let start = self.cursor.at();
        if !self.cursor.takes("(") {
            return Ok(Expression::Term(self.term()?));
        }
        if self.depth == QUERY_DEPTH {
            return Err(self.cursor.fault_at(QueryFault::TooDeep, start));
        }
        self.depth += 1;
        let expression = self.any()?;
        self.depth -= 1;
        if self.cursor.takes(")") {
            return Ok(expression);
        }
        let at_end = self.cursor.rest().is_empty();
        Err(if at_end {
            self.cursor.fault_at(QueryFault::UnclosedParenthesis, start)
        } else {
            self.cursor.fault(QueryFault::Unexpected)
        })
    }

    fn term(&mut self) -> Result<Term, InvalidQuery> {
        if self.terms == QUERY_TERMS {
            return Err(self.cursor.fault(QueryFault::TooManyTerms));
        }
        self.terms += 1;
        if self.cursor.takes("!") {
            return Ok(Term { path: self.path()?, condition: Condition::Missing });
        }
        Ok(Term { path: self.path()?, condition: self.condition()? })
    }

    fn path(&mut self) -> Result<AttributePath, InvalidQuery> {
        let attribute = self.name()?;
        let sub_attributes = self.names_after_points()?;
        let member = self.member()?;
        let rest = self.cursor.skip_spaces();
        let fault = match rest.chars().next() {
            Some('{') => Some(QueryFault::LinkedEntity),
            Some(':') => Some(QueryFault::Colon),
            Some('=') if !rest.starts_with("==") => Some(QueryFault::SingleEqual),
            Some('%') if bare::is_percent_encoded(rest) => Some(QueryFault::PercentEncoded),
            _ => None,
        };
        match fault {
            Some(fault) => Err(self.cursor.fault(fault)),
            None => Ok(AttributePath { attribute, sub_attributes, member }),
        }
    }

    fn names_after_points(&mut self) -> Result<Vec<String>, InvalidQuery> {
        let mut names = Vec::new();
        while self.cursor.takes(".") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    fn name(&mut self) -> Result<String, InvalidQuery> {
        let rest = self.cursor.skip_spaces();
        if let Some(name) = self.cursor.quoted(&['\''])? {
            return Ok(name);
        }
        match bare::name_length(rest) {
            0 if bare::is_percent_encoded(rest) => Err(self.cursor.fault(QueryFault::PercentEncoded)),
            0 => Err(self.cursor.fault(QueryFault::NameExpected)),
            length => Ok(self.cursor.take(length).to_owned()),
        }
    }

    fn member(&mut self) -> Result<MemberPath, InvalidQuery> {
        if !self.cursor.takes("[") {
            return Ok(MemberPath::Whole);
        }
        let path = if self.cursor.takes("*") {
            MemberPath::Each
        } else {
            let mut names = vec![self.name()?];
            names.extend(self.names_after_points()?);
            MemberPath::Names(names)
        };
        if self.cursor.takes("]") { Ok(path) } else { Err(self.cursor.fault(QueryFault::UnclosedBracket)) }
    }

    fn condition(&mut self) -> Result<Condition, InvalidQuery> {
        let rest = self.cursor.skip_spaces();
        let Some(operator) = bare::OPERATORS.into_iter().find(|operator| rest.starts_with(operator)) else {
            return Ok(Condition::Exists);
        };
        self.cursor.take(operator.len());
        match operator {
            "==" => Ok(Condition::Equal(self.operand()?)),
            "!=" => Ok(Condition::Unequal(self.operand()?)),
            "~=" => Ok(Condition::Matches(self.pattern()?)),
            "!~=" => Ok(Condition::MatchesNot(self.pattern()?)),
            ">" => self.order(Relation::Greater),
            ">=" => self.order(Relation::GreaterOrEqual),
            "<" => self.order(Relation::Less),
            _ => self.order(Relation::LessOrEqual),
        }
    }

    fn order(&mut self, relation: Relation) -> Result<Condition, InvalidQuery> {
        self.cursor.skip_spaces();
        let start = self.cursor.at();
        let literal = self.literal()?;
        if !literal.has_order() {
            return Err(self.cursor.fault_at(QueryFault::Unordered, start));
        }
        let rest = self.cursor.skip_spaces();
        if rest.starts_with(',') || rest.starts_with("..") {
            return Err(self.cursor.fault(QueryFault::SeveralValues));
        }
        Ok(Condition::Order(relation, literal))
    }

    /// A value, a range or a list.
    fn operand(&mut self) -> Result<Operand, InvalidQuery> {
        self.cursor.skip_spaces();
        let start = self.cursor.at();
        let first = self.literal()?;
        if self.cursor.takes("..") {
            let last = self.literal()?;
            if !(first.has_order() && first.is_like(&last)) {
                return Err(self.cursor.fault_at(QueryFault::MixedRange, start));
            }
            if self.cursor.skip_spaces().starts_with(',') {
                return Err(self.cursor.fault_at(QueryFault::RangeInList, start));
            }
            return Ok(Operand::Range(first, last));
        }
        let mut literals = vec![first];
        while self.cursor.takes(",") {
            literals.push(self.literal()?);
            if self.cursor.skip_spaces().starts_with("..") {
                return Err(self.cursor.fault(QueryFault::RangeInList));
            }
        }
        Ok(Operand::any_of(literals))
    }

    fn literal(&mut self) -> Result<Literal, InvalidQuery> {
        let rest = self.cursor.skip_spaces();
        if let Some(text) = self.cursor.quoted(&['"', '\''])? {
            return Ok(Literal::Text(text));
        }
        if bare::is_percent_encoded(rest) {
            return Err(self.cursor.fault(QueryFault::PercentEncoded));
        }
        let text = &rest[..bare::value_length(rest)];
        if text.is_empty() {
            let fault = if rest.starts_with("..") { QueryFault::PointAtEnd } else { QueryFault::ValueExpected };
            return Err(self.cursor.fault(fault));
        }
        if !bare::is_value(text) {
            return Err(self.cursor.fault(QueryFault::PointAtEnd));
        }
        let literal = bare::literal(text).ok_or_else(|| self.cursor.fault(QueryFault::NumberTooLarge))?;
        self.cursor.take(text.len());
        Ok(literal)
    }

    fn pattern(&mut self) -> Result<ValuePattern, InvalidQuery> {
        let rest = self.cursor.skip_spaces();
        let start = self.cursor.at();
        let text = match self.cursor.quoted(&['"', '\''])? {
            Some(text) => text,
            None if bare::is_percent_encoded(rest) => return Err(self.cursor.fault(QueryFault::PercentEncoded)),
            None => {
                let text = &rest[..bare::pattern_length(rest)];
                if !bare::is_pattern(text) {
                    let fault = if text.is_empty() { QueryFault::ValueExpected } else { QueryFault::OpenPattern };
                    return Err(self.cursor.fault(fault));
                }
                self.cursor.take(text.len()).to_owned()
            }
        };
        if let Some(Err(error)) = self.patterns.as_mut().map(|budget| budget.check(&text)) {
            return Err(self.cursor.fault_at(QueryFault::Pattern(error), start));
        }
        Ok(ValuePattern::new(text))
    }
}
