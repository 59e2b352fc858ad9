//! Positions, sessions and verdicts of any kind, for the property tests.

use entity_stream_protocol::limits::POSITION_LENGTH;
use entity_stream_protocol::{EpochMillis, NotRecovered, Position, Recovery, Session, Since};
use proptest::prelude::*;

/// Any position, of this server or of a newer one.
pub(crate) fn position() -> impl Strategy<Value = Position> {
    prop_oneof![
        (0..i64::MAX, any::<u64>()).prop_map(|(millis, salt)| Position::new(EpochMillis::new(millis), salt)),
        "[!-~]{1,64}".prop_map(|text| Position::parse(text).unwrap()),
        Just(Position::parse("~".repeat(POSITION_LENGTH)).unwrap()),
    ]
}

pub(crate) fn session() -> impl Strategy<Value = Session> {
    prop_oneof![
        "[A-Za-z0-9_=-]{1,128}".prop_map(|text| Session::parse(text).unwrap()),
        Just(Session::parse("s".repeat(128)).unwrap()),
    ]
}

pub(crate) fn since() -> impl Strategy<Value = Since> {
    prop_oneof![
        (position(), session()).prop_map(|(position, session)| Since::Position { position, session }),
        any::<u32>().prop_map(|seconds| Since::Seconds { seconds }),
    ]
}

/// Any verdict that a server sends.
pub(crate) fn recovery() -> impl Strategy<Value = Recovery> {
    prop_oneof![
        any::<u32>().prop_map(|replayed| Recovery::Recovered { replayed }),
        prop::sample::select(NotRecovered::ALL.to_vec()).prop_map(Recovery::NotRecovered),
    ]
}
