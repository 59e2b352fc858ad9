//! Patterns that spell out ids, such as `^urn:ngsi-ld:Bus:042$` or `^(bus:1|bus:2)$`.
//!
//! Invariant: an id that the pattern matches is among the ids. The pattern may match fewer, so it is still evaluated.

use regex_syntax::hir::Look;
use regex_syntax::hir::literal::Extractor;

use super::id_pattern::IdPattern;
use crate::entity_id::EntityId;
use crate::limits::{ID_PATTERN_LENGTH, PATTERN_IDS};

/// Returns the ids that a pattern spells out, at most 16. `None` if it can match others, or more.
pub(crate) fn ids_of(pattern: &IdPattern) -> Option<Vec<EntityId>> {
    let hir = regex_syntax::parse(pattern.as_str()).ok()?;
    let properties = hir.properties();
    if !properties.look_set_prefix().contains(Look::Start) || !properties.look_set_suffix().contains(Look::End) {
        return None;
    }
    // A character of the pattern has at most four bytes, as has one of an id.
    let mut extractor = Extractor::new();
    extractor.limit_total(PATTERN_IDS).limit_class(PATTERN_IDS).limit_literal_len(4 * ID_PATTERN_LENGTH);
    let texts = extractor.extract(&hir);
    if !texts.is_exact() {
        return None;
    }
    let mut ids = Vec::new();
    for text in texts.literals()? {
        // No entity has another id: an empty one, one that is not text, or one that is too long for the pattern.
        if let Some(id) = std::str::from_utf8(text.as_bytes()).ok().and_then(|id| EntityId::parse(id).ok())
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    (!ids.is_empty()).then_some(ids)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(pattern: &str) -> Option<Vec<String>> {
        let ids = ids_of(&IdPattern::parse(pattern).unwrap())?;
        Some(ids.into_iter().map(String::from).collect())
    }

    #[test]
    fn anchored_literals_and_their_alternations_are_ids() {
        for (pattern, expected) in [
            ("^urn:ngsi-ld:Bus:042$", &["urn:ngsi-ld:Bus:042"][..]),
            (r"^urn:a\.b$", &["urn:a.b"]),
            ("^(bus:1|bus:2)$", &["bus:1", "bus:2"]),
            ("^(?:bus|tram):1$", &["bus:1", "tram:1"]),
            ("^bus:1$|^tram:2$", &["bus:1", "tram:2"]),
            ("^bus:[12]$", &["bus:1", "bus:2"]),
            ("^部屋:1$", &["部屋:1"]),
            (r"\Aa\z", &["a"]),
        ] {
            assert_eq!(ids(pattern).unwrap(), expected, "{pattern}");
        }
        let alternation =
            |n: usize| format!("^({})$", (0..n).map(|i| format!("bus:{i:02}")).collect::<Vec<_>>().join("|"));
        assert_eq!(ids(&alternation(16)).unwrap().len(), 16);
        assert_eq!(ids(&alternation(17)), None);
    }

    #[test]
    fn other_patterns_are_not() {
        for pattern in
            ["bus:1", "^bus:1", "bus:1$", "^bus:1$|tram", "^bus:.$", "^bus:1+$", "(?m)^bus:1$", "^$", "^bus:[0-9a-z]$"]
        {
            assert_eq!(ids(pattern), None, "{pattern}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn a_match_is_among_the_ids(pattern in r"\^?(\(|\(\?:)?[ab]{0,2}[|$^]?[ab]{0,2}(\[ab\])?\)?\$?", id in "[ab]{0,5}") {
            if let Ok(regex) = regex::Regex::new(&pattern)
                && let Some(ids) = ids_of(&IdPattern::from_stored(pattern))
            {
                prop_assert!(!regex.is_match(&id) || id.is_empty() || ids.iter().any(|each| each.as_str() == id));
            }
        }
    }
}
