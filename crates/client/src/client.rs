use std::collections::BTreeSet;
use std::sync::Arc;

use entity_stream_protocol::{Subscription, SubscriptionName};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::credential::CredentialKind;
use crate::entities::{Entities, EntityCollection};
use crate::error::ClientError;
use crate::link::Opening;
use crate::settings::Settings;
use crate::stream::EntityStream;
use crate::stream_url::StreamUrl;
use crate::subscription_limits::{self, InvalidSubscriptions};
use crate::token_source::TokenMemory;

/// A client of one tenant's changes, which can open any number of streams.
#[derive(Clone, Debug)]
pub struct Client(pub(crate) Arc<Settings>);

impl Client {
    /// A stream of the changes. The stream connects as soon as it is polled, within a Tokio runtime, and has a subscription.
    pub fn connect(&self) -> EntityStream {
        EntityStream::new(Arc::clone(&self.0))
    }

    /// A stream over a connection that the caller opened, for example through a proxy. The function does TLS, if the
    /// URL begins with `wss://`, and the handshake of WebSocket, without a time limit.
    ///
    /// If the stream reconnects, it opens its later connections by itself.
    ///
    /// # Errors
    /// [`ClientError`] if the client begins without a subscription, or TLS or the handshake fails. There is no second attempt, even
    /// if the error is temporary.
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

    /// The entities that match, kept up to date: a collection over a stream of its own. The stream connects as soon as
    /// it is polled, within a Tokio runtime.
    ///
    /// A [`Filter`](crate::Filter) selects the entities. A [`Subscription`] can have a [`View`](crate::View) as well, for example of
    /// some attributes. The collection follows every change of its entities: it ignores the filter's `notificationTrigger` and
    /// `watchedAttributes`. The collection also ignores the [filter](crate::ClientBuilder::filter), the
    /// [subscriptions](crate::ClientBuilder::subscriptions) and the [place](crate::ClientBuilder::since) of the builder. The server
    /// has to keep entity state.
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
        let collection = EntityCollection::new(entities);
        let snapshots = BTreeSet::from([collection.subscription().name.clone()]);
        self.collect(collection, snapshots)
    }

    /// Opens a collection whose entities the program loads from another source, for example from a context broker that knows
    /// entities which the server does not know yet. The collection hands out [`EntitiesItem::LoadNeeded`](crate::EntitiesItem) when
    /// its subscription is in force, and again if it may have missed changes, or if an event does not tell what has changed. The
    /// program then reads the entities and passes them to [`Entities::load`]. What has changed or was deleted meanwhile wins, so there
    /// is no gap. An entity of which the collection knows only a part is [partial](crate::Entity::is_partial) until a message or a load
    /// has all of it: one that begins to match, and one whose event had no data.
    ///
    /// A server without entity state needs a subscription without [`wholeEntity`](crate::View::with_state): the collection then
    /// merges the attributes of each event. With it, each event replaces the entity, unless the server knows only a part of it.
    ///
    /// ```no_run
    /// # use entity_stream_client::{Client, ClientError, EntitiesItem, Filter, LoadedEntity};
    /// # async fn read_from_broker() -> String { String::new() }
    /// # async fn show(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut rooms = client.loaded_entities(Filter::new(["Room"], None)?)?;
    /// while let Some(item) = rooms.try_next().await? {
    ///     if let EntitiesItem::LoadNeeded = item {
    ///         rooms.load(LoadedEntity::from_array(&read_from_broker().await, "/")?);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`entities`](Self::entities).
    pub fn loaded_entities(&self, entities: impl Into<Subscription>) -> Result<Entities, ClientError> {
        self.collect(EntityCollection::loaded(entities), BTreeSet::new())
    }

    fn collect(
        &self,
        collection: EntityCollection,
        snapshots: BTreeSet<SubscriptionName>,
    ) -> Result<Entities, ClientError> {
        if self.0.conduct.is_member {
            return Err(ClientError::SnapshotInGroup);
        }
        let subscriptions = vec![collection.subscription().clone()];
        subscription_limits::check(&subscriptions)?;
        let settings = Settings { subscriptions, snapshots, since: None, ..Settings::clone(&self.0) };
        Ok(Entities::new(settings.tenant.clone(), EntityStream::new(Arc::new(settings)), collection))
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
