/// What became of one message to one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// API Gateway took it. That is no acknowledgement by the client.
    Delivered,
    /// There is no such connection (`GoneException`, 410): it has ended, or `$connect` has not returned yet.
    Gone,
    /// Its authorisation has expired: nothing may be sent to it, and it is closed.
    Expired,
    /// The message is over 128 KB (`PayloadTooLargeException`, 413).
    TooLarge,
    /// The account's rate, or the client's buffer, is exhausted (`LimitExceededException`, 429).
    Throttled,
    /// It may work if tried again: 403, 5xx, a time-out, a connection that broke.
    Failed(String),
    /// It cannot work, however often it is tried: any other refusal.
    Rejected(String),
}

impl Outcome {
    /// Whether trying again can change it. What is gone may be arriving; that is for the caller to judge by its age.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Throttled | Self::Failed(_))
    }

    /// What to write into a log.
    pub fn describe(&self) -> &str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Expired => "expired",
            Self::TooLarge => "too large",
            Self::Throttled => "throttled",
            Self::Failed(reason) | Self::Rejected(reason) => reason,
        }
    }
}
