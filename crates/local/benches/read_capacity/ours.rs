//! The real broadcast function, with an `@connections` endpoint that accepts every message.

use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use entity_stream_broadcast::Broadcast;
use entity_stream_clock::Clock;
use entity_stream_connections::{Authorisation, Connection, Table};
use entity_stream_local::{CONNECTIONS_TABLE, Local, aws_config};
use entity_stream_protocol::{ConnectionId, Filter, Format, Tenant};
use entity_stream_runtime::{AwsServices, BroadcastConfig, Environment};
use futures_util::{StreamExt, stream};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{CONCURRENCY, WANTED, connection_id};

pub(crate) struct Ours {
    broadcast: Broadcast,
    table: Table,
    clock: Clock,
}

impl Ours {
    pub(crate) async fn new(local: &Local) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async || StatusCode::OK)).await });
        let aws = AwsServices::all(aws_config(&local.dynamodb_url()));
        let environment = Environment::new(move |name| match name {
            "EVENT_STREAMING_ENABLED" => Some("true".to_owned()),
            "WS_CONNECTIONS_TABLE" => Some(CONNECTIONS_TABLE.to_owned()),
            "WS_API_ENDPOINT" => Some(endpoint.clone()),
            _ => None,
        });
        let (config, clock) = (BroadcastConfig::read(&environment).unwrap(), Clock::system());
        let table = aws.connections(CONNECTIONS_TABLE.to_owned());
        let broadcast = Broadcast::new(config, &aws, clock.clone());
        Self { broadcast, table, clock }
    }

    /// Registers connections with these filters, which are numbered.
    pub(crate) async fn register(&self, tenant: &str, connections: usize, filter: impl Fn(usize) -> Filter) {
        let filter = &filter;
        let registrations = stream::iter(0..connections).map(async |i| {
            let connection = Connection {
                id: ConnectionId::parse(connection_id(tenant, i)).unwrap(),
                tenant: Tenant::parse(tenant).unwrap(),
                connected_at: self.clock.now(),
                subscriptions: vec![filter(i).into()],
                acknowledgement: None,
                format: Format::Json,
                group: None,
                takes_batches: false,
                resumed: None,
                resumed_at: None,
                authorisation: Authorisation::Open,
            };
            self.table.register(&connection).await.unwrap();
        });
        registrations.buffer_unordered(CONCURRENCY).collect::<()>().await;
    }

    /// The number of connections that got an event of this entity, the read units, and the time.
    pub(crate) async fn broadcast(&self, tenant: &str, entity_id: &str) -> (usize, f64, Duration) {
        let event = json!({
            "version": "0", "id": format!("{tenant}-{}", fastrand::u64(..)), "detail-type": "entity.changed", "source": "bench", "account": "123456789012",
            "time": "2026-01-02T03:04:05Z", "region": "us-east-1", "resources": [],
            "detail": { "type": "entityUpdated", "tenant": tenant, "entityId": entity_id, "entityType": WANTED },
        });
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(Duration::from_secs(60)).millis();
        let payload = serde_json::value::to_raw_value(&event).unwrap();
        let started = Instant::now();
        let report = self.broadcast.handle(LambdaEvent::new(payload, context)).await.unwrap();
        assert_eq!(report.delivered, report.matched);
        (report.delivered, report.read_capacity, started.elapsed())
    }
}
