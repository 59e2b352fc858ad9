//! The only module that writes to the terminal.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::usage_error::UsageError;

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// The reader closed our standard output, as `head` does. This is no failure: the command ends quietly.
#[derive(Debug)]
pub(crate) struct ClosedPipe;

impl fmt::Display for ClosedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for ClosedPipe {}

/// Converts the result of a write to standard output. A closed pipe becomes [`ClosedPipe`].
pub(crate) fn written(result: io::Result<()>) -> anyhow::Result<()> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => ClosedPipe.into(),
        _ => anyhow::Error::new(error).context("cannot write to standard output"),
    })
}

/// Writes one line to standard output and flushes it. Colours are removed unless standard output is a terminal.
pub(crate) fn line(text: impl fmt::Display) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    written(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// Writes one line to standard output, byte for byte, and flushes it.
pub(crate) fn raw_line(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let result = stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(b"\n"));
    written(result.and_then(|()| stdout.flush()))
}

/// Writes control sequences to a terminal on standard output, and then a text. Only the colours of the text are removed
/// where the user wants none.
pub(crate) fn redraw(control: &str, text: &str) -> anyhow::Result<()> {
    written(io::stdout().lock().write_all(control.as_bytes()))?;
    let mut stdout = anstream::stdout().lock();
    written(write!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// Writes one line to standard error.
pub(crate) fn note(text: impl fmt::Display) {
    // If standard error is closed, no reader is left.
    let _ = writeln!(anstream::stderr().lock(), "{}", printable(&text.to_string()));
}

/// Tells a person that a command reads standard input, and would otherwise seem to hang.
pub(crate) fn note_typing() {
    if io::stdin().is_terminal() {
        note("reading from the terminal; Ctrl-D ends the input");
    }
}

/// Writes a text of several lines to standard error, as it is.
pub(crate) fn usage(text: &str) {
    let _ = write!(anstream::stderr().lock(), "{text}");
}

/// Writes the reason of a failure to standard error, in one line, and returns the exit code.
pub(crate) fn failure(error: &anyhow::Error) -> ExitCode {
    if error.is::<ClosedPipe>() {
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(anstream::stderr().lock(), "{ERROR}error:{ERROR:#} {}", printable(&chain(error)));
    if error.is::<UsageError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// An error and its causes. A cause that is part of the text already is left out, because many libraries repeat causes.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The text with each control character replaced. Foreign text must not move the cursor or set a window's title.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let control = |character: char| match character {
        '\n' | '\r' | '\t' => ' ',
        character if character.is_control() => char::REPLACEMENT_CHARACTER,
        character => character,
    };
    if text.contains(char::is_control) { text.chars().map(control).collect::<String>().into() } else { text.into() }
}

/// A URL in a message: without control characters, and without a user name, a password and a query, which can be secrets.
pub(crate) fn shown_url(url: &str) -> String {
    let (url, query) = url.find(['?', '#']).map_or((url, ""), |end| (&url[..end], "?…"));
    let start = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[start..].find('/').map_or(url.len(), |path| start + path);
    let host = url[start..end].rfind('@').map_or(start, |at| start + at);
    let user = if host > start { "…" } else { "" };
    printable(&format!("{}{user}{}{query}", &url[..start], &url[host..])).into_owned()
}

/// A number with separated thousands: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// A count with its noun: `1 event`, `2 events`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(printable("a\u{1b}[2Jb\u{7}\u{9b}c\r\nd é"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c  d é");
        assert!(matches!(printable("plain é"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, expected) in [
            ("http://localhost:3000/x", "http://localhost:3000/x"),
            ("http://me:hidden@host/x", "http://…@host/x"),
            ("me:hid@den@host:1", "…@host:1"),
            ("wss://host/prod?token=hidden", "wss://host/prod?…"),
            ("wss://host/a@b#hidden", "wss://host/a@b?…"),
            ("a b\u{7}", "a b\u{fffd}"),
            ("://", "://"),
            ("é://@", "é://@"),
        ] {
            assert_eq!(shown_url(url), expected);
        }
    }

    #[test]
    fn a_repeated_cause_is_left_out() {
        let error = anyhow::anyhow!("no such file").context("cannot open: no such file").context("cannot start");
        assert_eq!(chain(&error), "cannot start: cannot open: no such file");
    }

    #[test]
    fn counts_have_separators_and_a_plural() {
        assert_eq!(counted(1, "event"), "1 event");
        assert_eq!(counted(0, "event"), "0 events");
        assert_eq!(counted(1_234_567, "event"), "1,234,567 events");
    }
}
