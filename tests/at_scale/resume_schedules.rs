//! Random schedules of the real functions: attempts that crash, are repeated, hand parts of their audience on, and wait; clients
//! that drop, come back with their position, and exchange their subscription; a clock that jumps. A client that was told
//! `recovered:true` each time has every event.
//!
//! The simulation of `crates/history` has far more schedules, of a model of the functions. These have the functions themselves,
//! with the embedded table and real requests to `@connections`.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use entity_stream_connections::Connection;
use entity_stream_protocol::ConnectionId;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Bus, Endpoint, Functions, Hands, System, envelope, lambda_event};
use crate::resume_world::{Listener, World, Worlds, gateway};

/// The schedules of one test run. `.ci/long` has thousands: `ENTITY_STREAM_FUNCTION_SCHEDULES` sets another number.
const SCHEDULES: u64 = 100;
/// The schedules that share a system. A larger number would only make its tables larger.
const SCHEDULES_OF_A_SYSTEM: u64 = 50;
const EVENTS: usize = 6;
const CLIENTS: usize = 3;
/// All of them select every event of these tests, in different scopes.
const FILTERS: [&str; 4] = [
    r"{}",
    r#"{"entityTypes":["Room"]}"#,
    r#"{"entityIds":["urn:room:1"]}"#,
    r#"{"entityTypes":["Room","Car"],"idPattern":"^urn:room:"}"#,
];

/// An invocation that waits.
struct Invocation {
    request_id: String,
    event: String,
    tries: u32,
}

/// A schedule under way.
struct Schedule<'a> {
    random: fastrand::Rng,
    tenant: String,
    functions: &'a Functions,
    bus: &'a mut Bus,
    hands: &'a Hands,
    worlds: &'a Worlds,
    waiting: Vec<Invocation>,
    /// The number of connections so far.
    connections: usize,
    /// Which filter each client has.
    filters: [usize; CLIENTS],
}

/// Polls a future at most so many times, and drops it then, as a crash does.
async fn crash_after<T>(polls: Option<u32>, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == Some(0) {
            return Poll::Ready(None);
        }
        left = left.map(|left| left - 1);
        future.as_mut().poll(context).map(Some)
    })
    .await
}

