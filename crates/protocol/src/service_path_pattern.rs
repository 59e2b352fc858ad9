use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::SERVICE_PATH_LENGTH;

/// The service paths that a subscription selects: one path, such as `/madrid/parks`, or a path and everything below it, such as
/// `/madrid/#`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServicePathPattern(String);

/// The text is not a service path. The messages are for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServicePathPattern {
    /// It does not begin with a slash.
    #[error("servicePath begins with a slash; send a path such as /madrid or /madrid/#")]
    NoSlash,
    /// It has too many characters.
    #[error("servicePath has at most {SERVICE_PATH_LENGTH} characters; send a shorter path")]
    TooLong,
    /// `#` is not a whole last segment.
    #[error(
        "servicePath has # in the wrong place; # stands for everything below and is the last segment, as in /madrid/#"
    )]
    Wildcard,
    /// It names several paths.
    #[error("servicePath is one path; send a subscription for each path, or a path that ends in /#")]
    Several,
}

impl ServicePathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`InvalidServicePathPattern`] if the text does not begin with a slash, is too long, has `#` elsewhere than as its last
    /// segment, or names several paths.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidServicePathPattern> {
        let text = text.into();
        if !text.starts_with('/') {
            return Err(InvalidServicePathPattern::NoSlash);
        }
        if text.chars().count() > SERVICE_PATH_LENGTH {
            return Err(InvalidServicePathPattern::TooLong);
        }
        if text.contains(',') {
            return Err(InvalidServicePathPattern::Several);
        }
        if text.strip_suffix("/#").unwrap_or(&text).contains('#') {
            return Err(InvalidServicePathPattern::Wildcard);
        }
        Ok(Self(text))
    }

    /// The pattern as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether a service path is selected. Upper and lower case differ, as in NGSI brokers. `/madrid/` is `/madrid`.
    pub fn matches(&self, service_path: &str) -> bool {
        let trimmed = |path: &'_ str| path.len() - usize::from(path.ends_with('/'));
        let path = &service_path[..trimmed(service_path)];
        match self.0.strip_suffix("/#") {
            Some(root) => path.strip_prefix(root).is_some_and(|below| below.is_empty() || below.starts_with('/')),
            None => path == &self.0[..trimmed(&self.0)],
        }
    }
}

impl TryFrom<String> for ServicePathPattern {
    type Error = InvalidServicePathPattern;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl From<ServicePathPattern> for String {
    fn from(pattern: ServicePathPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for ServicePathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_selects_itself_and_with_a_wildcard_everything_below() {
        for (pattern, path, matches) in [
            ("/", "/", true),
            ("/", "/madrid", false),
            ("/#", "/", true),
            ("/#", "/madrid/parks", true),
            ("/madrid", "/madrid", true),
            ("/madrid", "/madrid/", true),
            ("/madrid/", "/madrid", true),
            ("/madrid", "/madrid/parks", false),
            ("/madrid", "/Madrid", false),
            ("/madrid/#", "/madrid", true),
            ("/madrid/#", "/madrid/parks/1", true),
            ("/madrid/#", "/madrid2", false),
            ("/madrid/#", "/", false),
            ("/madrid/#", "", false),
        ] {
            assert_eq!(ServicePathPattern::parse(pattern).unwrap().matches(path), matches, "{pattern} {path}");
        }
    }

    #[test]
    fn faults_are_named() {
        for (text, fault) in [
            ("", InvalidServicePathPattern::NoSlash),
            ("madrid", InvalidServicePathPattern::NoSlash),
            ("/a#", InvalidServicePathPattern::Wildcard),
            ("/#/a", InvalidServicePathPattern::Wildcard),
            ("/a/#/#", InvalidServicePathPattern::Wildcard),
            ("/a,/b", InvalidServicePathPattern::Several),
            (&format!("/{}", "a".repeat(1024)), InvalidServicePathPattern::TooLong),
        ] {
            assert_eq!(ServicePathPattern::parse(text), Err(fault), "{text}");
        }
    }
}
