//! The message of an error, without the values that it may repeat.

/// The longest reason, in characters.
const LENGTH: usize = 300;
/// The words before a value in backquotes. Other words in backquotes are the names of fields.
const BEFORE_VALUES: [&str; 7] = ["string", "integer", "point", "boolean", "character", "variant", "value"];

/// Replaces each value that the message of a parser repeats: texts in double quotes, and numbers and variants in
/// backquotes.
pub(crate) fn without_values(message: &str) -> String {
    let mut reason = String::new();
    let mut rest = message;
    while let Some(start) = rest.find(['"', '`']) {
        let (before, quoted) = rest.split_at(start);
        reason.push_str(before);
        let quote = if quoted.starts_with('"') { '"' } else { '`' };
        let last_word = before.trim_end().rsplit(' ').next().unwrap_or_default();
        let is_value = quote == '"' || BEFORE_VALUES.contains(&last_word);
        let length = length_of_quoted(quoted, quote);
        reason.push_str(if is_value { "…" } else { &quoted[..length] });
        rest = &quoted[length..];
    }
    reason.push_str(rest);
    match reason.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason,
    }
}

/// The bytes from the opening quote to the closing one. A text without a closing quote ends with the message.
fn length_of_quoted(quoted: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, character) in quoted.char_indices().skip(1) {
        match character {
            '\\' if quote == '"' && !escaped => escaped = true,
            character if character == quote && !escaped => return index + quote.len_utf8(),
            _ => escaped = false,
        }
    }
    quoted.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_replaced_and_the_names_of_fields_stay() {
        for (message, expected) in [
            ("missing field `tenant` at line 1", "missing field `tenant` at line 1"),
            (r#"invalid type: string "4111-1111", expected a list"#, "invalid type: string …, expected a list"),
            (r#"string "a \" b \\" of `data`"#, "string … of `data`"),
            ("invalid type: integer `42`, expected a string", "invalid type: integer …, expected a string"),
            ("unknown variant `x`, expected `y`", "unknown variant …, expected `y`"),
            (r#"found "cut off"#, "found …"),
            ("a `b", "a `b"),
        ] {
            assert_eq!(without_values(message), expected);
        }
        assert_eq!(without_values(&"é".repeat(1000)).chars().count(), LENGTH + 1);
    }
}
