use entity_stream_protocol::limits::CONNECTION_LIFETIME;
use entity_stream_protocol::{ConnectionId, EpochMillis, Filter, Format, GroupId, Tenant};

use crate::authorisation::Authorisation;

/// A registered connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// API Gateway's id.
    pub id: ConnectionId,
    /// The tenant whose changes the connection receives.
    pub tenant: Tenant,
    /// The time at which API Gateway began the handshake.
    pub connected_at: EpochMillis,
    /// The filter; `None` while the connection is unsubscribed.
    pub filter: Option<Filter>,
    /// The format of its events.
    pub format: Format,
    /// The consumer group of the connection, if it belongs to one.
    pub group: Option<GroupId>,
    /// The right to listen.
    pub authorisation: Authorisation,
}

impl Connection {
    /// The time at which the record expires. API Gateway has closed the connection by then.
    pub fn expires_at(&self) -> EpochMillis {
        self.connected_at.plus(CONNECTION_LIFETIME)
    }
}
