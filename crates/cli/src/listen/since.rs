use std::time::Duration;

use entity_stream_protocol::{Position, Session, Since};

use crate::arguments::duration;

/// Reads the place in the history at which a listener begins: a time before now, or a position with its session.
pub(crate) fn since(text: &str) -> Result<Since, String> {
    if let Ok(time) = duration(text) {
        // A part of a second counts as a whole one.
        let seconds = (time + Duration::from_nanos(999_999_999)).as_secs();
        return Ok(Since::Seconds { seconds: u32::try_from(seconds).unwrap_or(u32::MAX) });
    }
    // A session has no colon.
    let parts = text.rsplit_once(':').and_then(|(position, session)| {
        Some(Since::Position { position: Position::parse(position).ok()?, session: Session::parse(session).ok()? })
    });
    parts.ok_or_else(|| "expected a time such as 30s, 5m or 1h, or POSITION:SESSION of an earlier answer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_time_or_a_position_with_its_session() {
        for (text, expected) in [("30s", 30), ("5m", 300), ("1h30m", 5400), ("1500ms", 2), ("1ms", 1)] {
            assert_eq!(since(text), Ok(Since::Seconds { seconds: expected }), "{text}");
        }
        let place =
            Since::Position { position: Position::parse("a:1").unwrap(), session: Session::parse("XyZ=").unwrap() };
        assert_eq!(since("a:1:XyZ="), Ok(place));
        for text in ["", "30", "0s", ":s", "a:", "a b:s", "yesterday"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
