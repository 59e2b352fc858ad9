//! Compiles patterns with bounded cost.
//!
//! Invariant: no pattern takes more memory or time to compile, or more time to match, than the limits in [`crate::limits`]
//! allow. Before the compiler runs, its cost for `(?i)` is estimated; while it runs, the size of its result is limited. The
//! result tells the time to match.

use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_syntax::ast::parse::Parser;

use super::cost::is_affordable;
use super::folding::folded_characters;
use crate::limits::{COMPILED_PATTERN_BYTES, FOLDED_CHARACTERS, ID_PATTERN_LENGTH};

/// The text is not a pattern within the limits. The messages are for clients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// The pattern has too many characters.
    #[error("idPattern: the pattern has more than {ID_PATTERN_LENGTH} characters; use a shorter one")]
    TooLong,
    /// `(?i)` applies to too many characters.
    #[error("idPattern: (?i) applies to character classes that are too large; use smaller classes or remove (?i)")]
    TooMuchFolding,
    /// The compiled pattern is too large.
    #[error("idPattern: the pattern is too large once compiled; use smaller repetitions or fewer alternatives")]
    TooLarge,
    /// An id can match the pattern in too many ways at once.
    #[error(
        "idPattern: the pattern is too slow: an id can match too many of its parts at once; anchor it with ^, and use fewer \
         or smaller repetitions"
    )]
    TooSlow,
    /// The syntax is wrong. The reason has one line, and names look-around and back-references if the pattern has them.
    #[error("idPattern: not a regular expression of the Rust regex syntax: {0}")]
    Syntax(String),
}

/// Checks a pattern against all limits.
pub(super) fn check(pattern: &str) -> Result<(), InvalidPattern> {
    if pattern.chars().count() > ID_PATTERN_LENGTH {
        return Err(InvalidPattern::TooLong);
    }
    // A wrong syntax passes here. The compiler explains it.
    if Parser::new().parse(pattern).is_ok_and(|pattern| folded_characters(&pattern) > FOLDED_CHARACTERS) {
        return Err(InvalidPattern::TooMuchFolding);
    }
    let nfa = compile(pattern)?;
    if is_affordable(&nfa) { Ok(()) } else { Err(InvalidPattern::TooSlow) }
}

/// Compiles a pattern that passed [`check`].
pub(super) fn compile(pattern: &str) -> Result<NFA, InvalidPattern> {
    let hir = regex_syntax::parse(pattern).map_err(|error| explain(&error))?;
    // The whole match must be captured: without it, a search that cannot use the quick engine finds nothing.
    let config = Config::new().which_captures(WhichCaptures::Implicit).nfa_size_limit(Some(COMPILED_PATTERN_BYTES));
    // The syntax is right, so only a limit of the size can be exceeded.
    Compiler::new().configure(config).build_from_hir(&hir).map_err(|_| InvalidPattern::TooLarge)
}

/// The text of a syntax error has several lines, with the pattern and a pointer to the place. The last line is the reason.
fn explain(error: &regex_syntax::Error) -> InvalidPattern {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default();
    InvalidPattern::Syntax(reason.strip_prefix("error: ").unwrap_or(reason).to_owned())
}
