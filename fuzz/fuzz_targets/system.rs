//! The handlers as Lambda runs them, around the local system's table and an `@connections` endpoint that accepts everything.

#![allow(dead_code, reason = "each target uses a part of it")]

use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use axum::Router;
use axum::http::StatusCode;
use entity_stream_broadcast::Broadcast;
use entity_stream_connect::Connect;
use entity_stream_connections::{Authorisation, Connection, Table};
use entity_stream_default::DefaultRoute;
use entity_stream_local::{Config, Local, CONNECTIONS_TABLE, aws_config};
use entity_stream_clock::Clock;
use entity_stream_protocol::{ConnectionId, Format, GroupId, Subscription, Tenant};
use entity_stream_runtime::{AwsServices, BroadcastConfig, ConnectConfig, DefaultConfig, Environment};
use lambda_runtime::{Context, LambdaEvent};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// The tenant of the seeds.
pub(crate) const TENANT: &str = "smartcity";
pub(crate) const CONNECTION: &str = "XyZ12cdeIAMCJ1g=";

pub(crate) struct System {
    runtime: Runtime,
    pub(crate) local: Local,
    pub(crate) connect: Connect,
    pub(crate) default: DefaultRoute,
    pub(crate) broadcast: Broadcast,
}

impl System {
    /// Functions with registered listeners.
    pub(crate) fn start() -> Self {
        let system = Self::deserted();
        let table = Table::new(Client::new(&aws_config(&system.local.dynamodb_url())), CONNECTIONS_TABLE);
        system.runtime.block_on(register(&table, &Clock::system()));
        system
    }

    /// A system without listeners. The listeners above have no socket at the local system's own gateway, and deliveries to them
    /// would be retried until they are no longer young.
    pub(crate) fn deserted() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (local, endpoint) = runtime.block_on(async { (start_local().await, start_endpoint().await) });
        let environment = Environment::new(move |name| match name {
            "EVENT_STREAMING_ENABLED" => Some("true".to_owned()),
            "AUTH_ENABLED" => Some("false".to_owned()),
            "WS_CONNECTIONS_TABLE" => Some(CONNECTIONS_TABLE.to_owned()),
            "WS_API_ENDPOINT" => Some(endpoint.clone()),
            _ => None,
        });
        let (aws, clock) = (AwsServices::all(aws_config(&local.dynamodb_url())), Clock::system());
        let connect = ConnectConfig::read(&environment).expect("a configuration");
        let connect = runtime.block_on(Connect::new(connect, &aws, clock.clone())).expect("no secret to read");
        let default = DefaultConfig::read(&environment).expect("a configuration");
        let default = runtime.block_on(DefaultRoute::new(default, &aws, clock.clone())).expect("no secret to read");
        let broadcast = BroadcastConfig::read(&environment).expect("a configuration");
        let broadcast = Broadcast::new(broadcast, &aws, clock);
        Self { runtime, local, connect, default, broadcast }
    }

    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// An event in the form that Lambda passes to a handler, with a deadline.
pub(crate) fn lambda_event<A>(payload: A) -> LambdaEvent<A> {
    let mut context = Context::default();
    context.deadline = Clock::system().now().plus(Duration::from_secs(30)).millis();
    LambdaEvent::new(payload, context)
}

async fn start_local() -> Local {
    let free = "127.0.0.1:0".parse().expect("an address");
    Local::start(Config { listen: free, dynamodb: free, ..Config::default() }).await.expect("the local system starts")
}

async fn start_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async || StatusCode::OK)).await });
    url
}

/// Registers listeners for every change: one in each format, and a member of a group.
async fn register(table: &Table, clock: &Clock) {
    let group = GroupId::parse("group").ok();
    for (id, format, group) in [
        (CONNECTION, Format::Json, None),
        ("XyZ12cdeIAMCJ2g=", Format::CloudEvents, None),
        ("XyZ12cdeIAMCJ3g=", Format::Json, group),
    ] {
        let connection = Connection {
            id: ConnectionId::parse(id).expect("an id"),
            tenant: Tenant::parse(TENANT).expect("a tenant"),
            connected_at: clock.now(),
            subscriptions: vec![Subscription::default()],
            acknowledgement: None,
            format,
            group,
            takes_batches: false,
            resumed: None,
            resumed_at: None,
            authorisation: Authorisation::Open,
        };
        table.register(&connection).await.expect("the table takes it");
    }
}
