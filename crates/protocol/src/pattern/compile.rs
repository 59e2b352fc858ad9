//! Compiles patterns with bounded cost.
//!
//! Invariant: no pattern takes more memory or time to compile, or more time to match, than the limits in [`crate::limits`]
//! allow. Before the compiler runs, its cost for `(?i)` is estimated; while it runs, the size of its result is limited. The
//! result tells the time to match.

use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_syntax::ast::parse::Parser;

use super::cost::{EXPLORATION, match_cost};
use super::folding::folded_characters;
use crate::limits::{COMPILED_PATTERN_BYTES, FOLDED_CHARACTERS, ID_PATTERN_LENGTH, MATCH_COST};

/// The text is not a pattern within the limits. The messages are for clients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// The pattern has too many characters.
    #[error("the pattern has more than {ID_PATTERN_LENGTH} characters; use a shorter one")]
    TooLong,
    /// `(?i)` applies to too many characters.
    #[error("(?i) applies to character classes that are too large; use smaller classes or remove (?i)")]
    TooMuchFolding,
    /// The compiled pattern is too large.
    #[error("the pattern is too large once compiled; use smaller repetitions or fewer alternatives")]
    TooLarge,
    /// An id can match the pattern in too many ways at once.
    #[error(
        "the pattern is too slow: a text can match too many of its parts at once; anchor it with ^, and use fewer \
         or smaller repetitions"
    )]
    TooSlow,
    /// The syntax is wrong. The reason has one line, and names look-around and back-references if the pattern has them.
    #[error("not a regular expression of the Rust regex syntax: {0}")]
    Syntax(String),
}

/// The limits that patterns have together. Each pattern that is checked takes its share. A budget is at first enough for one
/// pattern of the greatest cost, so an `idPattern` has a budget of its own, and all patterns of a query share one.
#[derive(Debug)]
pub(crate) struct PatternBudget {
    characters: usize,
    folded_characters: u64,
    compiled_bytes: usize,
    match_cost: usize,
    exploration: usize,
}

impl Default for PatternBudget {
    fn default() -> Self {
        Self {
            characters: ID_PATTERN_LENGTH,
            folded_characters: FOLDED_CHARACTERS,
            compiled_bytes: COMPILED_PATTERN_BYTES,
            match_cost: MATCH_COST,
            exploration: EXPLORATION,
        }
    }
}

impl PatternBudget {
    /// Checks a pattern against the rest of the budget, and takes the pattern's share.
    pub(crate) fn check(&mut self, pattern: &str) -> Result<(), InvalidPattern> {
        let characters = pattern.chars().count();
        self.characters = self.characters.checked_sub(characters).ok_or(InvalidPattern::TooLong)?;
        // A wrong syntax passes here. The compiler explains it.
        let folded = Parser::new().parse(pattern).map_or(0, |pattern| folded_characters(&pattern));
        self.folded_characters = self.folded_characters.checked_sub(folded).ok_or(InvalidPattern::TooMuchFolding)?;
        let nfa = compile_within(pattern, self.compiled_bytes)?;
        self.compiled_bytes = self.compiled_bytes.saturating_sub(nfa.memory_usage());
        let cost = match_cost(&nfa, self.match_cost, &mut self.exploration).ok_or(InvalidPattern::TooSlow)?;
        self.match_cost = self.match_cost.saturating_sub(cost);
        Ok(())
    }
}

/// Compiles a pattern that passed [`PatternBudget::check`].
pub(super) fn compile(pattern: &str) -> Result<NFA, InvalidPattern> {
    compile_within(pattern, COMPILED_PATTERN_BYTES)
}

fn compile_within(pattern: &str, bytes: usize) -> Result<NFA, InvalidPattern> {
    let hir = regex_syntax::parse(pattern).map_err(|error| explain(&error))?;
    // The whole match must be captured: without it, a search that cannot use the quick engine finds nothing.
    let config = Config::new().which_captures(WhichCaptures::Implicit).nfa_size_limit(Some(bytes));
    // The syntax is right, so only a limit of the size can be exceeded.
    Compiler::new().configure(config).build_from_hir(&hir).map_err(|_| InvalidPattern::TooLarge)
}

/// The text of a syntax error has several lines, with the pattern and a pointer to the place. The last line is the reason.
fn explain(error: &regex_syntax::Error) -> InvalidPattern {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default();
    InvalidPattern::Syntax(reason.strip_prefix("error: ").unwrap_or(reason).to_owned())
}
