use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection, Table};
use entity_stream_default::DefaultRoute;
use entity_stream_history::{HistoryTable, StateTable};
use entity_stream_protocol::{ConnectionId, EntityChange, EpochMillis, Event, Filter, Format, Position, Tenant};
use entity_stream_runtime::{AwsServices, DefaultConfig, EntityStateConfig, Environment, Failure, HistoryConfig};
use entity_stream_testing::tokens::SECRET;
use entity_stream_testing::{Endpoint, Hands, Reply, aws_config, dynamodb_url, sample};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

pub(crate) const OPEN: &[(&str, &str)] = &[("AUTH_ENABLED", "false")];
pub(crate) const IN_BAND: &[(&str, &str)] =
    &[("AUTH_ENABLED", "true"), ("JWT_SECRET", SECRET), ("AUTH_IN_BAND", "true")];
pub(crate) const HISTORY: &[(&str, &str)] = &[("AUTH_ENABLED", "false"), ("HISTORY_MINUTES", "60")];

/// The function with a table that no other test uses, and an `@connections` endpoint.
pub(crate) struct Setting {
    pub(crate) route: DefaultRoute,
    pub(crate) table: Table,
    pub(crate) api: Endpoint,
    pub(crate) hands: Hands,
    history: HistoryTable,
}

impl Setting {
    pub(crate) async fn new(settings: &'static [(&'static str, &'static str)]) -> Self {
        Self::answering(settings, [Reply::status(200)]).await
    }

    /// With these answers of `@connections`.
    pub(crate) async fn answering(
        settings: &'static [(&'static str, &'static str)],
        replies: impl IntoIterator<Item = Reply>,
    ) -> Self {
        Self::prepared(dynamodb_url(), settings, Endpoint::script(replies).await).await
    }

    /// With DynamoDB at this URL, and all tables.
    pub(crate) async fn prepared(
        dynamodb: &str,
        settings: &'static [(&'static str, &'static str)],
        api: Endpoint,
    ) -> Self {
        let setting = Self::behind(dynamodb, settings, api).await;
        setting.table.create_if_missing().await.unwrap();
        if settings.iter().any(|(name, _)| *name == "HISTORY_MINUTES") {
            setting.history.create_if_missing().await.unwrap();
            setting.history.begin_epoch_at(EpochMillis::new(0)).await.unwrap();
        }
        setting
    }

