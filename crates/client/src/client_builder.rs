use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use entity_stream_protocol::{Filter, Format, GroupId, Since, Subscription, SubscriptionName, Tenant};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::client::Client;
use crate::conduct::StreamConduct;
use crate::connection;
use crate::credential::{ClientCredential, CredentialKind, InvalidCredential};
use crate::dpop_key::DpopKey;
use crate::error::ClientError;
use crate::settings::Settings;
use crate::stream::EntityStream;
use crate::stream_url::StreamUrl;
use crate::subscription_limits::{self, InvalidSubscriptions};
use crate::timing::StreamTiming;
use crate::token_source::TokenSource;

const USER_AGENT: &str = concat!("entity-stream-client/", env!("CARGO_PKG_VERSION"));

/// The arguments of a [`Client`]. All but the URL and the tenant are optional.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ClientBuilder {
    url: String,
    tenant: String,
    subscriptions: Vec<Subscription>,
    snapshots: BTreeSet<SubscriptionName>,
    since: Option<Since>,
    format: Format,
    group: Option<GroupId>,
    credential: Result<Option<ClientCredential>, InvalidCredential>,
    reconnects: bool,
    timing: StreamTiming,
    token_source: Option<TokenSource>,
    is_in_band: bool,
    user_agent: &'static str,
}

impl Client {
    /// A client of this tenant's changes at this WebSocket URL. On AWS the URL ends with the stage.
    pub fn builder(url: impl Into<String>, tenant: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            tenant: tenant.into(),
            subscriptions: vec![Subscription::default()],
            snapshots: BTreeSet::new(),
            since: None,
            format: Format::default(),
            group: None,
            credential: Ok(None),
            reconnects: true,
            timing: StreamTiming::DEFAULT,
            token_source: None,
            is_in_band: false,
            user_agent: USER_AGENT,
        }
    }
}

impl ClientBuilder {
    /// Receives only the changes that match this filter: the stream begins with one subscription, the default one. Without
    /// it, the client receives every change of the tenant.
    pub fn filter(self, filter: Filter) -> Self {
        self.subscriptions([filter.into()])
    }

    /// Begins with these subscriptions, in place of the default subscription to every change. With an empty list the
    /// stream has no connection until the program calls [`EntityStream::subscribe`].
    pub fn subscriptions(mut self, subscriptions: impl IntoIterator<Item = Subscription>) -> Self {
        self.subscriptions = subscriptions.into_iter().collect();
        self
    }

    /// Begins these subscriptions of the stream with a snapshot: the entities that match come as
    /// [`StreamItem::Snapshot`](crate::StreamItem::Snapshot), and then
    /// [`StreamItem::SnapshotComplete`](crate::StreamItem::SnapshotComplete). Changes that come meanwhile are events.
    /// [`Client::entities`] does the rest: it keeps the entities.
    ///
    /// After a lost connection the stream recovers the events that it missed, or gets the snapshot again. The same holds
    /// for a stream that begins [in the past](Self::since). The server has to keep entity state.
    ///
    /// ```
    /// use entity_stream_client::{Client, SubscriptionName};
    ///
    /// let builder = Client::builder("ws://localhost:3000", "demo").snapshots([SubscriptionName::DEFAULT]);
    /// # drop(builder);
    /// ```
    pub fn snapshots(mut self, names: impl IntoIterator<Item = SubscriptionName>) -> Self {
        self.snapshots = names.into_iter().collect();
        self
    }

    /// Begins each stream at this place in the history, and not with the events that come: at the
    /// [`Bookmark`](crate::Bookmark) of an earlier stream, or at a time.
    ///
    /// After the past events, or without them, the first [`StreamItem::Subscribed`](crate::StreamItem::Subscribed) is
    /// followed by [`StreamItem::Recovered`](crate::StreamItem::Recovered) or
    /// [`StreamItem::NotRecovered`](crate::StreamItem::NotRecovered). Events since the bookmark can be repeats of those
    /// that the earlier stream handed out, up to 15 seconds before its position; their ids are the same. A stream that begins
    /// without subscriptions begins there with its first ones.
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

    /// Sends this token, in the handshake unless [`authenticate_in_band`](Self::authenticate_in_band) is set.
    pub fn token(mut self, token: &str) -> Self {
        self.credential = ClientCredential::token(token).map(Some);
        self
    }

    /// Sends this token as [`token`](Self::token) does. The token is bound to this key (DPoP): the client proves on each connection
    /// that it has the key.
    pub fn bound_token(mut self, token: &str, key: DpopKey) -> Self {
        self.credential = ClientCredential::bound_token(token, key).map(Some);
        self
    }

