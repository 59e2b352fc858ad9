use crate::timing::StreamTiming;

/// The behaviour of a stream, apart from its subscriptions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamConduct {
    /// True if it connects again after a temporary error.
    pub(crate) reconnects: bool,
    /// True if it is a member of a group.
    pub(crate) is_member: bool,
    /// True if each connection can have another token.
    pub(crate) has_token_source: bool,
    pub(crate) timing: StreamTiming,
}
