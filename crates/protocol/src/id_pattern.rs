use std::fmt;

use regex_automata::Input;
use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::ast::parse::Parser;
use serde::Serialize;

use crate::InvalidFilter;
use crate::folding::folded_characters;
use crate::limits::{COMPILED_PATTERN_BYTES, FOLDED_CHARACTERS, ID_PATTERN_LENGTH};

/// A regular expression for entity ids, in the `regex` crate's syntax, of at most 512 characters. It matches anywhere
/// in the id unless anchored, as `idPattern` does in NGSI brokers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct IdPattern(String);

impl IdPattern {
    /// Takes a pattern that compiles within the limits of time and size.
    ///
    /// # Errors
    /// [`InvalidFilter::IdPattern`], which names look-around and back-references if the pattern has them.
    pub fn parse(text: &str) -> Result<Self, InvalidFilter> {
        if text.chars().count() > ID_PATTERN_LENGTH {
            return Err(InvalidFilter::IdPattern(format!(
                "idPattern: a pattern has at most {ID_PATTERN_LENGTH} characters"
            )));
        }
        // What is no pattern fails again below, where it is explained.
        if Parser::new().parse(text).is_ok_and(|pattern| folded_characters(&pattern) > FOLDED_CHARACTERS) {
            return Err(InvalidFilter::IdPattern(
                "idPattern: (?i) applies to character classes that are too large; use smaller ones, or leave (?i) out"
                    .to_owned(),
            ));
        }
        let pattern = Self(text.to_owned());
        PatternMatcher::compile(&pattern)?;
        Ok(pattern)
    }

    /// A pattern that was valid when it was stored; it is not compiled again.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The pattern as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A compiled [`IdPattern`]. Matching takes time linear in the id's length, whatever the pattern.
#[derive(Clone, Debug)]
pub struct PatternMatcher(Regex);

impl PatternMatcher {
    /// Compiles a pattern, which is the expensive half: keep the result.
    ///
    /// # Errors
    /// [`InvalidFilter::IdPattern`] if it is no pattern or compiles to more than the limit.
    pub fn compile(pattern: &IdPattern) -> Result<Self, InvalidFilter> {
        // The `regex` crate is this with all groups captured, for which it makes a table of up to 1 MB out of some
        // patterns. The whole match has to be captured: without, a search that runs out of its cache finds nothing.
        let config = Config::new()
            .which_captures(WhichCaptures::Implicit)
            .onepass(false)
            .nfa_size_limit(Some(COMPILED_PATTERN_BYTES))
            .hybrid_cache_capacity(COMPILED_PATTERN_BYTES);
        Regex::builder()
            .configure(config)
            .build(pattern.as_str())
            .map(Self)
            .map_err(|error| InvalidFilter::IdPattern(explain(&error)))
    }

    /// Whether the pattern matches somewhere in this id.
    pub fn matches(&self, entity_id: &str) -> bool {
        // Not the pattern's own cache, which stays with it: of a small pattern that is made for it, that takes half a
        // megabyte. To make a new one takes less than the rest.
        self.0.search_half_with(&mut self.0.create_cache(), &Input::new(entity_id).earliest(true)).is_some()
    }

    /// The bytes that it takes, however often it is used.
    pub fn memory(&self) -> usize {
        self.0.memory_usage()
    }
}

fn explain(error: &BuildError) -> String {
    if error.size_limit().is_some() {
        return "idPattern: the pattern is too large once compiled; use smaller repetitions or fewer alternatives"
            .to_owned();
    }
    // A syntax error is drawn over several lines; the last one says what is wrong.
    let text = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
    let reason = text.lines().last().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    format!("idPattern: not a regular expression of the Rust regex syntax: {reason}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern_error(pattern: &str) -> String {
        IdPattern::parse(pattern).unwrap_err().to_string()
    }

    #[test]
    fn says_that_look_around_and_back_references_are_not_supported() {
        assert!(pattern_error("(?=a)").contains("look-around"), "{}", pattern_error("(?=a)"));
        assert!(pattern_error(r"(a)\1").contains("backreferences"), "{}", pattern_error(r"(a)\1"));
    }

    #[test]
    fn refuses_what_costs_too_much() {
        assert!(pattern_error(r"(\w{100}){100}").contains("too large"), "{}", pattern_error(r"(\w{100}){100}"));
        assert!(pattern_error(&"a".repeat(513)).contains("512"));
        assert!(IdPattern::parse(&"é".repeat(512)).is_ok());
    }

    #[test]
    fn an_error_is_one_line() {
        assert!(!pattern_error("(").contains('\n'));
        assert!(pattern_error("(").contains("unclosed group"));
    }

    #[test]
    fn refuses_case_folding_that_takes_longer_than_anything_else() {
        // Before there was a limit, these took half a second and more to compile, though what comes out is small.
        for pattern in [
            format!("(?i){}", "[\u{0}-\u{10ffff}]".repeat(100)),
            format!("(?i:{})", "[\u{0}-\u{10ffff}]".repeat(100)),
            format!("(?i){}b{}", "[^a".repeat(100), "]".repeat(100)),
            format!("(?i)[{}]", r"\pL".repeat(160)),
            format!("(?i)[{}]", "[:^alpha:]".repeat(40)),
            r"(?i)[a\Wb][a\Wb]".to_owned(),
        ] {
            assert!(pattern_error(&pattern).contains("(?i) applies to"), "{pattern}");
            assert!(!pattern_error(&pattern).is_empty());
        }
    }

    #[test]
    fn takes_what_people_write() {
        for pattern in [
            r"^urn:ngsi-ld:(Room|Sensor|Vehicle):[\w-]+:\d{4}$",
            r"^\w+:\w+:\w+:\w+$",
            r"(?i)^urn:ngsi-ld:room:[\w.-]+$",
            r"(?i)^\p{L}+:[^:]+:[[a-z]--[aeiou]]+$",
            r"(?i)^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$",
            "^.{1,200}$",
        ] {
            assert!(IdPattern::parse(pattern).is_ok(), "{pattern}: {}", pattern_error(pattern));
        }
    }

    #[test]
    fn what_is_compiled_stays_small() {
        // The `regex` crate makes almost 1 MB of this one.
        let pattern = IdPattern::parse(r"^urn:ngsi-ld:(Room|Sensor|Vehicle):[\w-]+:\d{4}$").unwrap();
        let bytes = PatternMatcher::compile(&pattern).unwrap().memory();
        assert!((1..COMPILED_PATTERN_BYTES).contains(&bytes), "{bytes}");
    }

    #[test]
    fn matches_where_the_cache_is_too_small_for_the_pattern() {
        let pattern = IdPattern::parse("[ab]*a[ab]{0,1000}c").unwrap();
        let mut bits = 0x2545_f491_4f6c_dd1d_u64;
        let mut letter = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if bits >> 63 == 0 { 'a' } else { 'b' }
        };
        let id: String = (0..1500).map(|_| letter()).collect();
        let matcher = PatternMatcher::compile(&pattern).unwrap();
        assert!(!matcher.matches(&id));
        assert!(matcher.matches(&format!("{id}c")));
    }

    proptest! {
        #[test]
        fn matches_as_the_regex_crate_does(pattern in any::<String>(), id in any::<String>()) {
            if let Ok(pattern) = IdPattern::parse(&pattern) {
                let expected = regex::Regex::new(pattern.as_str()).unwrap().is_match(&id);
                prop_assert_eq!(PatternMatcher::compile(&pattern).unwrap().matches(&id), expected);
            }
        }
    }
}