impl Schedule<'_> {
    fn with_world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        act(self.worlds.lock().unwrap().get_mut(&self.tenant).unwrap())
    }

    fn publish(&mut self) {
        let id = self.with_world(|world| {
            let id = format!("{}-e{}", self.tenant, world.published.len());
            world.published.push(id.clone());
            id
        });
        let detail = json!({
            "type": "entityUpdated", "tenant": self.tenant, "entityId": "urn:room:1", "entityType": "Room",
            "data": { "temperature": 21 },
        });
        self.wait_for(envelope(&id, &detail));
        // EventBridge delivers at least once.
        if self.random.u8(..10) == 0 {
            self.wait_for(envelope(&id, &detail));
        }
    }

    fn wait_for(&mut self, event: String) {
        self.waiting.push(Invocation { request_id: format!("r{}", self.random.u64(..)), event, tries: 0 });
    }

    /// One to three things at the same time: invocations, and a client.
    async fn step(&mut self) {
        let mut invocations = Vec::new();
        for _ in 0..self.random.usize(..3) {
            if !self.waiting.is_empty() {
                invocations.push(self.waiting.swap_remove(self.random.usize(..self.waiting.len())));
            }
        }
        let crashes: Vec<_> = invocations
            .iter()
            .map(|invocation| (invocation.tries < 2 && self.random.u8(..4) == 0).then(|| self.random.u32(1..40)))
            .collect();
        let client = self.random.usize(..CLIENTS);
        let message = self.client_message(client).await;
        let drops = (self.random.u8(..6) == 0).then(|| self.random.u32(1..30));
        let jump = self.random.u64(..14);
        let functions = self.functions;
        let broadcasts = join_all(invocations.iter().zip(crashes).map(|(invocation, crash)| {
            crash_after(crash, functions.broadcast_as(&invocation.request_id, &invocation.event, 30))
        }));
        let hands = self.hands;
        let jumps = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            hands.forward(jump / 3);
        };
        let told = async {
            match message {
                Some((connection, message)) => {
                    let told = crash_after(drops, tell(functions, &connection, &message)).await;
                    told.is_none().then_some(client)
                }
                None => None,
            }
        };
        let (results, dropped, ()) = tokio::join!(broadcasts, told, jumps);
        if let Some(client) = dropped {
            // The function that handles a message goes on without its client on AWS; here it has ended too, as in a crash.
            self.drop_client(client).await;
        }
        for (invocation, result) in invocations.into_iter().zip(results) {
            if !matches!(result, Some(Ok(_))) {
                self.waiting.push(Invocation { tries: invocation.tries + 1, ..invocation });
            }
        }
        for continuation in self.bus.take() {
            self.wait_for(continuation);
        }
        self.hands.forward(jump);
    }

    /// The client's next message, if any.
    async fn client_message(&mut self, client: usize) -> Option<(Connection, Value)> {
        let (open, place) = self.with_world(|world| {
            let listener = &world.listeners[client];
            (listener.connection.clone(), listener.place.clone())
        });
        let Some(open) = open else {
            return if self.random.bool() { Some(self.connect(client, place).await) } else { None };
        };
        match self.random.u8(..10) {
            0..3 => {
                self.drop_client(client).await;
                None
            }
            3 => {
                self.filters[client] = self.random.usize(..FILTERS.len());
                let connection = self.functions.connection(&open, &self.tenant);
                Some((connection, self.subscribe(client, None)))
            }
            _ => None,
        }
    }

    /// Opens a connection. It has no subscription until its first message.
    async fn connect(&mut self, client: usize, place: Option<(String, String)>) -> (Connection, Value) {
        self.connections += 1;
        let id = format!("{}-c{}", self.tenant, self.connections);
        let connection = Connection {
            subscriptions: Vec::new(),
            takes_batches: client == 0,
            // API Gateway answers 410 for a connection that is still opening, which takes seconds to tell from one that ended.
            connected_at: self.hands.clock().now().minus(Duration::from_secs(60)),
            ..self.functions.connection(&id, &self.tenant)
        };
        self.functions.table.register(&connection).await.unwrap();
        self.with_world(|world| {
            let listener = &mut world.listeners[client];
            (listener.connection, listener.is_settled) = (Some(id), false);
        });
        (connection, self.subscribe(client, place))
    }

    fn subscribe(&self, client: usize, place: Option<(String, String)>) -> Value {
        let mut message: Value = serde_json::from_str(FILTERS[self.filters[client]]).unwrap();
        message["action"] = json!("subscribe");
        message["requestId"] = json!("1");
        if let Some((position, session)) = place {
            message["since"] = json!({ "position": position, "session": session });
        }
        message
    }

    /// Cuts a client off. `$disconnect` comes, or does not.
    async fn drop_client(&mut self, client: usize) {
        let connection = self.with_world(|world| world.listeners[client].connection.take());
        if let Some(connection) = connection.filter(|_| self.random.bool()) {
            self.functions.table.forget(&ConnectionId::parse(connection).unwrap()).await.unwrap();
        }
    }

    /// Every client that has no connection, or no answer, comes back.
    async fn come_back(&mut self) {
        for client in 0..CLIENTS {
            let (is_settled, place) = self.with_world(|world| {
                let listener = &world.listeners[client];
                (listener.connection.is_some() && listener.is_settled, listener.place.clone())
            });
            if !is_settled {
                self.drop_client(client).await;
                let (connection, message) = self.connect(client, place).await;
                tell(self.functions, &connection, &message).await;
            }
        }
    }

    async fn run(mut self, seed: u64) {
        let refusals = (fastrand::Rng::with_seed(seed), 12);
        let listeners = (0..CLIENTS).map(|_| Listener::default()).collect();
        let world = World { listeners, refusals: Some(refusals), ..World::default() };
        self.worlds.lock().unwrap().insert(self.tenant.clone(), world);
        let mut published = 0;
        for _ in 0..24 {
            if published < EVENTS && self.random.u8(..3) == 0 {
                self.publish();
                published += 1;
            }
            self.step().await;
        }
        // At the end everything that waits is served, and every client comes back.
        self.with_world(|world| world.refusals = None);
        self.come_back().await;
        while let Some(invocation) = self.waiting.pop() {
            self.functions.broadcast_as(&invocation.request_id, &invocation.event, 30).await.unwrap();
            for continuation in self.bus.take() {
                self.wait_for(continuation);
            }
        }
        // On a busy machine, a connection can be closed because it took an event too late.
        self.come_back().await;
        let world = self.worlds.lock().unwrap().remove(&self.tenant).unwrap();
        assert_eq!(world.faults, [""; 0], "seed {seed}");
        for (client, listener) in world.listeners.iter().enumerate() {
            let due = &world.published[listener.known_at_start.unwrap()..];
            let lost: Vec<_> = due.iter().filter(|id| !listener.received.contains(*id)).collect();
            assert!(lost.is_empty(), "seed {seed}: client {client} has not received {lost:?} of {:?}", world.published);
            assert!(listener.received.iter().all(|id| world.published.contains(id)), "seed {seed}: a foreign event");
        }
    }
}

