use std::fmt;

use serde::{Deserialize, Serialize};

use crate::epoch_millis::EpochMillis;
use crate::limits::POSITION_LENGTH;

/// A place in the history of a tenant. Positions compare as text: a later one is greater. Clients keep it as it is; only the
/// server reads a time from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Position(String);

/// The text is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position has 1 to {POSITION_LENGTH} letters, digits and punctuation marks of ASCII")]
pub struct InvalidPosition;

/// The digits of the time. Twelve hexadecimal digits of milliseconds last until the year 10889.
const TIME_DIGITS: usize = 12;
/// The digits after it, which tell positions of the same millisecond apart.
const SALT_DIGITS: usize = 16;

impl Position {
    /// The position of an event that is written at this time. `salt` is random, so that two events never have the same
    /// position.
    pub fn new(at: EpochMillis, salt: u64) -> Self {
        let millis = at.millis().min((1 << (4 * TIME_DIGITS)) - 1);
        Self(format!("{millis:0TIME_DIGITS$x}{salt:0SALT_DIGITS$x}"))
    }

    /// Reads a position, which may be one of a newer server.
    ///
    /// # Errors
    /// [`InvalidPosition`] for any text other than 1 to 64 printable characters of ASCII.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidPosition> {
        let text = text.into();
        let is_valid = (1..=POSITION_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid { Ok(Self(text)) } else { Err(InvalidPosition) }
    }

    /// The position as the server gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The time of a position that [`Position::new`] made; `None` for any other.
    pub fn time(&self) -> Option<EpochMillis> {
        let (time, _) = self.digits()?;
        Some(EpochMillis::new(i64::from_str_radix(time, 16).ok()?))
    }

    /// The salt of a position that [`Position::new`] made; `None` for any other.
    pub fn salt(&self) -> Option<u64> {
        let (_, salt) = self.digits()?;
        u64::from_str_radix(salt, 16).ok()
    }

    /// The digits of the time and of the salt.
    fn digits(&self) -> Option<(&str, &str)> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if self.0.len() != TIME_DIGITS + SALT_DIGITS || !self.0.bytes().all(is_digit) {
            return None;
        }
        Some(self.0.split_at(TIME_DIGITS))
    }
}

impl TryFrom<String> for Position {
    type Error = InvalidPosition;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_position_is_opaque_text_of_bounded_length() {
        assert_eq!(Position::new(EpochMillis::new(1_767_323_045_000), 7).as_str(), "019b7ca98c880000000000000007");
        for text in ["x", "a-newer/form=1", &"z".repeat(POSITION_LENGTH)] {
            assert_eq!(Position::parse(text).unwrap().time(), None, "{text:?}");
        }
        for text in ["", "a b", "é", "\n", &"z".repeat(POSITION_LENGTH + 1)] {
            assert_eq!(Position::parse(text), Err(InvalidPosition), "{text:?}");
        }
        assert_eq!(Position::parse("019B7CD344880000000000000007").unwrap().time(), None, "digits are lower case");
    }

    proptest! {
        #[test]
        fn a_later_position_is_greater(earlier in 0..1_i64 << 48, later in 0..1_i64 << 48, salt: u64, other: u64) {
            let (one, two) = (Position::new(EpochMillis::new(earlier), salt), Position::new(EpochMillis::new(later), other));
            prop_assert_eq!((earlier, salt).cmp(&(later, other)), one.cmp(&two));
            prop_assert_eq!((one.time(), one.salt()), (Some(EpochMillis::new(earlier)), Some(salt)));
            prop_assert_eq!(Position::parse(one.to_string()), Ok(one));
        }
    }
}
