use serde_json::from_str;

use super::invalid_query::{InvalidQuery, QueryFault};

/// A place in a query. Spaces between the parts of a query have no meaning.
pub(super) struct Cursor<'a> {
    text: &'a str,
    /// The place in bytes, at the beginning of a character.
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The text from here on.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The text after the spaces here.
    pub(super) fn skip_spaces(&mut self) -> &'a str {
        self.at = self.text.len() - self.rest().trim_start().len();
        self.rest()
    }

    /// Takes this many bytes.
    pub(super) fn take(&mut self, length: usize) -> &'a str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    /// Takes a token after spaces, if it is here.
    pub(super) fn takes(&mut self, token: &str) -> bool {
        let found = self.skip_spaces().starts_with(token);
        if found {
            self.take(token.len());
        }
        found
    }

    /// A fault in this place.
    pub(super) fn fault(&self, fault: QueryFault) -> InvalidQuery {
        self.fault_at(fault, self.at)
    }

    /// A fault in an earlier place.
    pub(super) fn fault_at(&self, fault: QueryFault, at: usize) -> InvalidQuery {
        InvalidQuery::at(fault, self.text, at)
    }

    /// The place in bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Takes a quoted text, if one of these quotation marks is here. The escapes are those of JSON; `\'` is an
    /// apostrophe.
    pub(super) fn quoted(&mut self, marks: &[char]) -> Result<Option<String>, InvalidQuery> {
        let start = self.at;
        let Some(mark) = self.rest().chars().next().filter(|c| marks.contains(c)) else { return Ok(None) };
        let mut json = String::from('"');
        let mut escaped = false;
        for (index, c) in self.rest().char_indices().skip(1) {
            match c {
                _ if escaped => {
                    escaped = false;
                    if c != '\'' {
                        json.push('\\');
                    }
                    json.push(c);
                }
                '\\' => escaped = true,
                _ if c == mark => {
                    json.push('"');
                    self.take(index + 1);
                    return from_str(&json).map(Some).map_err(|_| self.fault_at(QueryFault::InvalidEscape, start));
                }
                '"' => json.push_str("\\\""),
                _ => json.push(c),
            }
        }
        Err(self.fault(QueryFault::UnclosedQuote))
    }
}
