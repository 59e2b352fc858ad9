//! Compiles patterns with bounded cost.
//!
//! Invariant: no pattern takes more memory or time to compile than the limits in [`crate::limits`] allow. Before the
//! compiler runs, its cost for `(?i)` is estimated; while it runs, the size of its result is limited.

use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::ast::parse::Parser;

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
    /// The syntax is wrong. The reason has one line, and names look-around and back-references if the pattern has them.
    #[error("idPattern: not a regular expression of the Rust regex syntax: {0}")]
    Syntax(String),
}

/// Rejects patterns that the compiler has no limit of its own for.
pub(super) fn check_cost(pattern: &str) -> Result<(), InvalidPattern> {
    if pattern.chars().count() > ID_PATTERN_LENGTH {
        return Err(InvalidPattern::TooLong);
    }
    // A wrong syntax passes here. The compiler explains it.
    if Parser::new().parse(pattern).is_ok_and(|pattern| folded_characters(&pattern) > FOLDED_CHARACTERS) {
        return Err(InvalidPattern::TooMuchFolding);
    }
    Ok(())
}

/// Compiles a pattern that passed [`check_cost`].
pub(super) fn compile(pattern: &str) -> Result<Regex, InvalidPattern> {
    // The `regex` crate has the same engine with all groups captured. For some patterns it builds a table of up to 1 MB for
    // the groups. The whole match must be captured: without it, a search that runs out of cache finds nothing.
    let config = Config::new()
        .which_captures(WhichCaptures::Implicit)
        .onepass(false)
        .nfa_size_limit(Some(COMPILED_PATTERN_BYTES))
        .hybrid_cache_capacity(COMPILED_PATTERN_BYTES);
    Regex::builder().configure(config).build(pattern).map_err(|error| explain(&error))
}

fn explain(error: &BuildError) -> InvalidPattern {
    if error.size_limit().is_some() {
        return InvalidPattern::TooLarge;
    }
    // The text of a syntax error has several lines, with the pattern and a pointer to the place. The last line is the
    // reason.
    let text = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
    let reason = text.lines().last().unwrap_or_default();
    InvalidPattern::Syntax(reason.strip_prefix("error: ").unwrap_or(reason).to_owned())
}
