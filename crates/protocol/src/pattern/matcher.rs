use regex_automata::Input;
use regex_automata::hybrid::dfa::{Config, DFA};
use regex_automata::nfa::thompson::pikevm::PikeVM;

use super::compile::{InvalidPattern, compile};
use super::id_pattern::IdPattern;
use crate::limits::COMPILED_PATTERN_BYTES;

/// A compiled pattern. The time to match is linear in the length of the text, for every pattern.
///
/// The `regex` crate chooses among several engines, and tries one after the other. It also searches backwards, where other
/// patterns are slow. These two engines only search forwards, so one bound holds for the time.
#[derive(Clone, Debug)]
pub struct PatternMatcher {
    /// It builds the states that an id needs, and forgets all of them when its cache is full.
    quick: DFA,
    /// For patterns with `\b` and ids that are not ASCII, which the other engine does not read.
    complete: PikeVM,
}

impl PatternMatcher {
    /// Compiles a pattern. This costs far more than a match, so callers keep the result.
    ///
    /// # Errors
    /// [`InvalidPattern`] if the syntax is wrong or the compiled pattern is too large, which only a pattern from
    /// [`IdPattern::from_stored`] can be.
    pub fn compile(pattern: &IdPattern) -> Result<Self, InvalidPattern> {
        Self::of_text(pattern.as_str())
    }

    /// Compiles a pattern that [`PatternBudget::check`](super::compile::PatternBudget::check) accepted.
    pub(crate) fn of_text(pattern: &str) -> Result<Self, InvalidPattern> {
        let nfa = compile(pattern)?;
        let config = Config::new()
            .cache_capacity(COMPILED_PATTERN_BYTES)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(None)
            .unicode_word_boundary(true);
        let quick = DFA::builder().configure(config).build_from_nfa(nfa.clone());
        let complete = PikeVM::new_from_nfa(nfa);
        Ok(Self {
            quick: quick.map_err(|_| InvalidPattern::TooLarge)?,
            complete: complete.map_err(|_| InvalidPattern::TooLarge)?,
        })
    }

    /// Returns true if the pattern matches anywhere in this text.
    pub fn matches(&self, text: &str) -> bool {
        let input = Input::new(text).earliest(true);
        // A kept cache would stay in memory with the pattern. Creating a cache takes less time than the rest of the match.
        match self.quick.try_search_fwd(&mut self.quick.create_cache(), &input) {
            Ok(found) => found.is_some(),
            Err(_) => self.complete.is_match(&mut self.complete.create_cache(), input),
        }
    }

    /// The memory of the compiled pattern, in bytes. Matching does not change it.
    pub fn memory(&self) -> usize {
        // Both engines share the automaton.
        self.quick.memory_usage() + self.quick.get_nfa().memory_usage()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::COMPILED_PATTERN_BYTES;

    #[test]
    fn compiled_patterns_stay_small() {
        // The `regex` crate takes almost 1 MB for this pattern.
        let pattern = IdPattern::parse(r"^urn:ngsi-ld:(Room|Sensor|Vehicle):[\w-]+:\d{4}$").unwrap();
        let bytes = PatternMatcher::compile(&pattern).unwrap().memory();
        assert!((1..COMPILED_PATTERN_BYTES).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_search_that_exceeds_its_cache_still_matches() {
        // A stored pattern may exceed the limits of a newer version. It has a new combination of states for each letter.
        let pattern = IdPattern::from_stored("[ab]*a[ab]{0,1000}c".to_owned());
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

    #[test]
    fn word_boundaries_follow_unicode() {
        let matches =
            |pattern: &str, id| PatternMatcher::compile(&IdPattern::parse(pattern).unwrap()).unwrap().matches(id);
        assert!(matches(r"\bRoom\b", "urn:Room:1") && !matches(r"\bRoom\b", "urn:Rooms:1"));
        assert!(matches(r"\bRaum\b", "ä:Raum:ö") && !matches(r"\bRaum\b", "äRaum:ö"));
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
