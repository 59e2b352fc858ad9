use std::sync::Arc;

use entity_stream_protocol::{Filter, Format, GroupId, Since, Subscription, Tenant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::connection;
use crate::credential::{ClientCredential, CredentialKind, InvalidCredential};
use crate::error::ClientError;
use crate::settings::Settings;
use crate::stream::EntityStream;
use crate::stream_url::StreamUrl;
use crate::subscription_limits;

const USER_AGENT: &str = concat!("entity-stream-client/", env!("CARGO_PKG_VERSION"));

/// A client of one tenant's changes. It can open any number of streams.
#[derive(Clone, Debug)]
pub struct Client(Arc<Settings>);

/// The arguments of a [`Client`]. All but the URL and the tenant are optional.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ClientBuilder {
    url: String,
    tenant: String,
    subscriptions: Vec<Subscription>,
    since: Option<Since>,
    format: Format,
    group: Option<GroupId>,
    credential: Result<Option<ClientCredential>, InvalidCredential>,
    reconnects: bool,
    user_agent: &'static str,
}

impl Client {
    /// A client of this tenant's changes at this WebSocket URL. On AWS the URL ends with the stage.
    pub fn builder(url: impl Into<String>, tenant: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            tenant: tenant.into(),
            subscriptions: vec![Subscription::default()],
            since: None,
            format: Format::default(),
            group: None,
            credential: Ok(None),
            reconnects: true,
            user_agent: USER_AGENT,
        }
    }

    /// A stream of the changes. It connects as soon as it is polled, within a Tokio runtime.
    pub fn connect(&self) -> EntityStream {
        EntityStream::new(Arc::clone(&self.0))
    }

    /// A stream over a connection that the caller opened, for example through a proxy. This function does TLS, if the
    /// URL begins with `wss://`, and the handshake of WebSocket, without a time limit.
    ///
    /// If the stream reconnects, it opens its later connections by itself.
    ///
    /// # Errors
    /// [`ClientError`] if TLS or the handshake fails. There is no second attempt, even if the error is temporary.
    pub async fn connect_over<S>(&self, transport: S) -> Result<EntityStream, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let settings = &self.0;
        let at_opening = if settings.since.is_some() { &[] } else { settings.subscriptions.as_slice() };
        let socket = connection::handshake(Box::new(transport), settings.request(at_opening)).await?;
        Ok(EntityStream::over(Arc::clone(&self.0), socket))
    }

    /// The URL of the stream.
    pub fn url(&self) -> &StreamUrl {
        &self.0.url
    }

    /// The kind of the credential. `None` if the client sends none.
    pub fn credential(&self) -> Option<CredentialKind> {
        self.0.credential
    }
}

impl ClientBuilder {
    /// Receives only the changes that match this filter: the stream begins with one subscription, the default one. Without
    /// it, the client receives every change of the tenant.
    pub fn filter(self, filter: Filter) -> Self {
        self.subscriptions([filter.into()])
    }

    /// Begins with these subscriptions, in place of the default subscription to every change. With an empty list the
    /// stream receives nothing until the program calls [`EntityStream::subscribe`].
    pub fn subscriptions(mut self, subscriptions: impl IntoIterator<Item = Subscription>) -> Self {
        self.subscriptions = subscriptions.into_iter().collect();
        self
    }

    /// Begins each stream at this place in the history, and not with the events that come: at the [`Bookmark`](crate::Bookmark) of an earlier
    /// stream, or at a time.
    ///
    /// After the past events, or without them, the first [`StreamItem::Subscribed`](crate::StreamItem::Subscribed) is followed by [`StreamItem::Recovered`](crate::StreamItem::Recovered)
    /// or [`StreamItem::NotRecovered`](crate::StreamItem::NotRecovered). Events since the bookmark can be repeats of those that the earlier stream handed out, up to
    /// 15 seconds before its position; their ids are the same. A stream without subscriptions ignores the place.
    pub fn since(mut self, since: impl Into<Since>) -> Self {
        self.since = Some(since.into());
        self
    }

    /// Receives events in this format. The default is [`Format::Json`].
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Shares the stream with the other members of this consumer group: each event goes to one of them.
    pub fn group(mut self, group: GroupId) -> Self {
        self.group = Some(group);
        self
    }

    /// Sends this token in the handshake.
    pub fn token(mut self, token: &str) -> Self {
        self.credential = ClientCredential::token(token).map(Some);
        self
    }

    /// Sends this API key in the handshake.
    pub fn api_key(mut self, name: &str, key: &str) -> Self {
        self.credential = ClientCredential::api_key(name, key).map(Some);
        self
    }

    /// Sends this credential in the handshake, or none.
    pub fn credential(mut self, credential: Option<ClientCredential>) -> Self {
        self.credential = Ok(credential);
        self
    }

    /// Sets if the client connects again after a temporary error. The default is `true`. Otherwise each error ends the
    /// stream.
    pub fn reconnect(mut self, reconnects: bool) -> Self {
        self.reconnects = reconnects;
        self
    }

    /// Sends this `User-Agent`, in visible ASCII characters.
    ///
    /// # Panics
    /// If the text has other characters.
    pub fn user_agent(mut self, user_agent: &'static str) -> Self {
        self.user_agent = user_agent;
        self
    }

    /// The client. It has not connected yet.
    ///
    /// # Errors
    /// An error of [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the URL, the tenant or the
    /// credential is invalid, a connection cannot have the subscriptions, or a member of a group begins in the past.
    pub fn build(self) -> Result<Client, ClientError> {
        let tenant = Tenant::parse(&self.tenant)?;
        subscription_limits::check(&self.subscriptions)?;
        if self.since.is_some() && self.group.is_some() {
            return Err(ClientError::SinceInGroup);
        }
        let url = StreamUrl::new(&self.url, &tenant, self.format, self.group.as_ref())?;
        let credential = self.credential?;
        let user_agent = HeaderValue::from_static(self.user_agent);
        let handshake = connection::request(&url, credential.as_ref(), &user_agent)?;
        let credential = credential.as_ref().map(ClientCredential::kind);
        let (subscriptions, since, reconnects) = (self.subscriptions, self.since, self.reconnects);
        Ok(Client(Arc::new(Settings { url, subscriptions, since, credential, handshake, reconnects })))
    }

    /// Builds the client and opens a stream, which connects as soon as it is polled, within a Tokio runtime.
    ///
    /// # Errors
    /// Those of [`build`](Self::build).
    pub fn connect(self) -> Result<EntityStream, ClientError> {
        Ok(self.build()?.connect())
    }
}
