use std::collections::BTreeSet;
use std::fmt;

use entity_stream_protocol::{Since, Subscription, SubscriptionName, Tenant};
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::conduct::StreamConduct;
use crate::credential::{ClientCredential, CredentialKind};
use crate::stream_url::StreamUrl;
use crate::token_source::TokenSource;

/// The valid arguments of a client. Its streams share them.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) url: StreamUrl,
    pub(crate) tenant: Tenant,
    pub(crate) subscriptions: Vec<Subscription>,
    /// The names of the subscriptions that begin with a snapshot.
    pub(crate) snapshots: BTreeSet<SubscriptionName>,
    /// The place in the history at which a stream begins.
    pub(crate) since: Option<Since>,
    /// The credential of each connection, without a token source.
    pub(crate) credential: Option<ClientCredential>,
    /// The function that returns the token of each connection.
    pub(crate) token_source: Option<TokenSource>,
    /// True if the token is in the first message, and not in the handshake.
    pub(crate) is_in_band: bool,
    /// The request of the handshake, without the subscriptions in its URL and without the credential.
    pub(crate) handshake: Request,
    pub(crate) conduct: StreamConduct,
}

impl Settings {
    /// The request of the handshake of a connection with these subscriptions. A connection that authenticates with a message opens
    /// without a subscription, so that no event comes before the answer to that message.
    pub(crate) fn request(&self, subscriptions: &[Subscription]) -> Request {
        let mut request = self.handshake.clone();
        let subscriptions = if self.has_first_message() { &[] } else { subscriptions };
        *request.uri_mut() = self.url.opening_with(subscriptions);
        request
    }

    /// The kind of the credential. `None` if the client sends none.
    pub(crate) fn credential_kind(&self) -> Option<CredentialKind> {
        let sourced = self.token_source.as_ref().map(|_| CredentialKind::Token);
        sourced.or_else(|| self.credential.as_ref().map(ClientCredential::kind))
    }

    fn has_first_message(&self) -> bool {
        let is_bound = match &self.token_source {
            Some(source) => source.is_bound(),
            None => self.credential.as_ref().is_some_and(ClientCredential::is_bound),
        };
        is_bound || (self.is_in_band && self.credential_kind().is_some())
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
