use regex_syntax::hir::Look;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};

use crate::IdPattern;

/// Most texts that one end of a pattern is taken to have: `(Room|Sensor):[ab]` begins with one of two.
const CHOICES: usize = 16;

/// How the ids begin and end that a pattern may match. To find that out takes a fraction of what compiling the pattern does,
/// and for most ids it is all there is to know: of thousands of patterns with an entity's id in them, an event's id is in one.
#[derive(Clone, Debug)]
pub struct Prefilter {
    first: End,
    last: End,
}

/// The texts with which every match begins, or ends.
#[derive(Clone, Debug)]
struct End {
    /// One of these has to be there; anything may, without them.
    texts: Option<Vec<Box<[u8]>>>,
    /// Whether it has to be the beginning, or the end, of the whole id.
    is_anchored: bool,
}

impl Prefilter {
    /// What can be told of a pattern without compiling it; of what is no pattern, nothing.
    pub fn of(pattern: &IdPattern) -> Self {
        let Ok(hir) = regex_syntax::parse(pattern.as_str()) else {
            let any = End { texts: None, is_anchored: false };
            return Self { first: any.clone(), last: any };
        };
        let extract = |kind| Extractor::new().kind(kind).limit_total(CHOICES).extract(&hir);
        let properties = hir.properties();
        Self {
            first: End::new(&extract(ExtractKind::Prefix), properties.look_set_prefix().contains(Look::Start)),
            last: End::new(&extract(ExtractKind::Suffix), properties.look_set_suffix().contains(Look::End)),
        }
    }

    /// Whether the pattern may match this id. If not, it does not.
    pub fn may_match(&self, entity_id: &str) -> bool {
        let id = entity_id.as_bytes();
        self.first.allows(|text, anchored| if anchored { id.starts_with(text) } else { contains(id, text) })
            && self.last.allows(|text, anchored| if anchored { id.ends_with(text) } else { contains(id, text) })
    }

    /// About how many bytes it takes.
    pub fn memory(&self) -> usize {
        let texts = [&self.first, &self.last].into_iter().filter_map(|end| end.texts.as_ref()).flatten();
        texts.map(|text| size_of::<Box<[u8]>>() + text.len()).sum()
    }
}

impl End {
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
    fn knows_most_patterns_by_how_they_begin_or_end() {
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
    fn what_is_no_pattern_is_left_to_the_compiler() {
        assert!(Prefilter::of(&IdPattern::from_stored("(".to_owned())).may_match("anything"));
    }

    /// Patterns of the parts that matter here, and ids of the same letters.
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
        fn never_rules_out_what_matches(pattern in pattern(), id in "[abAB:\n]{0,8}") {
            if let Ok(regex) = regex::Regex::new(&pattern) {
                prop_assert!(may_match(&pattern, &id) || !regex.is_match(&id));
            }
        }

        #[test]
        fn never_rules_out_what_matches_of_anything(pattern in any::<String>(), id in any::<String>()) {
            if let Ok(regex) = regex::Regex::new(&pattern) {
                let found = Prefilter::of(&IdPattern::from_stored(pattern)).may_match(&id);
                prop_assert!(found || !regex.is_match(&id));
            }
        }
    }
}
