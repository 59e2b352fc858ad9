use std::borrow::Cow;

use crate::limits::CLOSE_REASON_BYTES;

/// The code of a WebSocket close (RFC 6455, section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// 1000: an operator or the system closed the connection.
    Normal,
    /// 1001: the connection was silent or open for too long, or the other side is stopping.
    GoingAway,
    /// 1002: the client broke the WebSocket protocol.
    ProtocolError,
    /// 1003: the client sent a binary frame.
    UnsupportedData,
    /// 1005: the close frame had no code. No frame carries this code.
    NoStatus,
    /// 1006: the connection ended without a close frame. No frame carries this code.
    Abnormal,
    /// 1007: the client sent text that is not UTF-8.
    InvalidData,
    /// 1008: the server refused the client's credential. Connecting again with the same credential fails again.
    PolicyViolation,
    /// 1009: a frame or a message of the client's is too large.
    TooLarge,
    /// 1013: the server cannot accept the connection now. The client can try again later.
    TryAgainLater,
    /// Any other code.
    Other(u16),
}

impl CloseCode {
    /// All codes of the contract, which are all but [`CloseCode::Other`].
    pub const ALL: [Self; 10] = [
        Self::Normal,
        Self::GoingAway,
        Self::ProtocolError,
        Self::UnsupportedData,
        Self::NoStatus,
        Self::Abnormal,
        Self::InvalidData,
        Self::PolicyViolation,
        Self::TooLarge,
        Self::TryAgainLater,
    ];
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        match code {
            CloseCode::Normal => 1000,
            CloseCode::GoingAway => 1001,
            CloseCode::ProtocolError => 1002,
            CloseCode::UnsupportedData => 1003,
            CloseCode::NoStatus => 1005,
            CloseCode::Abnormal => 1006,
            CloseCode::InvalidData => 1007,
            CloseCode::PolicyViolation => 1008,
            CloseCode::TooLarge => 1009,
            CloseCode::TryAgainLater => 1013,
            CloseCode::Other(code) => code,
        }
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self::ALL.into_iter().find(|known| u16::from(*known) == code).unwrap_or(Self::Other(code))
    }
}

/// The end of a connection: the code and the reason of the close frame, and of the `$disconnect` event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    code: CloseCode,
    reason: Cow<'static, str>,
}

impl Close {
    /// The connection was silent or open for too long, or the server is stopping.
    pub const GOING_AWAY: Self = Self::fixed(CloseCode::GoingAway, "Going away");
    /// An operator or the system deleted the connection through the `@connections` API.
    pub const DELETED: Self = Self::fixed(CloseCode::Normal, "Connection Closed Normally");
    /// The client broke the WebSocket protocol.
    pub const PROTOCOL_ERROR: Self = Self::fixed(CloseCode::ProtocolError, "protocol error");
    /// The client sent a binary frame.
    pub const BINARY_FRAME: Self = Self::fixed(CloseCode::UnsupportedData, "binary frames are not supported");
    /// The client sent text that is not UTF-8.
    pub const NOT_UTF8: Self = Self::fixed(CloseCode::InvalidData, "a text message is UTF-8");
    /// A frame or a message of the client's is too large.
    pub const TOO_LARGE: Self = Self::fixed(CloseCode::TooLarge, "a frame has at most 32 KB, a message 128 KB");
    /// The client closed the connection without a code.
    pub const NO_STATUS: Self = Self::fixed(CloseCode::NoStatus, "Client-side close frame status not set");
    /// The connection ended without a close frame. API Gateway's reason is unknown.
    pub const LOST: Self = Self::fixed(CloseCode::Abnormal, "");

    const fn fixed(code: CloseCode, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// A close with any code. A reason of more than 123 bytes is cut at the end of a character, because a close frame has
    /// no room for more.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(CLOSE_REASON_BYTES));
        Self { code, reason: reason.into() }
    }

    /// The server refused the client's credential for this reason.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::new(CloseCode::PolicyViolation, reason)
    }

    /// The code.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason, for people; empty if there is none.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::{FRAME_BYTES, MESSAGE_BYTES};

    #[test]
    fn the_reason_of_too_large_names_the_limits() {
        let (frame, message) = (FRAME_BYTES / 1024, MESSAGE_BYTES / 1024);
        assert_eq!(Close::TOO_LARGE.reason(), format!("a frame has at most {frame} KB, a message {message} KB"));
    }

    proptest! {
        #[test]
        fn every_code_reads_back(code in any::<u16>()) {
            prop_assert_eq!(u16::from(CloseCode::from(code)), code);
        }

        #[test]
        fn every_reason_fits_into_a_close_frame(reason in ".{0,200}") {
            let close = Close::refused(reason.clone());
            prop_assert!(close.reason().len() <= CLOSE_REASON_BYTES && reason.starts_with(close.reason()));
            prop_assert!(close.reason() == reason || close.reason().len() > CLOSE_REASON_BYTES - 4);
        }
    }
}
