//! The client of the commands.

use anyhow::anyhow;
use entity_stream_client::{Client, ClientBuilder, ClientCredential};
use entity_stream_protocol::Tenant;

use crate::refusal::{explain, noun};
use crate::terminal;
use crate::usage_error::usage_error;

const USER_AGENT: &str = concat!("entity-stream/", env!("CARGO_PKG_VERSION"));

/// The arguments that each client of a command has.
pub(crate) fn builder(url: &str, tenant: &Tenant, credential: Option<&ClientCredential>) -> ClientBuilder {
    Client::builder(url, tenant.as_str()).credential(credential.cloned()).user_agent(USER_AGENT)
}

/// Builds a client. An error names the option to change.
pub(crate) fn build(builder: ClientBuilder) -> anyhow::Result<Client> {
    builder.build().map_err(|error| usage_error(anyhow!(explain(&error, None))))
}

/// Warns if the credential crosses a network unencrypted.
pub(crate) fn warn_if_exposed(client: &Client) {
    if let Some(credential) = client.credential().filter(|_| client.url().is_exposed()) {
        let noun = noun(credential);
        terminal::note(format!("warning: the {noun} is sent unencrypted; use wss:// unless you trust the network"));
    }
}
