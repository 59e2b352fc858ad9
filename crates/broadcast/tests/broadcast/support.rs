use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use entity_stream_broadcast::{Broadcast, Summary};
use entity_stream_connections::{Authorisation, Connection, Table};
use entity_stream_history::{HistoryReader, HistoryTable};
use entity_stream_protocol::{ConnectionId, EpochMillis, Filter, Format, Tenant};
use entity_stream_runtime::{AwsServices, BroadcastConfig, Environment, Failure, HistoryConfig};
use entity_stream_testing::{Asked, Endpoint, Hands, Reply, aws_config, dynamodb_url, sample};
use lambda_runtime::{Context, LambdaEvent};
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

/// The tenant of the sample events.
const TENANT: &str = "smartcity";

/// The function with tables that no other test uses. DynamoDB and `@connections` are behind one endpoint, which shows the order of
/// the requests to both.
pub(crate) struct Setting {
    broadcast: Broadcast,
    pub(crate) table: Table,
    pub(crate) world: Endpoint,
    pub(crate) hands: Hands,
    history: HistoryReader,
    history_name: String,
}

/// What the function keeps of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Nothing,
    /// The states of entities.
    States,
    /// The states and the history.
    All,
}

/// A request of the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Events are written into the history, with these ids at these positions.
    Write(Vec<(String, String)>),
    /// A partition of the audience is read.
    Read,
    /// A frame is sent to this connection.
    Post(String),
}

/// True for a request that writes events into the history.
pub(crate) fn is_history_write(asked: &Asked) -> bool {
    let body = String::from_utf8_lossy(&asked.body);
    matches!(operation(asked), Some("PutItem" | "BatchWriteItem")) && body.contains("\"H#")
}

/// True for a request that writes the state of an entity.
pub(crate) fn is_state_write(asked: &Asked) -> bool {
    let body = String::from_utf8_lossy(&asked.body);
    matches!(operation(asked), Some("PutItem" | "UpdateItem")) && body.contains("\"S#")
}

/// True for a message to a connection.
pub(crate) fn is_post(asked: &Asked) -> bool {
    asked.method == "POST" && operation(asked).is_none()
}

/// The answer of DynamoDB to a request that it refuses for good.
pub(crate) fn refusal() -> Reply {
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no such table"}"#;
    Reply::Status(400, &[("content-type", "application/x-amz-json-1.0")], body.to_owned())
}

/// The answer of DynamoDB itself.
pub(crate) fn dynamodb() -> Reply {
    Reply::From(dynamodb_url().to_owned())
}

/// The operation of a request to DynamoDB.
pub(crate) fn operation(asked: &Asked) -> Option<&str> {
    asked.headers.get("x-amz-target")?.to_str().ok()?.split('.').nth(1)
}

impl Setting {
    /// With a history, and a world in which everything works.
    pub(crate) async fn new() -> Self {
        Self::with(Kept::All, Hands::default(), |_| None).await
    }

    /// With a world that answers some requests in another way.
    pub(crate) async fn with(
        kept: Kept,
        hands: Hands,
        answer: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let world = Endpoint::new(move |asked| {
            let usual = || if operation(asked).is_some() { dynamodb() } else { Reply::status(200) };
            answer(asked).unwrap_or_else(usual)
        });
        let world = world.await;
        let [name, history_name] = ["connections", "history"].map(|kind| format!("{kind}-{:032x}", fastrand::u128(..)));
        let mut variables = vec![
            ("EVENT_STREAMING_ENABLED", "true".to_owned()),
            ("WS_CONNECTIONS_TABLE", name.clone()),
            ("WS_API_ENDPOINT", world.url.clone()),
            // One delivery after the other.
            ("BROADCAST_CONCURRENCY", "1".to_owned()),
        ];
        if kept != Kept::Nothing {
            variables.push(("WS_HISTORY_TABLE", history_name.clone()));
        }
        if kept == Kept::States {
            variables.push(("HISTORY_MINUTES", "0".to_owned()));
        }
        let variable = move |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        let config = BroadcastConfig::read(&Environment::new(variable)).unwrap();
        let aws = AwsServices { dynamodb: aws_config(&world.url), ..AwsServices::all(aws_config(dynamodb_url())) };
        let broadcast = Broadcast::new(config, &aws, hands.clock()).with_table_time(Duration::from_secs(30));
        // The test itself does not stand in the record of the requests.
        let own = AwsServices::all(aws_config(dynamodb_url()));
        let table = own.connections(name);
        table.create_if_missing().await.unwrap();
        let retention = Duration::from_secs(3600);
        let history = own.history(HistoryConfig { table: history_name.clone(), retention });
        if kept != Kept::Nothing {
            history.create_if_missing().await.unwrap();
        }
        Self { broadcast, table, world, hands, history: HistoryReader::new(history), history_name }
    }

