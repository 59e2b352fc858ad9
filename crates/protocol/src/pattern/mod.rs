//! Regular expressions of bounded cost, for entity ids (`idPattern`) and for values of attributes (`q`).

mod compile;
mod cost;
mod folding;
mod id_pattern;
mod literal_ids;
mod matcher;
mod prefilter;

pub use compile::InvalidPattern;
pub(crate) use compile::PatternBudget;
pub use id_pattern::IdPattern;
pub(crate) use literal_ids::ids_of;
pub use matcher::PatternMatcher;
pub use prefilter::Prefilter;
