use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use crate::pattern::{PatternMatcher, Prefilter};

/// A regular expression for values. It matches anywhere in the value unless it is anchored.
///
/// It is compiled for the first value that it may match. A function that only checks queries compiles none, and most
/// values are ruled out by the texts at the ends of the pattern.
#[derive(Clone, Debug)]
pub(super) struct ValuePattern {
    text: String,
    prefilter: OnceLock<Box<Prefilter>>,
    matcher: OnceLock<Option<Box<PatternMatcher>>>,
}

impl ValuePattern {
    pub(super) fn new(text: String) -> Self {
        Self { text, prefilter: OnceLock::new(), matcher: OnceLock::new() }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The memory of the compiled pattern, in bytes. It grows when the pattern is compiled.
    pub(super) fn memory(&self) -> usize {
        self.matcher.get().and_then(Option::as_ref).map_or(0, |matcher| matcher.memory())
    }

    /// `None` if the pattern does not compile, which only a stored query can have: it was valid for another version.
    pub(super) fn matches(&self, value: &str) -> Option<bool> {
        let prefilter = self.prefilter.get_or_init(|| Box::new(Prefilter::of_text(&self.text)));
        if !prefilter.may_match(value) {
            return Some(false);
        }
        let matcher = self.matcher.get_or_init(|| PatternMatcher::of_text(&self.text).ok().map(Box::new));
        matcher.as_ref().map(|matcher| matcher.matches(value))
    }
}

impl PartialEq for ValuePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ValuePattern {}

impl Hash for ValuePattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
