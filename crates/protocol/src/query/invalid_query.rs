use crate::limits::{QUERY_BYTES, QUERY_DEPTH, QUERY_TERMS};
use crate::pattern::InvalidPattern;

/// The most characters of a query that an error shows.
const EXCERPT_LENGTH: usize = 20;

/// The text is not a query. The message is for the client; it names the fault, shows the place, and gives advice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("q{}: {fault}", self.place.as_ref().map_or_else(String::new, QueryPlace::describe))]
pub struct InvalidQuery {
    fault: QueryFault,
    place: Option<QueryPlace>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct QueryPlace {
    /// The position, in characters, counted from 1.
    character: usize,
    /// The text from there on, without control characters. Empty at the end of the query.
    excerpt: String,
}

/// The fault of a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryFault {
    /// The query has no term.
    #[error("the query is empty; write a condition such as temperature>20, or leave q out")]
    Empty,
    /// The text is too long.
    #[error("a query has at most {QUERY_BYTES} bytes; write a shorter one")]
    TooLong,
    /// There are too many terms.
    #[error("a query has at most {QUERY_TERMS} terms; use fewer, for example a list: status==open,closed")]
    TooManyTerms,
    /// There are too many parentheses within each other.
    #[error("parentheses nest at most {QUERY_DEPTH} levels deep; write the query with fewer levels")]
    TooDeep,
    /// The term asks for an attribute of a linked entity: `sensor{Device:humidity}`.
    #[error(
        "linked entities {{Type:attribute}} are not supported, because one event has one entity; \
         subscribe to the linked entity's type"
    )]
    LinkedEntity,
    /// The query, or a value in it, begins with an escape such as `%22`.
    #[error("the query is percent-encoded; send it as plain text, with \" instead of %22")]
    PercentEncoded,
    /// `:` stands after an attribute.
    #[error("':' is no operator; write == to compare, or quote a name that has a colon: 'schema:name'")]
    Colon,
    /// `=` stands after an attribute.
    #[error("'=' is no operator; write ==")]
    SingleEqual,
    /// An attribute's name is missing.
    #[error(
        "an attribute's name is expected; quote a name that has other characters \
         than letters, digits, _, -, @ and $: 'a.b'"
    )]
    NameExpected,
    /// A value is missing.
    #[error("a value is expected; quote a value that is empty or has special characters: \"a;b\"")]
    ValueExpected,
    /// A value without quotes begins or ends with a point.
    #[error("a value that begins or ends with '.' has to be quoted: \".5\"; a range is written 1..5, a number 0.5")]
    PointAtEnd,
    /// Something follows that no term has in this place.
    #[error(
        "an operator ({operators}), ; or | is expected; quote a value that has spaces or special characters: \"a b\"",
        operators = "== != > >= < <= ~= !~="
    )]
    Unexpected,
    /// A quotation mark has no partner.
    #[error("the quoted text does not end; close it with the same quotation mark")]
    UnclosedQuote,
    /// A quoted text has an escape that JSON does not have, or a control character.
    #[error("the quoted text is not a JSON string; write \\\\ for a backslash, and \\n for a line break")]
    InvalidEscape,
    /// A parenthesis has no partner.
    #[error("a closing parenthesis is missing; add ) or remove the opening one")]
    UnclosedParenthesis,
    /// A closing parenthesis has no partner.
    #[error("this closing parenthesis has no opening one; remove it")]
    UnopenedParenthesis,
    /// A bracket has no partner.
    #[error("a path into a value is written attribute[member.member]; the closing ] is missing")]
    UnclosedBracket,
    /// A list or a range follows an operator that compares with one value.
    #[error("a list or a range follows == or != only; write == or !=, or one value")]
    SeveralValues,
    /// A list has a range in it.
    #[error("a list has no ranges; write (a==1..3|a==5)")]
    RangeInList,
    /// The ends of a range differ in type, or have no order.
    #[error("the ends of a range are two numbers, two strings, two dates or two times; quote both or neither")]
    MixedRange,
    /// `true`, `false` or `null` follows an operator that orders.
    #[error("true, false and null have no order; compare them with == or !=, or quote them as strings")]
    Unordered,
    /// A number is outside the range of a 64-bit float.
    #[error("the number is too large; write a smaller one, or quote it as a string")]
    NumberTooLarge,
    /// A regular expression without quotes has an open parenthesis, or a backslash at its end.
    #[error("the regular expression ends within parentheses or after a backslash; close them, or quote it: \"[(]\"")]
    OpenPattern,
    /// A regular expression is invalid or costs too much.
    #[error("{0}; all regular expressions of a query together have the limits of one idPattern")]
    Pattern(#[source] InvalidPattern),
}

impl InvalidQuery {
    /// A fault of the whole query.
    pub(super) fn whole(fault: QueryFault) -> Self {
        Self { fault, place: None }
    }

    /// A fault at this byte of the query.
    pub(super) fn at(fault: QueryFault, query: &str, byte: usize) -> Self {
        let (before, rest) = query.split_at_checked(byte).unwrap_or((query, ""));
        let excerpt = rest.chars().take(EXCERPT_LENGTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self { fault, place: Some(QueryPlace { character: before.chars().count() + 1, excerpt }) }
    }

    /// The fault.
    pub fn fault(&self) -> &QueryFault {
        &self.fault
    }

    /// The place of the fault, in characters, counted from 1. `None` if the whole query is at fault.
    pub fn character(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.character)
    }
}

impl QueryPlace {
    fn describe(&self) -> String {
        if self.excerpt.is_empty() {
            format!(", character {} (the end)", self.character)
        } else {
            format!(", character {} (`{}`)", self.character, self.excerpt)
        }
    }
}
