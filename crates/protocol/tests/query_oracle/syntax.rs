//! Reads a query to a tree.

use serde_json::{Number, Value};

use crate::instants;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OracleQuery {
    Any(Vec<Self>),
    All(Vec<Self>),
    Exists(OraclePath),
    Missing(OraclePath),
    /// `==` or, if the flag is false, `!=`, with the entries of a list.
    OneOf(OraclePath, bool, Vec<OracleEntry>),
    Ordered(OraclePath, String, OracleLiteral),
    /// `~=` or, if the flag is false, `!~=`.
    Like(OraclePath, bool, String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OraclePath {
    pub(crate) names: Vec<String>,
    pub(crate) members: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OracleEntry {
    Single(OracleLiteral),
    Between(OracleLiteral, OracleLiteral),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OracleLiteral {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    DateTime(i128),
    TimeOfDay(i128),
}

/// Reads a whole query. The text is not for clients, so the error is only a place.
pub(crate) fn read(text: &str) -> Result<OracleQuery, usize> {
    let mut rest = Rest { characters: text.chars().collect(), at: 0 };
    let query = rest.disjunction()?;
    rest.spaces();
    if rest.at == rest.characters.len() { Ok(query) } else { Err(rest.at) }
}

struct Rest {
    characters: Vec<char>,
    at: usize,
}

impl Rest {
    fn disjunction(&mut self) -> Result<OracleQuery, usize> {
        let mut all = vec![self.conjunction()?];
        while self.take("|") {
            all.push(self.conjunction()?);
        }
        Ok(OracleQuery::Any(all))
    }

    fn conjunction(&mut self) -> Result<OracleQuery, usize> {
        let mut all = vec![self.term()?];
        while self.take(";") {
            all.push(self.term()?);
        }
        Ok(OracleQuery::All(all))
    }

    fn term(&mut self) -> Result<OracleQuery, usize> {
        if self.take("(") {
            let inner = self.disjunction()?;
            return if self.take(")") { Ok(inner) } else { Err(self.at) };
        }
        if self.take("!") {
            return Ok(OracleQuery::Missing(self.path()?));
        }
        let path = self.path()?;
        for (operator, is_positive) in [("!~=", false), ("~=", true)] {
            if self.take(operator) {
                return Ok(OracleQuery::Like(path, is_positive, self.pattern()?));
            }
        }
        for (operator, is_positive) in [("==", true), ("!=", false)] {
            if self.take(operator) {
                let mut entries = vec![self.entry()?];
                while self.take(",") {
                    entries.push(self.entry()?);
                }
                return Ok(OracleQuery::OneOf(path, is_positive, entries));
            }
        }
        for operator in [">=", "<=", ">", "<"] {
            if self.take(operator) {
                return Ok(OracleQuery::Ordered(path, operator.to_owned(), self.literal()?));
            }
        }
        Ok(OracleQuery::Exists(path))
    }

    fn path(&mut self) -> Result<OraclePath, usize> {
        let (names, mut members) = (self.dotted()?, Vec::new());
        if self.take("[") {
            members = self.dotted()?;
            if !self.take("]") {
                return Err(self.at);
            }
        }
        Ok(OraclePath { names, members })
    }

    fn dotted(&mut self) -> Result<Vec<String>, usize> {
        let mut names = vec![self.name()?];
        while self.take(".") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    fn name(&mut self) -> Result<String, usize> {
        self.spaces();
        if self.peek() == Some('\'') {
            return self.quoted('\'');
        }
        if self.take("*") {
            return Ok("*".to_owned());
        }
        let mut name = String::new();
        while let Some(next) = self.peek().filter(|next| next.is_alphanumeric() || "_-@$".contains(*next)) {
            name.push(next);
            self.at += 1;
        }
        if name.is_empty() { Err(self.at) } else { Ok(name) }
    }

    fn entry(&mut self) -> Result<OracleEntry, usize> {
        let first = self.literal()?;
        Ok(if self.take("..") { OracleEntry::Between(first, self.literal()?) } else { OracleEntry::Single(first) })
    }

    fn literal(&mut self) -> Result<OracleLiteral, usize> {
        self.spaces();
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            return Ok(OracleLiteral::Text(self.quoted(quote)?));
        }
        let mut text = String::new();
        while let Some(next) = self.peek().filter(|next| !";|(), ".contains(*next)) {
            if next == '.' && self.characters.get(self.at + 1) == Some(&'.') {
                break;
            }
            text.push(next);
            self.at += 1;
        }
        if text.is_empty() { Err(self.at) } else { Ok(bare(text)) }
    }

    fn pattern(&mut self) -> Result<String, usize> {
        self.spaces();
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            return self.quoted(quote);
        }
        let (mut text, mut depth) = (String::new(), 0);
        while let Some(next) = self.peek() {
            if depth == 0 && ";|)".contains(next) {
                break;
            }
            depth += i32::from(next == '(') - i32::from(next == ')');
            text.push(next);
            self.at += 1;
        }
        if text.is_empty() { Err(self.at) } else { Ok(text) }
    }

    fn quoted(&mut self, quote: char) -> Result<String, usize> {
        self.at += 1;
        let mut json = String::from("\"");
        loop {
            let next = self.peek().ok_or(self.at)?;
            self.at += 1;
            match next {
                '\\' => {
                    let escaped = self.peek().ok_or(self.at)?;
                    self.at += 1;
                    // JSON has no escaped apostrophe.
                    if escaped != '\'' {
                        json.push('\\');
                    }
                    json.push(escaped);
                }
                _ if next == quote => break,
                '"' => json.push_str("\\\""),
                _ => json.push(next),
            }
        }
        json.push('"');
        serde_json::from_str(&json).map_err(|_| self.at)
    }

    fn take(&mut self, token: &str) -> bool {
        self.spaces();
        let token: Vec<char> = token.chars().collect();
        let is_next = self.characters[self.at..].starts_with(&token);
        self.at += if is_next { token.len() } else { 0 };
        is_next
    }

    fn spaces(&mut self) {
        while self.peek() == Some(' ') {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }
}

/// A value without quotes is what it looks like.
fn bare(text: String) -> OracleLiteral {
    match serde_json::from_str(&text) {
        Ok(Value::Null) => return OracleLiteral::Null,
        Ok(Value::Bool(value)) => return OracleLiteral::Boolean(value),
        Ok(Value::Number(value)) => return OracleLiteral::Number(value),
        _ => {}
    }
    if let Some(instant) = instants::date_time(&text) {
        return OracleLiteral::DateTime(instant);
    }
    match instants::time_of_day(&text) {
        Some(time) => OracleLiteral::TimeOfDay(time),
        None => OracleLiteral::Text(text),
    }
}
