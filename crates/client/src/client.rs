use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use entity_stream_protocol::{Filter, Format, GroupId, Since, Subscription, SubscriptionName, Tenant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::conduct::StreamConduct;
use crate::connection;
use crate::credential::{ClientCredential, CredentialKind, InvalidCredential};
use crate::dpop_key::DpopKey;
use crate::entities::{Entities, EntityCollection};
use crate::error::ClientError;
use crate::link::Opening;
use crate::settings::Settings;
use crate::stream::EntityStream;
use crate::stream_url::StreamUrl;
use crate::subscription_limits::{self, InvalidSubscriptions};
use crate::timing::StreamTiming;
use crate::token_source::{TokenMemory, TokenSource};

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

    /// A stream of the changes. It connects as soon as it is polled, within a Tokio runtime, and has a subscription.
    pub fn connect(&self) -> EntityStream {
        EntityStream::new(Arc::clone(&self.0))
    }

    /// A stream over a connection that the caller opened, for example through a proxy. This function does TLS, if the
    /// URL begins with `wss://`, and the handshake of WebSocket, without a time limit.
    ///
    /// If the stream reconnects, it opens its later connections by itself.
    ///
    /// # Errors
    /// [`ClientError`] if the client begins without a subscription, or TLS or the handshake fails. There is no second attempt, even if the error is temporary.
    pub async fn connect_over<S>(&self, transport: S) -> Result<EntityStream, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let settings = &self.0;
        if settings.subscriptions.is_empty() {
            return Err(InvalidSubscriptions::None.into());
        }
        let at_opening = if settings.since.is_some() { &[] } else { settings.subscriptions.as_slice() };
        let memory = Arc::new(TokenMemory::default());
        let opening = Opening { settings: Arc::clone(settings), memory: Arc::clone(&memory), refused: None };
        let opened = opening.over(Box::new(transport), settings.request(at_opening)).await?;
        Ok(EntityStream::over(Arc::clone(&self.0), memory, opened))
    }

    /// The entities that match, kept up to date: a collection over a stream of its own. It connects as soon as it is
    /// polled, within a Tokio runtime.
    ///
    /// A [`Filter`] selects the entities. A [`Subscription`] can have a [`View`](crate::View) as well, for example of some
    /// attributes. The collection follows every change of its entities: it ignores the filter's `notificationTrigger` and
    /// `watchedAttributes`. It also ignores [`ClientBuilder::filter`], [`ClientBuilder::subscriptions`] and
    /// [`ClientBuilder::since`]. The server has to keep entity state.
    ///
    /// ```no_run
    /// # use entity_stream_client::{Client, ClientError, EntitiesItem, FilterFields};
    /// # async fn show(client: &Client) -> Result<(), ClientError> {
    /// let fast = FilterFields {
    ///     entity_types: vec!["Vehicle".to_owned()],
    ///     q: Some("speed>50".to_owned()),
    ///     ..FilterFields::default()
    /// };
    /// let mut vehicles = client.entities(fast.check()?)?;
    /// while let Some(item) = vehicles.try_next().await? {
    ///     if let EntitiesItem::Complete = item {
    ///         for vehicle in vehicles.iter() {
    ///             println!("{} {:?}", vehicle.id(), vehicle.attribute("speed"));
    ///         }
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// An error of [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the client is a member of a group, or the
    /// subscription is too large for a message.
    pub fn entities(&self, entities: impl Into<Subscription>) -> Result<Entities, ClientError> {
        if self.0.conduct.is_member {
            return Err(ClientError::SnapshotInGroup);
        }
        let collection = EntityCollection::new(entities);
        let subscription = collection.subscription().clone();
        let (subscriptions, snapshots) = (vec![subscription.clone()], BTreeSet::from([subscription.name]));
        subscription_limits::check(&subscriptions)?;
        let settings = Settings { subscriptions, snapshots, since: None, ..Settings::clone(&self.0) };
        Ok(Entities::new(EntityStream::new(Arc::new(settings)), collection))
    }

    /// The URL of the stream.
    pub fn url(&self) -> &StreamUrl {
        &self.0.url
    }

    /// The kind of the credential. `None` if the client sends none.
    pub fn credential(&self) -> Option<CredentialKind> {
        self.0.credential_kind()
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

    /// The same with tokens that are bound to this key (DPoP). The client proves on each connection, and with each renewal, that it has
    /// the key.
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

    /// The client. It has not connected yet.
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
    /// Those of [`build`](Self::build).
    pub fn connect(self) -> Result<EntityStream, ClientError> {
        Ok(self.build()?.connect())
    }
}
