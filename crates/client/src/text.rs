//! Text of the server, made safe to repeat in an error or a log.

/// The longest text of the server that is repeated, in characters.
const LONGEST: usize = 200;

/// The text on one line, without control characters, at most 200 characters long. A server must not move the cursor of
/// a terminal or forge a line of a log.
pub(crate) fn repeatable(text: &str) -> String {
    let printable = |character: char| match character {
        '\n' | '\r' | '\t' => ' ',
        character if character.is_control() => char::REPLACEMENT_CHARACTER,
        character => character,
    };
    text.trim().chars().take(LONGEST).map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_text_is_short_and_has_no_control_characters() {
        assert_eq!(repeatable(" a\u{1b}[2J\r\nb\u{7} é "), "a\u{fffd}[2J  b\u{fffd} é");
        assert_eq!(repeatable(&"é".repeat(9999)).chars().count(), LONGEST);
    }
}
