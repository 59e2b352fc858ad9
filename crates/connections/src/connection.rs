use entity_stream_protocol::limits::CONNECTION_LIFETIME;
use entity_stream_protocol::{
    Acknowledgement, ConnectionId, EpochMillis, Format, GroupId, Session, Subscription, SubscriptionName, Tenant,
};

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
    /// The subscriptions, each with another name, in the order of their names; the default subscription is the first.
    pub subscriptions: Vec<Subscription>,
    /// Which messages are answered; `None` as the deployment says.
    pub acknowledgement: Option<Acknowledgement>,
    /// The format of its events.
    pub format: Format,
    /// The consumer group of the connection, if it belongs to one.
    pub group: Option<GroupId>,
    /// True if the client takes several events in one frame.
    pub takes_batches: bool,
    /// The earlier session whose place the connection has taken; `None` if the connection began its session.
    pub resumed: Option<Session>,
    /// The time at which the connection last asked for past events.
    pub resumed_at: Option<EpochMillis>,
    /// The right to listen.
    pub authorisation: Authorisation,
}

impl Connection {
    /// The subscription with this name; `None` if the connection has none.
    pub fn subscription(&self, name: &SubscriptionName) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.name == *name)
    }

    /// The session of the connection.
    pub fn session(&self) -> Session {
        self.resumed.clone().unwrap_or_else(|| Session::from(self.id.clone()))
    }

    /// Adds a subscription, which replaces the one of the same name.
    pub(crate) fn add(&mut self, subscription: Subscription) {
        match self.subscriptions.binary_search_by(|each| each.name.cmp(&subscription.name)) {
            Ok(index) => self.subscriptions[index] = subscription,
            Err(index) => self.subscriptions.insert(index, subscription),
        }
    }

    /// The time at which the record expires. API Gateway has closed the connection by then.
    pub fn expires_at(&self) -> EpochMillis {
        self.connected_at.plus(CONNECTION_LIFETIME)
    }
}
