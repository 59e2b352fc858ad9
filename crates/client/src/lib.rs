//! A client that receives the entity changes of one tenant over WebSocket.
//!
//! A [`Client`] opens an [`EntityStream`]. The stream connects, subscribes, keeps its connection alive, and connects again
//! after a temporary failure. The stream hands out each event once for each view of the subscriptions that it matches.
//!
//! ```no_run
//! use entity_stream_client::{Client, ClientError, Filter, StreamItem};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ClientError> {
//! let filter = Filter::new(["Room"], Some("^urn:ngsi-ld:Room:"))?;
//! let mut stream = Client::builder("ws://localhost:3000", "demo").filter(filter).connect()?;
//! while let Some(item) = stream.try_next().await? {
//!     match item {
//!         StreamItem::Subscribed { .. } => println!("listening"),
//!         StreamItem::Event(event) => println!("{} {:?}", event.message().entity_id, event.message().data),
//!         StreamItem::Disconnected { error, retry_in, .. } => eprintln!("{error}; next attempt in {retry_in:?}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Entities
//!
//! A program that needs entities as they are now, for example for a map or a list, does not have to read a broker or to
//! order events. [`Client::entities`] returns a collection that the server's snapshots fill and its events keep up to date:
//!
//! ```no_run
//! use entity_stream_client::{Client, ClientError, EntitiesItem, Filter};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ClientError> {
//! let client = Client::builder("ws://localhost:3000", "demo").build()?;
//! let mut rooms = client.entities(Filter::new(["Room"], None)?)?;
//! while let Some(item) = rooms.try_next().await? {
//!     match item {
//!         EntitiesItem::Complete => println!("{} rooms", rooms.len()),
//!         EntitiesItem::Added(room) => println!("new: {} {}", room.id(), room.data()),
//!         EntitiesItem::Updated { before, after } => println!("{}: {} -> {}", after.id(), before.data(), after.data()),
//!         EntitiesItem::Removed(room) => println!("gone: {}", room.id()),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A stream can begin with a snapshot too: see [`ClientBuilder::snapshots`] and [`EntityStream::subscribe_with_snapshot`].
//!
//! # Subscriptions
//!
//! A stream begins with the default subscription to every change, or with those of [`ClientBuilder::filter`] or
//! [`ClientBuilder::subscriptions`], and restores all of them after each reconnect. A connection has up to 16 subscriptions
//! with a name, and one without.
//!
//! ```no_run
//! use entity_stream_client::{Client, ClientError, FilterFields, Representation, Subscription, View};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ClientError> {
//! let fast = FilterFields {
//!     entity_types: vec!["Vehicle".to_owned()],
//!     q: Some("speed>50".to_owned()),
//!     ..FilterFields::default()
//! };
//! let view = View::new(["speed", "location"], Representation::KeyValues)?;
//! let map = Subscription::new("map".parse()?, fast.check()?, view)?;
//! let stream = Client::builder("ws://localhost:3000", "demo").subscriptions([map]).connect()?;
//! # Ok(())
//! # }
//! ```
//!
//! [`EntityStream::subscribe`], [`EntityStream::unsubscribe`] and [`EntityStream::replace`] change the subscriptions of a stream.
//! The stream sends these requests one after the other. The server's answer is an item: [`StreamItem::Accepted`] or
//! [`StreamItem::Refused`]. The stream sends a request up to four times that the server cannot serve at the moment. A request that
//! has no answer when the connection is lost takes effect with the next [`StreamItem::Subscribed`] or [`StreamItem::Idle`]. A
//! refused request never ends a stream that reconnects.
//!
//! A stream without a subscription has no connection. A second after its last subscription has ended, the stream closes its
//! connection and hands out [`StreamItem::Idle`]. The next [`EntityStream::subscribe`] opens another one.
//!
//! [`Entities::update`] changes the filter of a collection. [`Client::loaded_entities`] opens one that the program fills from
//! another source, such as a context broker. [`Client::entities`] has a connection of its own. With [`EntityCollection`], any number of collections share the connection of a
//! stream.
//!
//! # Long connections
//!
//! API Gateway ends each connection after two hours. The stream opens the next one before that, resumes there from its own place,
//! and then closes the old one. No event is missed or handed out twice, and the program notices nothing.
//!
//! A member of a group calls [`EntityStream::leave`] before it ends, and takes the items that are left: the server has assigned
//! those events to it alone. [`EntityStream::wake`] is for programs that learn that the network is back, or that the machine slept.
//!
//! # Failures
//!
//! A temporary failure is an item, [`StreamItem::Disconnected`]. If the server keeps a history, the stream resumes: the
//! server delivers the events that the stream missed, and then the stream hands out [`StreamItem::Subscribed`] and
//! [`StreamItem::Recovered`]. If the server cannot promise that, the second item is [`StreamItem::NotRecovered`], and a
//! program that keeps the state of entities reads them again, or has begun with a snapshot, which the server then sends
//! again. The delay before an attempt is a random part of a ceiling that doubles from half a second to 30 seconds; it is the
//! shortest again after a connection that was subscribed for 30 seconds. [`StreamTiming`] has these times and others.
//!
//! Any other failure is an `Err` that ends the stream, because another attempt would fail as well. [`ClientError::kind`]
//! says what a program can do, for example get a new token for [`ErrorKind::CredentialRefused`].
//!
//! # Past events
//!
//! [`EntityStream::subscribe_since`] begins a subscription with past events, and [`ClientBuilder::since`] the whole stream. The
//! server takes one such request of a connection in 10 seconds; the stream waits for that time. With a snapshot, it follows the
//! past events.
//!
//! # Resuming in another process
//!
//! A program that stores the [`Bookmark`] of its stream can continue there after a restart. The program then gets every event
//! that it missed, or learns that it may have missed some.
//!
//! ```no_run
//! use entity_stream_client::{Bookmark, Client, ClientError, StreamItem};
//!
//! # fn load() -> Option<Bookmark> { None }
//! # fn store(_: &Bookmark) {}
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ClientError> {
//! let mut builder = Client::builder("ws://localhost:3000", "demo");
//! if let Some(bookmark) = load() {
//!     builder = builder.since(bookmark);
//! }
//! let mut stream = builder.connect()?;
//! while let Some(item) = stream.try_next().await? {
//!     match item {
//!         StreamItem::Event(event) => println!("{}", event.frame()),
//!         StreamItem::Recovered { replayed } => println!("recovered {replayed} events"),
//!         StreamItem::NotRecovered { reason, .. } => println!("may have missed events: {reason}"),
//!         _ => {}
//!     }
//!     if let Some(bookmark) = stream.bookmark() {
//!         store(bookmark);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Credentials
//!
//! The client sends a token or an API key in the `Authorization` header of the handshake, never in the URL. With
//! [`ClientBuilder::authenticate_in_band`] the client sends the token in the first message instead. No error and no `Debug` shows a
//! credential. The WebSocket library writes whole requests to the `log` crate at the level `trace`; do not record that level of
//! `tungstenite`.
//!
//! Tokens end, and a token that is always the same is refused after its end. [`ClientBuilder::token_source`] takes a function that
//! returns tokens, for example of an identity provider. The stream calls it before each connection, and before the end of a token,
//! which it then renews over the open connection:
//!
//! ```no_run
//! use entity_stream_client::{Client, ClientError};
//!
//! # async fn log_in() -> Result<String, std::io::Error> { Ok(String::new()) }
//! # fn open() -> Result<(), ClientError> {
//! let stream = Client::builder("wss://stream.example.com/prod", "demo").token_source(log_in).connect()?;
//! # Ok(())
//! # }
//! ```
//!
//! A token that is bound to a key of the client's (DPoP) needs [`ClientBuilder::bound_token`]. The client then proves on each
//! connection that it has the key.

mod backoff;
mod bookmark;
mod client;
mod client_builder;
mod conduct;
mod connection;
mod credential;
mod departure;
mod dpop_key;
mod entities;
mod error;
mod event;
mod item;
mod link;
mod machine;
mod online_time;
mod postponed_removals;
mod queued_item;
mod renewal;
mod requested_past;
mod resumption;
mod rotation;
mod seen;
mod settings;
mod snapshots;
mod state;
mod stream;
mod stream_url;
mod subscription_limits;
mod subscription_request;
mod subscription_set;
mod text;
mod timing;
mod token_source;

pub use bookmark::Bookmark;
pub use client::Client;
pub use client_builder::ClientBuilder;
pub use credential::{ClientCredential, CredentialKind, InvalidCredential};
pub use dpop_key::{DpopKey, InvalidDpopKey, NoRandomNumbers};
pub use entities::{Entities, EntitiesItem, Entity, EntityCollection, InvalidLoadedEntity, LoadedEntity};
pub use entity_stream_protocol::{
    ChangeType, CloseCode, EntityTypes, ErrorCode, EventMessage, EventType, Filter, FilterFields, Format, GroupId,
    InvalidFilter, InvalidSubscriptionName, InvalidView, NotRecovered, Position, Representation, Session, Since,
    Subscription, SubscriptionName, View,
};
pub use error::{ClientError, ErrorKind, HandshakeRefusal};
pub use event::ReceivedEvent;
pub use item::StreamItem;
pub use requested_past::RequestedPast;
pub use state::StreamState;
pub use stream::EntityStream;
pub use stream_url::{InvalidStreamUrl, StreamUrl};
pub use subscription_limits::InvalidSubscriptions;
pub use subscription_request::SubscriptionRequest;
pub use timing::StreamTiming;

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
