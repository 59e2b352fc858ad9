/// The answer to the next handshake in place of a connection that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakePlan {
    /// This HTTP status.
    Refuse(u16),
    /// A connection that the server closes at once with this code.
    CloseWith(u16),
    /// Nothing. The TCP connection stays open.
    Stall,
}
