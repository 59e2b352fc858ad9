//! `idPattern`: regular expressions for entity ids.

mod compile;
mod cost;
mod folding;
mod id_pattern;
mod matcher;
mod prefilter;

pub use compile::InvalidPattern;
pub use id_pattern::IdPattern;
pub use matcher::PatternMatcher;
pub use prefilter::Prefilter;
