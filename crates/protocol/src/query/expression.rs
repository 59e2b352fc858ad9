use super::literal::Literal;
use super::value_pattern::ValuePattern;

/// A query as a tree. A conjunction has no conjunction as its part, nor has a disjunction a disjunction, and both have
/// at least two parts. So every query has one tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Term(Term),
}

/// One condition on one attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Term {
    pub(super) path: AttributePath,
    pub(super) condition: Condition,
}

/// The place of a value in an entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct AttributePath {
    pub(super) attribute: String,
    pub(super) sub_attributes: Vec<String>,
    pub(super) member: MemberPath,
}

/// The place in a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum MemberPath {
    /// The value itself.
    Whole,
    /// `[a.b]`: the member `b` of the member `a`.
    Names(Vec<String>),
    /// `[*]`: each member.
    Each,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Condition {
    Exists,
    Missing,
    Equal(Operand),
    Unequal(Operand),
    Order(Relation, Literal),
    Matches(ValuePattern),
    MatchesNot(ValuePattern),
}

/// The operand that a value equals or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operand {
    One(Literal),
    /// Sorted, without repetitions.
    List(Vec<Literal>),
    /// Both ends have one type and belong to the range.
    Range(Literal, Literal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Expression {
    /// All parts have to be true.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::All(mut parts) => flat.append(&mut parts),
                other => flat.push(other),
            }
        }
        <[Self; 1]>::try_from(flat).map_or_else(Self::All, |[only]| only)
    }

    /// One part has to be true.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Any(mut parts) => flat.append(&mut parts),
                other => flat.push(other),
            }
        }
        <[Self; 1]>::try_from(flat).map_or_else(Self::Any, |[only]| only)
    }

    /// Calls a function with each term.
    pub(super) fn each_term<'a>(&'a self, visit: &mut impl FnMut(&'a Term)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_term(visit)),
            Self::Term(term) => visit(term),
        }
    }
}

impl Operand {
    /// One of these literals.
    pub(super) fn any_of(mut literals: Vec<Literal>) -> Self {
        literals.sort_by(Literal::order);
        literals.dedup_by(|one, other| Literal::order(one, other).is_eq());
        <[Literal; 1]>::try_from(literals).map_or_else(Self::List, |[only]| Self::One(only))
    }
}
