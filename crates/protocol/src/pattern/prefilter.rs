//! Rules out ids that a pattern cannot match, without compiling the pattern.
//!
//! Invariant: if the pattern matches an id, [`Prefilter::may_match`] is true for that id. The reverse does not hold.

use regex_syntax::hir::Look;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};

use super::id_pattern::IdPattern;

/// The most texts that one end of a pattern may have: `(Room|Sensor):[ab]` begins with one of two.
const CHOICES: usize = 16;

/// The beginnings and ends of the ids that a pattern may match. Finding them takes a fraction of the time of compiling the
/// pattern. They decide most cases: of thousands of patterns that each hold the id of an entity, one holds an event's id.
#[derive(Clone, Debug)]
pub struct Prefilter {
    first: PatternEnd,
    last: PatternEnd,
}

/// The texts at the beginning, or at the end, of every match.
#[derive(Clone, Debug)]
struct PatternEnd {
    /// A match has one of these texts. `None` if it may have any text.
    texts: Option<Vec<Box<[u8]>>>,
    /// True if the text is at the beginning, or at the end, of the whole id.
    is_anchored: bool,
}

impl Prefilter {
    /// Reads the ends of a pattern. A pattern with a wrong syntax rules out no id.
    pub fn of(pattern: &IdPattern) -> Self {
        Self::of_text(pattern.as_str())
    }

    /// Reads the ends of a pattern for other texts than ids.
    pub(crate) fn of_text(pattern: &str) -> Self {
        let Ok(hir) = regex_syntax::parse(pattern) else {
            let any = PatternEnd { texts: None, is_anchored: false };
            return Self { first: any.clone(), last: any };
        };
        let extract = |kind| Extractor::new().kind(kind).limit_total(CHOICES).extract(&hir);
        let properties = hir.properties();
        Self {
            first: PatternEnd::new(&extract(ExtractKind::Prefix), properties.look_set_prefix().contains(Look::Start)),
            last: PatternEnd::new(&extract(ExtractKind::Suffix), properties.look_set_suffix().contains(Look::End)),
        }
    }

    /// Returns false if the pattern does not match this id. If this is true, it may match.
    pub fn may_match(&self, entity_id: &str) -> bool {
        let id = entity_id.as_bytes();
        self.first.allows(|text, anchored| if anchored { id.starts_with(text) } else { contains(id, text) })
            && self.last.allows(|text, anchored| if anchored { id.ends_with(text) } else { contains(id, text) })
    }

    /// The approximate memory of the texts, in bytes.
    pub fn memory(&self) -> usize {
        let texts = [&self.first, &self.last].into_iter().filter_map(|end| end.texts.as_ref()).flatten();
        texts.map(|text| size_of::<Box<[u8]>>() + text.len()).sum()
    }
}

impl PatternEnd {
    fn new(texts: &Seq, is_anchored: bool) -> Self {
        let texts = texts.literals().map(|texts| texts.iter().map(|text| text.as_bytes().into()).collect());
        Self { texts, is_anchored }
    }

    fn allows(&self, is_there: impl Fn(&[u8], bool) -> bool) -> bool {
        self.texts.as_ref().is_none_or(|texts| texts.iter().any(|text| is_there(text, self.is_anchored)))
    }
}

fn contains(id: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(id, text).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn may_match(pattern: &str, id: &str) -> bool {
        Prefilter::of(&IdPattern::parse(pattern).unwrap()).may_match(id)
    }

    #[test]
    fn the_ends_rule_out_most_ids() {
        let id = "urn:ngsi-ld:Room:00042";
        for (pattern, other) in [
            ("Room:00042", "Room:00043"),
            ("^urn:ngsi-ld:Room:00042$", "^urn:ngsi-ld:Room:0004$"),
            ("urn:ngsi-ld:Room:.*", "urn:ngsi-ld:Sensor:.*"),
            ("^urn:ngsi-ld:Room:00042.*", "^ngsi-ld:Room:00042.*"),
            (r"^urn:ngsi-ld:\w+:00042", r"^urn:ngsi-ld:\w+:00041"),
            ("^urn:ngsi-ld:(Room|Sensor):[0-9]+$", "^urn:ngsi-ld:(Hall|Sensor):[0-9]+$"),
            ("(?i)ROOM:", "(?i)HALL:"),
        ] {
            assert!(may_match(pattern, id), "{pattern}");
            assert!(!may_match(other, id), "{other}");
        }
    }

    #[test]
    fn a_wrong_syntax_rules_out_no_id() {
        assert!(Prefilter::of(&IdPattern::from_stored("(".to_owned())).may_match("anything"));
    }

    /// Patterns of literals, anchors, classes and flags, in the letters of the ids below.
    fn pattern() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            4 => "[ab:]{1,3}",
            1 => Just("^".to_owned()),
            1 => Just("$".to_owned()),
            1 => Just(".*".to_owned()),
            1 => Just("|".to_owned()),
            1 => Just("(?m)".to_owned()),
            1 => Just("(?i)".to_owned()),
            1 => Just(r"\b".to_owned()),
            2 => "\\([ab]\\|[ab:]{0,2}\\)[*+?]?",
            1 => "\\[\\^?[ab]\\][*+?]?",
            1 => "[ab]\\{[0-2],3\\}",
        ];
        proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn a_match_is_never_ruled_out(pattern in pattern(), id in "[abAB:\n]{0,8}") {
            if let Ok(regex) = regex::Regex::new(&pattern) {
                prop_assert!(may_match(&pattern, &id) || !regex.is_match(&id));
            }
        }

        #[test]
        fn a_match_of_any_pattern_is_never_ruled_out(pattern in any::<String>(), id in any::<String>()) {
            if let Ok(regex) = regex::Regex::new(&pattern) {
                let found = Prefilter::of(&IdPattern::from_stored(pattern)).may_match(&id);
                prop_assert!(found || !regex.is_match(&id));
            }
        }
    }
}
