use regex_automata::Input;
use regex_automata::meta::Regex;

use super::compile::{InvalidPattern, compile};
use super::id_pattern::IdPattern;

/// A compiled [`IdPattern`]. The time to match is linear in the length of the id, for every pattern.
#[derive(Clone, Debug)]
pub struct PatternMatcher(Regex);

impl PatternMatcher {
    /// Compiles a pattern. This costs far more than a match, so callers keep the result.
    ///
    /// # Errors
    /// [`InvalidPattern`] if the syntax is wrong or the compiled pattern is too large, which only a pattern from
    /// [`IdPattern::from_stored`] can be.
    pub fn compile(pattern: &IdPattern) -> Result<Self, InvalidPattern> {
        compile(pattern.as_str()).map(Self)
    }

    /// Returns true if the pattern matches anywhere in this id.
    pub fn matches(&self, entity_id: &str) -> bool {
        // The regex's own cache would stay in memory with it, and is half a megabyte for a small pattern. Creating a cache
        // takes less time than the rest of the match.
        self.0.search_half_with(&mut self.0.create_cache(), &Input::new(entity_id).earliest(true)).is_some()
    }

    /// The memory of the compiled pattern, in bytes. Matching does not change it.
    pub fn memory(&self) -> usize {
        self.0.memory_usage()
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
