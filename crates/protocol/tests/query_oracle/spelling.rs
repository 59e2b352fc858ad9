//! Queries as trees, and the ways to write each.

use std::fmt::Write;

/// A query before it is written.
#[derive(Clone, Debug)]
pub(crate) enum Unwritten {
    Any(Vec<Self>),
    All(Vec<Self>),
    Term(Vec<&'static str>, Vec<&'static str>, UnwrittenTest),
}

#[derive(Clone, Debug)]
pub(crate) enum UnwrittenTest {
    Exists,
    Missing,
    /// A list with `==` or `!=`.
    OneOf(&'static str, Vec<UnwrittenLiteral>),
    /// A range with `==` or `!=`.
    Between(&'static str, UnwrittenLiteral, UnwrittenLiteral),
    Ordered(&'static str, UnwrittenLiteral),
    Like(&'static str, &'static str),
}

#[derive(Clone, Debug)]
pub(crate) enum UnwrittenLiteral {
    /// A number, a date, `true` and the like, which never have quotes.
    Word(String),
    Text(String),
}

/// Writes a query. The choices say how each part is spelled; after the last of them, parts are spelled the shortest way.
pub(crate) fn write(query: &Unwritten, choices: &[u8]) -> String {
    let mut writer = Writer { text: String::new(), choices, depth: 0 };
    writer.query(query, 0);
    writer.text
}

struct Writer<'a> {
    text: String,
    choices: &'a [u8],
    depth: usize,
}

impl Writer<'_> {
    /// Writes a query below an operator that binds with this strength: 0 none, 1 `|`, 2 `;`.
    fn query(&mut self, query: &Unwritten, strength: u8) {
        let needs_parentheses = match query {
            Unwritten::Any(all) => strength > 1 && all.len() > 1,
            Unwritten::All(_) | Unwritten::Term(..) => false,
        };
        let has_parentheses = needs_parentheses || (self.depth < 4 && self.choose(4) == 1);
        self.space();
        if has_parentheses {
            self.depth += 1;
            self.text.push('(');
            self.space();
        }
        match query {
            Unwritten::Any(all) => self.joined(all, '|', 1),
            Unwritten::All(all) => self.joined(all, ';', 2),
            Unwritten::Term(names, members, test) => self.term(names, members, test),
        }
        if has_parentheses {
            self.depth -= 1;
            self.text.push(')');
            self.space();
        }
    }

    fn joined(&mut self, all: &[Unwritten], operator: char, strength: u8) {
        for (number, each) in all.iter().enumerate() {
            if number > 0 {
                self.text.push(operator);
            }
            self.query(each, strength);
        }
    }

    fn term(&mut self, names: &[&str], members: &[&str], test: &UnwrittenTest) {
        if matches!(test, UnwrittenTest::Missing) {
            self.text.push('!');
        }
        self.names(names);
        if !members.is_empty() {
            self.text.push('[');
            self.names(members);
            self.text.push(']');
        }
        match test {
            UnwrittenTest::Exists | UnwrittenTest::Missing => self.space(),
            UnwrittenTest::OneOf(operator, entries) => {
                self.operator(operator);
                for (number, entry) in entries.iter().enumerate() {
                    if number > 0 {
                        self.operator(",");
                    }
                    self.literal(entry);
                }
                self.space();
            }
            UnwrittenTest::Between(operator, least, most) => {
                self.operator(operator);
                self.literal(least);
                self.text.push_str("..");
                self.literal(most);
                self.space();
            }
            UnwrittenTest::Ordered(operator, literal) => {
                self.operator(operator);
                self.literal(literal);
                self.space();
            }
            UnwrittenTest::Like(operator, pattern) => {
                self.operator(operator);
                let is_plain = !pattern.contains([';', '"', '\'', ' ']) && !pattern.is_empty();
                if is_plain && self.choose(2) == 0 { self.text.push_str(pattern) } else { self.quoted(pattern) }
            }
        }
    }

    fn names(&mut self, names: &[&str]) {
        for (number, name) in names.iter().enumerate() {
            if number > 0 {
                self.text.push('.');
            }
            let is_plain = *name == "*" || name.chars().all(|each| each.is_alphanumeric() || each == '_');
            if is_plain && (*name == "*" || self.choose(3) != 1) {
                self.text.push_str(name);
            } else {
                let _ = write!(self.text, "'{}'", name.replace('\\', "\\\\").replace('\'', "\\'"));
            }
        }
    }

    fn literal(&mut self, literal: &UnwrittenLiteral) {
        match literal {
            UnwrittenLiteral::Word(word) => self.text.push_str(word),
            UnwrittenLiteral::Text(text) if is_bare(text) && self.choose(3) != 1 => self.text.push_str(text),
            UnwrittenLiteral::Text(text) => self.quoted(text),
        }
    }

    fn quoted(&mut self, text: &str) {
        let quote = if self.choose(2) == 0 { '"' } else { '\'' };
        self.text.push(quote);
        for each in text.chars() {
            if each == quote || each == '\\' {
                self.text.push('\\');
                self.text.push(each);
            } else if self.choose(9) == 1 {
                for unit in each.encode_utf16(&mut [0; 2]) {
                    let _ = write!(self.text, "\\u{unit:04x}");
                }
            } else {
                self.text.push(each);
            }
        }
        self.text.push(quote);
    }

    fn operator(&mut self, operator: &str) {
        self.space();
        self.text.push_str(operator);
        self.space();
    }

    fn space(&mut self) {
        if self.choose(5) == 1 {
            self.text.push(' ');
        }
    }

    fn choose(&mut self, of: u8) -> u8 {
        let Some((first, rest)) = self.choices.split_first() else { return 0 };
        self.choices = rest;
        first % of
    }
}

/// The text is a string without quotes, too.
fn is_bare(text: &str) -> bool {
    text.starts_with(char::is_alphabetic)
        && text.chars().all(|each| each.is_alphanumeric() || ":_-/.".contains(each))
        && !text.contains("..")
        && !["true", "false", "null"].contains(&text)
}
