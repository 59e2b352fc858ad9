use std::time::SystemTime;

use entity_stream_protocol::RequestId;

use crate::error::ClientError;
use crate::renewal::FreshToken;
use crate::subscription_request::SubscriptionRequest;

/// An input of the machine.
#[derive(Debug)]
pub(crate) enum Input {
    /// The connection is open.
    Opened,
    /// The attempt to connect, or the connection, failed.
    Failed(ClientError),
    /// The server sent a text frame at this time of the day.
    Received(String, SystemTime),
    /// The deadline has passed.
    Elapsed,
    /// The server has sent something, and more may have arrived: answers may be late, but no other step may wait for a pause.
    Busy,
    /// The program wants a sign of life.
    Ping(RequestId),
    /// The program wants other subscriptions.
    Request(SubscriptionRequest),
    /// The token source returned a fresh token. `None` if it returned the same one.
    Token(Result<Option<FreshToken>, ClientError>),
    /// The network may be back.
    Wake,
    /// The program wants no more.
    Close,
}
