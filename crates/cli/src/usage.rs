//! Reads the command line and reports its errors.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::terminal;

/// The first characters of tokens, whose header is a JSON object in base64, and of API keys.
const CREDENTIALS: [&str; 2] = ["eyJ", "es_"];
/// The shortest word that is hidden, in characters. Help has `es_...` in its examples.
const HIDDEN_LENGTH: usize = 7;

/// Reads the command line. Prints its errors, help and version.
///
/// # Errors
/// The exit code, if there is no command to run.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(arguments).map_err(|error| {
        let text = error.to_string();
        let code = u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        match without_credentials(&text) {
            // The help and the version are the result of the command. Without them it has failed.
            Cow::Borrowed(_) if !error.use_stderr() => {
                match terminal::written(error.print().and_then(|()| std::io::stdout().flush())) {
                    Ok(()) => code,
                    Err(error) => terminal::failure(&error),
                }
            }
            Cow::Borrowed(_) => {
                // If standard error is closed, no reader is left.
                let _ = error.print();
                code
            }
            // Without colours, because their codes would stand between the words.
            Cow::Owned(text) => {
                terminal::usage(&text);
                code
            }
        }
    })
}

/// Replaces each word that looks like a credential. Otherwise a credential in the wrong place would be repeated on the
/// screen and in logs.
fn without_credentials(text: &str) -> Cow<'_, str> {
    let is_of_a_word = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    let mut hidden: Vec<&str> = text
        .split(|character| !is_of_a_word(character))
        .map(|word| word.trim_start_matches('-'))
        .filter(|word| word.len() >= HIDDEN_LENGTH && CREDENTIALS.iter().any(|start| word.starts_with(start)))
        .collect();
    // Longest first: a word can be the beginning of another one, whose end would remain.
    hidden.sort_unstable_by_key(|word| Reverse(word.len()));
    hidden.into_iter().fold(Cow::Borrowed(text), |text, word| text.replace(word, "(a credential)").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_look_like_credentials_are_hidden() {
        for (text, expected) in [
            ("unexpected 'eyJhbGciOi.J9-_.x' found", "unexpected '(a credential)' found"),
            ("--count=eyJhbGci, es_0123456789", "--count=(a credential), (a credential)"),
            ("--eyJhbGciOi", "--(a credential)"),
            ("eyJhbGciOi eyJhbGciOi.a", "(a credential) (a credential)"),
        ] {
            assert_eq!(without_credentials(text), expected);
        }
        for text in ["ENTITY_STREAM_API_KEY=es_... entity-stream", "processes_of_es_", "keys create robot"] {
            assert!(matches!(without_credentials(text), Cow::Borrowed(_)), "{text}");
        }
    }
}
