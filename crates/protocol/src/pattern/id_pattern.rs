use std::fmt;

use serde::{Deserialize, Serialize};

use super::compile::{InvalidPattern, PatternBudget};

/// A regular expression for entity ids, in the `regex` crate's syntax, of at most 512 characters. It matches anywhere
/// in the id unless it is anchored, like `idPattern` in NGSI brokers. serde reads a stored pattern, which was valid when it was
/// stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdPattern(String);

impl IdPattern {
    /// Reads a pattern. It compiles the pattern once, to check that it stays within the limits of time and size.
    ///
    /// # Errors
    /// [`InvalidPattern`] if the syntax is wrong or the pattern exceeds a limit.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        PatternBudget::default().check(text)?;
        Ok(Self(text.to_owned()))
    }

    /// Takes a stored pattern, which was valid when it was stored. It is not compiled again.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern_error(pattern: &str) -> String {
        IdPattern::parse(pattern).unwrap_err().to_string()
    }

    #[test]
    fn the_error_names_look_around_and_back_references() {
        assert!(pattern_error("(?=a)").contains("look-around"), "{}", pattern_error("(?=a)"));
        assert!(pattern_error(r"(a)\1").contains("backreferences"), "{}", pattern_error(r"(a)\1"));
    }

    #[test]
    fn expensive_patterns_are_refused() {
        assert!(pattern_error(r"(\w{100}){100}").contains("too large"), "{}", pattern_error(r"(\w{100}){100}"));
        assert!(pattern_error(&"a".repeat(513)).contains("512"));
        assert!(IdPattern::parse(&format!("^{}", "é".repeat(511))).is_ok());
    }

    #[test]
    fn an_error_is_one_line() {
        assert!(!pattern_error("(").contains('\n'));
        assert!(pattern_error("(").contains("unclosed group"));
    }

    #[test]
    fn expensive_case_folding_is_refused() {
        // Without the limit, each of them takes half a second or more to compile, to a small result.
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
    fn patterns_that_are_slow_to_match_are_refused() {
        for pattern in [
            "(?:[a-z]?[b-y]?){905}[^a-z\u{407}]",
            "^(?:[a-z]?[b-y]?){905}$",
            "(?:a?b?c?d?){200}$",
            "[ab]*a[ab]{0,1000}c",
            ".{1,400}x",
            r"(?:\b[a-z]?){500}x",
        ] {
            assert!(pattern_error(pattern).contains("too slow"), "{pattern}: {}", pattern_error(pattern));
        }
    }

    #[test]
    fn ordinary_patterns_are_accepted() {
        let ids = (1..=20).map(|room| format!("urn:ngsi-ld:Room:{room:03}")).collect::<Vec<_>>().join("|");
        let alternations = [ids.clone(), format!("^(?:{ids})$"), format!("(?i)^(?:{ids})$"), format!("(?i){ids}")];
        let others = [
            "Room",
            "^Room[0-9]+$",
            ".*",
            r"^\w+:\w+:\w+:\w+$",
            r"^urn:ngsi-ld:Room:\d+$",
            r"^urn:ngsi-ld:(Room|Sensor|Vehicle):[\w-]+:\d{4}$",
            "^urn:ngsi-ld:Building:(store|shop)[0-9]{1,5}(:floor[0-9]{1,3})?$",
            "^urn:ngsi-ld:.*:floor[1-9]:.*$",
            r"^urn:ngsi-ld:Device:[A-Z]{2}\d{2}[A-Z0-9]{1,30}$",
            r"^https?://[\w.-]+/ngsi-ld/entities/[\w:-]+$",
            "^[^:]+:[^:]+:(Room|Sensor):",
            "^(?:[^:]+:){3}[^:]+$",
            ".*(temperature|humidity|pressure).*",
            "^.*Room.*[0-9]{3}.*$",
            r"\bRoom\b",
            r"-\d{1,6}$",
            r"Sensor-\w{4}-\w+",
            r"\w+@\w+\.\w+",
            "^部屋:[0-9]+$",
            r"(?i)room|sensor|vehicle",
            r"(?i)^urn:ngsi-ld:room:[\w.-]+$",
            r"(?i)^\p{L}+:[^:]+:[[a-z]--[aeiou]]+$",
            r"(?i)^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$",
            "^.{1,200}$",
            "^[a-zA-Z0-9_.~:/?#@!$&'()*+,;=%-]{1,256}$",
        ];
        for pattern in others.into_iter().chain(alternations.iter().map(String::as_str)) {
            assert!(IdPattern::parse(pattern).is_ok(), "{pattern}: {}", pattern_error(pattern));
        }
    }
}
