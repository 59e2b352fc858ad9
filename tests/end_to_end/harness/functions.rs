//! The handlers alone, as Lambda runs them. The local system provides the table, and the test provides `@connections`.

use entity_stream_broadcast::{Broadcast, Summary};
use entity_stream_clock::Clock;
use entity_stream_connect::Connect;
use entity_stream_connections::{Authorisation, Connection, Table};
use entity_stream_default::DefaultRoute;
use entity_stream_disconnect::Disconnect;
use entity_stream_local::{API_KEYS_TABLE, CONNECTIONS_TABLE, aws_config};
use entity_stream_protocol::{ConnectionId, Filter, Format, Tenant};
use entity_stream_runtime::{
    AwsServices, BroadcastConfig, ConnectConfig, DefaultConfig, DisconnectConfig, Environment, Failure,
};
use lambda_runtime::{Context, LambdaEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Bus, Endpoint, Hands, System};

/// The four functions around a table and an `@connections` endpoint.
pub(crate) struct Functions {
    pub(crate) connect: Connect,
    pub(crate) disconnect: Disconnect,
    pub(crate) default: DefaultRoute,
    pub(crate) broadcast: Broadcast,
    pub(crate) table: Table,
    clock: Clock,
}

impl Functions {
    pub(crate) async fn new(system: &System, connections_api: &Endpoint, hands: &Hands) -> Self {
        Self::with_settings(system, connections_api, hands, &[]).await
    }

    /// Functions with these settings. The default is streaming without authentication.
    pub(crate) async fn with_settings(
        system: &System,
        connections_api: &Endpoint,
        hands: &Hands,
        settings: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self::build(system, &system.local.dynamodb_url(), connections_api, hands, settings, None).await
    }

    /// Functions with a bus for continuation events, and with a table behind this URL.
    pub(crate) async fn with_bus(
        system: &System,
        dynamodb_url: &str,
        connections_api: &Endpoint,
        hands: &Hands,
        settings: &'static [(&'static str, &'static str)],
    ) -> (Self, Bus) {
        let bus = Bus::start().await;
        let functions = Self::build(system, dynamodb_url, connections_api, hands, settings, Some(&bus)).await;
        (functions, bus)
    }

    async fn build(
        system: &System,
        dynamodb_url: &str,
        connections_api: &Endpoint,
        hands: &Hands,
        settings: &'static [(&'static str, &'static str)],
        bus: Option<&Bus>,
    ) -> Self {
        let http = system.local.http_url();
        let usual = [
            ("EVENT_STREAMING_ENABLED", "true".to_owned()),
            ("AUTH_ENABLED", "false".to_owned()),
            ("WS_CONNECTIONS_TABLE", CONNECTIONS_TABLE.to_owned()),
            ("WS_API_KEYS_TABLE", API_KEYS_TABLE.to_owned()),
            ("WS_API_ENDPOINT", connections_api.url.clone()),
            ("DEAD_LETTER_QUEUE_URL", format!("{http}/0/dead-letters")),
            ("EVENT_BUS_NAME", bus.map_or("", |_| "bus").to_owned()),
        ];
        let environment = Environment::new(move |name| {
            let setting = settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            setting.or_else(|| usual.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()))
        });
        let aws = AwsServices {
            dynamodb: aws_config(dynamodb_url),
            event_bridge: aws_config(bus.map_or(&http, Bus::url)),
            ..AwsServices::all(aws_config(&http))
        };
        let clock = hands.clock();
        let connect = ConnectConfig::read(&environment).unwrap();
        let default = DefaultConfig::read(&environment).unwrap();
        let broadcast = BroadcastConfig::read(&environment).unwrap();
        Self {
            connect: Connect::new(connect, &aws, clock.clone()).await.unwrap(),
            disconnect: Disconnect::new(DisconnectConfig::read(&environment).unwrap(), &aws),
            default: DefaultRoute::new(default, &aws, clock.clone()).await.unwrap(),
            broadcast: Broadcast::new(broadcast, &aws, clock.clone()),
            table: aws.connections(CONNECTIONS_TABLE.to_owned()),
            clock,
        }
    }

    /// Registers a newly opened connection.
    pub(crate) async fn register(&self, id: &str, tenant: &str) -> ConnectionId {
        let connection = self.connection(id, tenant);
        self.table.register(&connection).await.unwrap();
        connection.id
    }

    /// A newly opened connection.
    pub(crate) fn connection(&self, id: &str, tenant: &str) -> Connection {
        Connection {
            id: ConnectionId::parse(id).unwrap(),
            tenant: Tenant::parse(tenant).unwrap(),
            connected_at: self.clock.now(),
            subscriptions: vec![Filter::default().into()],
            acknowledgement: None,
            format: Format::Json,
            group: None,
            takes_batches: false,
            resumed: None,
            resumed_at: None,
            authorisation: Authorisation::Open,
        }
    }

    /// Invokes the broadcast function with an event and a deadline in `seconds`.
    pub(crate) async fn broadcast(&self, event: &str, seconds: u64) -> Result<Summary, Failure> {
        self.broadcast_as(&format!("r-{}", fastrand::u64(..)), event, seconds).await
    }

    /// Invokes the broadcast function with this invocation id. Lambda's retries keep the id of the first attempt.
    pub(crate) async fn broadcast_as(&self, request_id: &str, event: &str, seconds: u64) -> Result<Summary, Failure> {
        let mut event: LambdaEvent<_> = lambda_event(event);
        request_id.clone_into(&mut event.context.request_id);
        event.context.deadline = self.clock.now().plus(std::time::Duration::from_secs(seconds)).millis();
        self.broadcast.handle(event).await
    }
}

/// An event in the form that Lambda passes to a handler.
pub(crate) fn lambda_event<A: DeserializeOwned>(payload: &str) -> LambdaEvent<A> {
    LambdaEvent::new(serde_json::from_str(payload).expect("the event has the shape that AWS sends"), Context::default())
}

/// A result in the form that Lambda returns.
pub(crate) fn result(output: &impl Serialize) -> Value {
    serde_json::to_value(output).unwrap()
}

/// An EventBridge event around a detail.
pub(crate) fn envelope(id: &str, detail: &Value) -> String {
    serde_json::json!({
        "version": "0", "id": id, "detail-type": "entity.changed", "source": "demo.app", "account": "123456789012",
        "time": "2026-01-02T03:04:05Z", "region": "us-east-1", "resources": [], "detail": detail,
    })
    .to_string()
}