/// Invokes the default function with a message of a connection.
async fn tell(functions: &Functions, connection: &Connection, message: &Value) {
    let context = json!({
        "routeKey": "$default", "eventType": "MESSAGE", "connectionId": connection.id.as_str(), "requestId": "r",
        "stage": "local", "connectedAt": connection.connected_at.millis(),
        "requestTimeEpoch": connection.connected_at.millis(), "apiId": "api", "domainName": "localhost",
        "identity": { "sourceIp": "127.0.0.1" },
    });
    let event = json!({ "requestContext": context, "body": message.to_string(), "isBase64Encoded": false });
    // A refused delivery fails the function; the client has no answer then.
    let _ = functions.default.handle(lambda_event(&event.to_string())).await;
}

async fn run_schedules(seeds: std::ops::Range<u64>) {
    let (system, hands, worlds) = (System::start().await, Hands::default(), Worlds::default());
    // Connections seem to have been open for a minute, and the history begins with the system.
    hands.forward(120);
    let known = Arc::clone(&worlds);
    let api = Endpoint::new(move |asked| gateway(&known, asked)).await;
    // Each invocation serves a few connections and hands the others on.
    let settings: &[(&str, &str)] =
        &[("BROADCAST_SPLIT_AT", "1"), ("WS_HISTORY_TABLE", "entity-stream-history"), ("HISTORY_MINUTES", "60")];
    let url = system.local.dynamodb_url();
    let (mut functions, mut bus) = Functions::with_bus(&system, &url, &api, &hands, settings).await;
    functions.broadcast = functions.broadcast.with_patience(Duration::from_millis(40));
    for seed in seeds {
        let schedule = Schedule {
            random: fastrand::Rng::with_seed(seed),
            tenant: format!("t{seed}"),
            functions: &functions,
            bus: &mut bus,
            hands: &hands,
            worlds: &worlds,
            waiting: Vec::new(),
            connections: 0,
            filters: [0; CLIENTS],
        };
        schedule.run(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_recovered_each_time_has_every_event() {
    let schedules = std::env::var("ENTITY_STREAM_FUNCTION_SCHEDULES").ok().and_then(|number| number.parse().ok());
    let schedules: u64 = schedules.unwrap_or(SCHEDULES);
    let mut next = 0;
    while next < schedules {
        let runs: Vec<_> = (0..2)
            .map(|_| {
                let seeds = next..(next + SCHEDULES_OF_A_SYSTEM).min(schedules);
                next = seeds.end;
                tokio::spawn(run_schedules(seeds))
            })
            .collect();
        join_all(runs).await.into_iter().for_each(|run| run.unwrap());
    }
}