    /// Registers a connection that wants everything.
    pub(crate) async fn register(&self, name: &str) -> Connection {
        self.register_with(name, |connection| connection).await
    }

    pub(crate) async fn register_with(&self, name: &str, change: impl FnOnce(Connection) -> Connection) -> Connection {
        let connection = change(Connection {
            id: ConnectionId::parse(name).unwrap(),
            tenant: Tenant::parse(TENANT).unwrap(),
            connected_at: self.now(),
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

    pub(crate) fn now(&self) -> EpochMillis {
        self.hands.clock().now()
    }

    pub(crate) fn history(&self) -> &HistoryTable {
        self.history.table()
    }

    /// Invokes the function with a payload.
    pub(crate) async fn invoke(&self, payload: &Value) -> Result<Summary, Failure> {
        self.invoke_raw(to_raw_value(payload).unwrap()).await
    }

    pub(crate) async fn invoke_raw(&self, payload: Box<RawValue>) -> Result<Summary, Failure> {
        let mut context = Context::default();
        context.deadline = self.now().plus(Duration::from_secs(60)).millis();
        self.broadcast.handle(LambdaEvent::new(payload, context)).await
    }

    /// The writes to the history, the reads of audiences and the deliveries, in their order.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.world.asked().iter().filter_map(|asked| self.step(asked)).collect()
    }

    fn step(&self, asked: &Asked) -> Option<Step> {
        if is_post(asked) {
            return Some(Step::Post(asked.path.rsplit('/').next().unwrap().to_owned()));
        }
        if operation(asked) == Some("Query") {
            return Some(Step::Read);
        }
        if !is_history_write(asked) {
            return None;
        }
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        let items = match body.get("Item") {
            Some(item) => vec![item.clone()],
            None => {
                let writes = body["RequestItems"][&self.history_name].as_array().unwrap();
                writes.iter().map(|write| write["PutRequest"]["Item"].clone()).collect()
            }
        };
        let text = |value: &Value| value["S"].as_str().unwrap().to_owned();
        Some(Step::Write(items.iter().map(|item| (text(&item["i"]), text(&item["sk"]))).collect()))
    }

    /// The messages that connections were sent, in their order.
    pub(crate) fn messages(&self) -> Vec<Value> {
        let posts = self.world.asked().into_iter().filter(is_post);
        posts.map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect()
    }

    /// The ids and the positions of the events of the history.
    pub(crate) async fn recorded(&self) -> Vec<(String, String)> {
        let past = self.past().await;
        past.iter().map(|message| (text(&message["id"]), text(&message["position"]))).collect()
    }

    /// The events of the history as they are replayed, oldest first.
    pub(crate) async fn past(&self) -> Vec<Value> {
        let (tenant, from) = (Tenant::parse(TENANT).unwrap(), self.now().minus(Duration::from_secs(3600)));
        let past = self.history.read(&tenant, from, self.now(), usize::MAX).await.unwrap();
        let messages = past.events.iter().map(|past| past.event.message(&Format::Json.into()));
        messages.map(|message| serde_json::from_str(&message).unwrap()).collect()
    }
}

/// A text in JSON.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The sample event with another id.
pub(crate) fn event(id: &str) -> Value {
    let mut event = sample("broadcast", "updated");
    event["id"] = json!(id);
    event
}

/// Counts increments of metrics by name.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    not_recorded: Arc<Increments>,
}

#[derive(Default)]
struct Increments(AtomicU64);

impl CounterFn for Increments {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::SeqCst);
    }

    fn absolute(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }
}

impl Counts {
    /// The sum of `NotRecorded`.
    pub(crate) fn not_recorded(&self) -> u64 {
        self.not_recorded.0.load(Ordering::SeqCst)
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == "NotRecorded" { Counter::from_arc(Arc::clone(&self.not_recorded)) } else { Counter::noop() }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
