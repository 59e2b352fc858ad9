//! The verdict on missed events, for people.

use std::time::SystemTime;

use entity_stream_client::NotRecovered;
use entity_stream_protocol::EpochMillis;

use crate::terminal::counted;

/// The longest reason of a newer server that is shown, in characters.
const REASON_LENGTH: usize = 64;

/// All events are there.
pub(super) fn recovered(replayed: u64) -> String {
    format!("recovered {}", counted(replayed, "event"))
}

/// Events may be missed since a time, if it is known.
pub(super) fn not_recovered(reason: &NotRecovered, since: Option<SystemTime>) -> String {
    let since = since.map(|since| format!(" since {}", EpochMillis::from(since).to_rfc3339())).unwrap_or_default();
    let cause = match reason {
        NotRecovered::Expired => "the history does not reach back",
        NotRecovered::TooMany => "the server has more events than it delivers again",
        NotRecovered::UnknownPosition => "the server does not know the place",
        NotRecovered::Unavailable => {
            "the server cannot vouch for all of this time: its history is off, is too new or cannot be read, or the state of an \
             entity lacks a change"
        }
        NotRecovered::Other(_) => "the server cannot deliver them again",
    };
    let code: String = reason.as_str().chars().take(REASON_LENGTH).collect();
    format!("may have missed events{since}: {cause} ({code})")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_verdict_is_one_plain_line() {
        assert_eq!(recovered(1), "recovered 1 event");
        assert_eq!(recovered(1700), "recovered 1,700 events");
        let since = SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_323_045_678);
        assert_eq!(
            not_recovered(&NotRecovered::Expired, Some(since)),
            "may have missed events since 2026-01-02T03:04:05Z: the history does not reach back (expired)"
        );
        assert_eq!(
            not_recovered(&NotRecovered::Other("x".repeat(100)), None),
            format!("may have missed events: the server cannot deliver them again ({})", "x".repeat(64))
        );
    }
}