    /// With DynamoDB at this URL, and no table.
    pub(crate) async fn behind(
        dynamodb: &str,
        settings: &'static [(&'static str, &'static str)],
        api: Endpoint,
    ) -> Self {
        let name = format!("test-{:032x}", fastrand::u128(..));
        let history_name = format!("{name}-history");
        let mut resources = vec![("WS_CONNECTIONS_TABLE", name.clone()), ("WS_API_ENDPOINT", api.url.clone())];
        if settings.iter().any(|(name, _)| *name == "HISTORY_MINUTES") {
            resources.push(("WS_HISTORY_TABLE", history_name.clone()));
        }
        let environment = Environment::new(move |name| {
            let setting = settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            setting.or_else(|| resources.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()))
        });
        let (aws, hands) = (AwsServices::all(aws_config(dynamodb)), Hands::default());
        let config = DefaultConfig::read(&environment).unwrap();
        let route = DefaultRoute::new(config, &aws, hands.clock()).await.unwrap();
        let own = AwsServices::all(aws_config(dynamodb_url()));
        let retention = Duration::from_secs(3600);
        let history = own.history(HistoryConfig { table: history_name, retention });
        Self { route, table: own.connections(name), api, hands, history }
    }

    /// Registers a connection of the tenant `demo` that opens now.
    pub(crate) async fn register(&self, authorisation: Authorisation) -> Connection {
        self.register_as(|connection| Connection { authorisation, ..connection }).await
    }

    /// Registers such a connection with other properties.
    pub(crate) async fn register_as(&self, change: impl FnOnce(Connection) -> Connection) -> Connection {
        let connection = change(Connection {
            id: ConnectionId::parse("Qw7LqXg9IAMCGqA=").unwrap(),
            tenant: Tenant::parse("demo").unwrap(),
            connected_at: self.hands.clock().now(),
            subscriptions: vec![Filter::default().into()],
            acknowledgement: None,
            format: Format::Json,
            group: None,
            takes_batches: false,
            resumed: None,
            resumed_at: None,
            authorisation: Authorisation::Open,
        });
        self.table.register(&connection).await.unwrap();
        connection
    }

    /// Invokes the function with a message of this connection.
    pub(crate) async fn send(&self, connection: &Connection, message: &Value) -> Result<(), Failure> {
        let mut event = sample("default", "ping");
        event["body"] = json!(message.to_string());
        event["requestContext"]["connectionId"] = json!(connection.id.as_str());
        event["requestContext"]["connectedAt"] = json!(connection.connected_at.millis());
        let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), Context::default());
        self.route.handle(event).await.map(|response| assert_eq!(response.status_code, 200))
    }

    /// Sends a message and returns the only answer to it.
    pub(crate) async fn ask(&self, connection: &Connection, message: &Value) -> Value {
        let before = self.answers().len();
        self.send(connection, message).await.unwrap();
        let mut answers = self.answers().split_off(before);
        assert_eq!(answers.len(), 1, "{message}: {answers:?}");
        answers.remove(0)
    }

    /// Sends a message and returns the past events that come before the answer, and the answer.
    pub(crate) async fn replay(&self, connection: &Connection, message: &Value) -> (Vec<Value>, Value) {
        let before = self.answers().len();
        self.send(connection, message).await.unwrap();
        let mut frames = self.answers().split_off(before);
        let answer = frames.pop().unwrap_or_else(|| panic!("{message} is not answered"));
        assert!(answer["type"] == "subscribed" || answer["type"] == "error", "{answer}");
        (frames, answer)
    }

    /// Every answer so far.
    pub(crate) fn answers(&self) -> Vec<Value> {
        let posts = self.api.asked().into_iter().filter(|asked| asked.method == "POST");
        posts.map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect()
    }

    /// The number of calls that closed a connection.
    pub(crate) fn closed(&self) -> usize {
        self.api.asked().iter().filter(|asked| asked.method == "DELETE").count()
    }

    pub(crate) async fn registered(&self, connection: &Connection) -> Option<Connection> {
        self.table.find(&connection.id, self.hands.clock().now()).await.unwrap()
    }

    pub(crate) fn now(&self) -> EpochMillis {
        self.hands.clock().now()
    }

    /// The time this many seconds ago.
    pub(crate) fn ago(&self, seconds: u64) -> EpochMillis {
        self.now().minus(Duration::from_secs(seconds))
    }

    pub(crate) fn history(&self) -> &HistoryTable {
        &self.history
    }

    /// The states of entities.
    pub(crate) fn states(&self) -> StateTable {
        let day = Duration::from_secs(24 * 3600);
        let config = EntityStateConfig { table: self.history.name().to_owned(), retention: day, history: day };
        AwsServices::all(aws_config(dynamodb_url())).entity_states(config)
    }

    /// What a client sends that has everything up to a time, and was in a session of that name.
    pub(crate) fn since(&self, at: EpochMillis, session: &str) -> Value {
        json!({ "position": self.history.position_of(at), "session": session })
    }

    /// The history as a deployment with a shorter retention writes it.
    pub(crate) fn shorter_history(&self, retention: Duration) -> HistoryTable {
        let config = HistoryConfig { table: self.history.name().to_owned(), retention };
        AwsServices::all(aws_config(dynamodb_url())).history(config)
    }

    /// Writes an event of the tenant `demo` into the history at a time, and returns its position.
    pub(crate) async fn past(&self, id: &str, at: EpochMillis, fields: &Value) -> Position {
        self.past_of("demo", id, at, fields).await
    }

    pub(crate) async fn past_of(&self, tenant: &str, id: &str, at: EpochMillis, fields: &Value) -> Position {
        let mut detail = json!({
            "type": "entityUpdated", "tenant": tenant, "entityId": "urn:room:1", "entityType": "Room",
            "data": { "temperature": { "type": "Number", "value": 21.50 } },
        });
        for (name, value) in fields.as_object().unwrap() {
            detail[name] = value.clone();
        }
        let event = Event::new(id, "2026-01-02T03:04:05Z", EntityChange::parse(&detail.to_string()).unwrap());
        self.history.record(&[&event], at).await.remove(0).unwrap()
    }

    /// Writes so many events of one entity and one second, ten seconds ago.
    pub(crate) async fn many(&self, count: usize) {
        self.many_of(count, |_| "i".to_owned()).await;
    }

    /// The same for events of these entities.
    pub(crate) async fn many_of(&self, count: usize, entity: impl Fn(usize) -> String) {
        let event = |i| Event::new(format!("e{i}"), "", room(&entity(i)));
        let events: Vec<_> = (0..count).map(event).collect();
        for events in events.chunks(25) {
            let events: Vec<_> = events.iter().collect();
            for position in self.history.record(&events, self.ago(10)).await {
                position.unwrap();
            }
        }
    }

    /// Writes the state of a room that changed at a time.
    pub(crate) async fn known(&self, entity: &str, at: EpochMillis) {
        let event = Event::new("known", at.to_rfc3339(), room(entity));
        self.states().apply(&event, at, at).await.unwrap();
    }
}

fn room(entity: &str) -> EntityChange {
    let detail =
        json!({ "type": "entityUpdated", "tenant": "demo", "entityId": entity, "entityType": "Room", "data": {} });
    EntityChange::parse(&detail.to_string()).unwrap()
}

/// The ids of events.
pub(crate) fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}