    /// Sends this API key in the handshake.
    pub fn api_key(mut self, name: &str, key: &str) -> Self {
        self.credential = ClientCredential::api_key(name, key).map(Some);
        self
    }

    /// Sends this credential, or none.
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

    /// Sets the times of the stream.
    pub fn timing(mut self, timing: StreamTiming) -> Self {
        self.timing = timing;
        self
    }

    /// Sends the tokens of this function, in place of a token that is always the same. The stream calls it before each connection,
    /// and before the end of a token: it renews the token over the open connection, which loses no event. A token that the server
    /// has refused is not sent again: the stream asks for another one once, and then ends.
    ///
    /// The function returns a JSON Web Token without `Bearer`. An error is temporary: the stream tries again.
    ///
    /// ```no_run
    /// use entity_stream_client::Client;
    ///
    /// # async fn log_in() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// let builder = Client::builder("wss://stream.example.com/prod", "demo").token_source(|| async { log_in().await });
    /// # drop(builder);
    /// ```
    pub fn token_source<F, T, E>(mut self, source: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<String, E>> + Send + 'static,
        E: fmt::Display,
    {
        self.token_source = Some(TokenSource::new(source, None));
        self
    }

    /// The same with tokens that are bound to this key (DPoP). The client proves on each connection, and with each renewal, that it
    /// has the key.
    pub fn bound_token_source<F, T, E>(mut self, source: F, key: DpopKey) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<String, E>> + Send + 'static,
        E: fmt::Display,
    {
        self.token_source = Some(TokenSource::new(source, Some(key)));
        self
    }

    /// Sends the token in the first message (`authenticate`) and not in the handshake. The default is `false`. The server needs
    /// `AUTH_IN_BAND`: it accepts a connection without a credential, and sends no event before it has accepted the token.
    ///
    /// The errors are the same in both ways: a refused token is
    /// [`ErrorKind::CredentialRefused`](crate::ErrorKind::CredentialRefused). An API key cannot be in a message.
    ///
    /// ```
    /// use entity_stream_client::Client;
    ///
    /// let builder = Client::builder("ws://localhost:3000", "demo").token("a.b.c").authenticate_in_band(true);
    /// # drop(builder);
    /// ```
    pub fn authenticate_in_band(mut self, is_in_band: bool) -> Self {
        self.is_in_band = is_in_band;
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

    /// The client, which has not connected yet.
    ///
    /// # Errors
    /// An error of [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the URL, the tenant or the
    /// credential is invalid, an API key would have to be in a message, a connection cannot have the subscriptions, there is no
    /// subscription for a snapshot, or a member of a group begins in the past or with a snapshot.
    pub fn build(self) -> Result<Client, ClientError> {
        let tenant = Tenant::parse(&self.tenant)?;
        subscription_limits::check(&self.subscriptions)?;
        if self.since.is_some() && self.group.is_some() {
            return Err(ClientError::SinceInGroup);
        }
        let is_there = |name: &&SubscriptionName| self.subscriptions.iter().any(|each| each.name == **name);
        if let Some(missing) = self.snapshots.iter().find(|name| !is_there(name)) {
            return Err(InvalidSubscriptions::NotSubscribed(missing.clone()).into());
        }
        let is_member = self.group.is_some();
        if !self.snapshots.is_empty() && is_member {
            return Err(ClientError::SnapshotInGroup);
        }
        let url = StreamUrl::new(&self.url, &tenant, self.format, self.group.as_ref())?;
        let credential = self.credential?;
        let user_agent = HeaderValue::from_static(self.user_agent);
        let handshake = connection::request(&url, &user_agent)?;
        let has_key = credential.as_ref().is_some_and(|credential| credential.kind() == CredentialKind::ApiKey);
        if self.is_in_band && self.token_source.is_none() && has_key {
            return Err(InvalidCredential::KeyInBand.into());
        }
        let conduct = StreamConduct {
            reconnects: self.reconnects,
            is_member,
            has_token_source: self.token_source.is_some(),
            timing: self.timing,
        };
        Ok(Client(Arc::new(Settings {
            url,
            tenant,
            subscriptions: self.subscriptions,
            snapshots: self.snapshots,
            since: self.since,
            credential,
            token_source: self.token_source,
            is_in_band: self.is_in_band,
            handshake,
            conduct,
        })))
    }

    /// Builds the client and opens a stream, which connects as soon as it is polled, within a Tokio runtime.
    ///
    /// # Errors
    /// The errors of [`build`](Self::build).
    pub fn connect(self) -> Result<EntityStream, ClientError> {
        Ok(self.build()?.connect())
    }
}
