use entity_stream_delivery::Outcome;

/// The result of an event for one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// API Gateway accepted the event.
    Delivered,
    /// The connection has ended. The function forgot it.
    Gone,
    /// The authorisation of the connection has expired. The function closed it and sent nothing.
    Expired,
    /// API Gateway refuses the event and would refuse it again.
    Rejected,
    /// The connection did not accept the event yet. Holds the reason for the log.
    Failed(String),
}

impl From<Outcome> for Resolution {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Delivered => Self::Delivered,
            Outcome::Gone => Self::Gone,
            Outcome::TooLarge | Outcome::Rejected(_) => Self::Rejected,
            Outcome::Throttled | Outcome::Failed(_) => Self::Failed(outcome.describe().to_owned()),
        }
    }
}
