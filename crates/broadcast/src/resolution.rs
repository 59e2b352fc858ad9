use entity_stream_delivery::Outcome;

/// The final result of an event for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// API Gateway accepted the event.
    Delivered,
    /// The connection has ended, and the function forgot it.
    Gone,
    /// The authorisation of the connection has expired. The function sent nothing and closed the connection.
    Expired,
    /// API Gateway refuses the event for this connection and would refuse it again.
    Rejected,
    /// The connection took nothing for ten seconds. The function closed and forgot it.
    Closed,
}

impl Resolution {
    /// Returns whether the connection can receive no other event either.
    pub(crate) fn ends_the_connection(self) -> bool {
        matches!(self, Self::Gone | Self::Expired)
    }
}

/// The result of one attempt to send an event to one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// No further attempt is needed.
    Resolved(Resolution),
    /// Another attempt can succeed. Holds the reason why this one did not.
    NotYet(String),
    /// The table did not answer, so the resolution is unknown. Holds the reason.
    TableFailed(String),
}

impl From<Outcome> for Sending {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Delivered => Self::Resolved(Resolution::Delivered),
            Outcome::Gone => Self::Resolved(Resolution::Gone),
            Outcome::TooLarge | Outcome::Rejected(_) => Self::Resolved(Resolution::Rejected),
            Outcome::Throttled | Outcome::Failed(_) => Self::NotYet(outcome.describe().to_owned()),
        }
    }
}
