use std::fmt;

use entity_stream_protocol::Filter;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::credential::CredentialKind;
use crate::stream_url::StreamUrl;

/// The valid arguments of a client. Its streams share them.
pub(crate) struct Settings {
    pub(crate) url: StreamUrl,
    pub(crate) filter: Filter,
    pub(crate) credential: Option<CredentialKind>,
    /// The request of the handshake. It holds the credential.
    pub(crate) request: Request,
    pub(crate) reconnects: bool,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("url", &self.url).field("filter", &self.filter).finish_non_exhaustive()
    }
}
