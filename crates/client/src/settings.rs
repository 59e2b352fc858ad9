use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use entity_stream_protocol::{Since, Subscription, SubscriptionName};
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::conduct::StreamConduct;
use crate::credential::CredentialKind;
use crate::dpop_key::Possession;
use crate::stream_url::StreamUrl;
use crate::token_source::TokenSource;

/// The valid arguments of a client. Its streams share them.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) url: StreamUrl,
    pub(crate) subscriptions: Vec<Subscription>,
    /// The names of those that begin with a snapshot.
    pub(crate) snapshots: BTreeSet<SubscriptionName>,
    /// The place in the history at which a stream begins.
    pub(crate) since: Option<Since>,
    pub(crate) credential: Option<CredentialKind>,
    /// The key to which the token is bound.
    pub(crate) possession: Option<Arc<Possession>>,
    /// The request of the handshake, without the subscriptions in its URL. It holds the credential.
    pub(crate) handshake: Request,
    pub(crate) conduct: StreamConduct,
    /// The function that returns the token of each connection.
    pub(crate) token_source: Option<TokenSource>,
}

impl Settings {
    /// The request of the handshake of a connection with these subscriptions.
    pub(crate) fn request(&self, subscriptions: &[Subscription]) -> Request {
        let mut request = self.handshake.clone();
        *request.uri_mut() = self.url.opening_with(subscriptions);
        request
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url)
            .field("subscriptions", &self.subscriptions)
            .finish_non_exhaustive()
    }
}
