//! A client that is cut off again and again while events flow, through sockets. Some attempts crash and are repeated, and each
//! attempt hands a part of its audience on.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use entity_stream_local::{Config, FunctionHost, FunctionNames};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Client, Endpoint, Functions, Hands, Reply, System, config, entry, lambda_event, result, room};

const CUTS: usize = 200;
/// Every so many milliseconds ten events are published.
const TICK: Duration = Duration::from_millis(100);

/// Lambda with the real functions. Every tenth broadcast dies in its course, and the bus repeats it.
struct Lambda {
    functions: Functions,
    random: Mutex<fastrand::Rng>,
    /// The events whose broadcast died.
    died: Mutex<BTreeSet<String>>,
}

impl Lambda {
    async fn invoke(&self, path: &str, payload: &str) -> Result<Value, String> {
        let name = path.split('/').nth(3).unwrap_or_default();
        let failed = |failure: entity_stream_runtime::Failure| failure.to_string();
        match name {
            "connect" => Ok(result(&self.functions.connect.handle(lambda_event(payload)).await.map_err(failed)?)),
            "disconnect" => Ok(result(&self.functions.disconnect.handle(lambda_event(payload)).await.map_err(failed)?)),
            "default" => Ok(result(&self.functions.default.handle(lambda_event(payload)).await.map_err(failed)?)),
            _ => {
                let dies =
                    self.random.lock().unwrap().u8(..10) == 0 && self.died.lock().unwrap().insert(payload.to_owned());
                let broadcast = self.functions.broadcast(payload, 30);
                if !dies {
                    return broadcast.await.map(|summary| result(&summary)).map_err(failed);
                }
                let life = Duration::from_millis(self.random.lock().unwrap().u64(..30));
                match timeout(life, broadcast).await {
                    Ok(ended) => ended.map(|summary| result(&summary)).map_err(failed),
                    Err(_) => Err("Runtime exited".to_owned()),
                }
            }
        }
    }
}

/// Starts a system whose functions are behind Lambda's Invoke API.
async fn system() -> (System, Arc<OnceLock<Lambda>>) {
    let lambda: Arc<OnceLock<Lambda>> = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serving = Arc::clone(&lambda);
    let app = Router::new().fallback(move |request: Request| {
        let lambda = Arc::clone(&serving);
        async move {
            let path = request.uri().path().to_owned();
            let payload = request.into_body().collect().await.unwrap().to_bytes();
            let payload = std::str::from_utf8(&payload).unwrap();
            match lambda.get().unwrap().invoke(&path, payload).await {
                Ok(output) => Response::new(Body::from(output.to_string())),
                Err(message) => Response::builder()
                    .header("x-amz-function-error", "Unhandled")
                    .body(Body::from(json!({ "errorMessage": message }).to_string()))
                    .unwrap(),
            }
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let functions = FunctionHost::Lambda { endpoint, names: FunctionNames::default() };
    let system = System::start_with(Config { functions, ..config() }).await;
    let api: &'static str = Box::leak(format!("{}/local", system.local.http_url()).into_boxed_str());
    let settings: &'static [(&str, &str)] = Box::leak(Box::new([
        ("WS_API_ENDPOINT", api),
        ("EVENT_BUS_NAME", "default"),
        ("BROADCAST_SPLIT_AT", "2"),
        ("WS_HISTORY_TABLE", "entity-stream-history"),
    ]));
    let unused = Endpoint::script([Reply::status(500)]).await;
    let functions = Functions::with_settings(&system, &unused, &Hands::running(), settings).await;
    let random = Mutex::new(fastrand::Rng::with_seed(14));
    assert!(lambda.set(Lambda { functions, random, died: Mutex::default() }).is_ok());
    (system, lambda)
}

/// The place of a client in the history, and the events that it has received.
#[derive(Default)]
struct Memory {
    place: Option<(String, String)>,
    received: BTreeSet<String>,
    recovered: usize,
}

impl Memory {
    /// Reads a frame. Positions count once the subscription is answered.
    fn read(&mut self, frame: &Value, is_settled: &mut bool) {
        match frame["type"].as_str() {
            Some("subscribed") => {
                assert_ne!(frame["recovered"], json!(false), "{frame}");
                self.recovered += usize::from(frame["recovered"] == json!(true));
                *is_settled = true;
                let text = |name: &str| frame[name].as_str().unwrap().to_owned();
                let (position, session) = (text("position"), text("session"));
                let position = self.place.take().map_or(position.clone(), |(known, _)| known.max(position));
                self.place = Some((position, session));
            }
            Some("events") => frame["events"].as_array().unwrap().iter().for_each(|event| self.read(event, is_settled)),
            _ => {
                self.received.insert(frame["entityId"].as_str().unwrap().to_owned());
                if let Some((known, _)) = self.place.as_mut().filter(|_| *is_settled) {
                    let position = frame["position"].as_str().unwrap();
                    if position > known.as_str() {
                        position.clone_into(known);
                    }
                }
            }
        }
    }

    async fn connect(&self, system: &System) -> Client {
        let mut client = system.connect("tenant=demo&subscribe=none&batch=true").await;
        let mut message = json!({ "action": "subscribe", "entityTypes": ["Room"], "requestId": "1" });
        if let Some((position, session)) = &self.place {
            message["since"] = json!({ "position": position, "session": session });
        }
        client.send(message.to_string()).await;
        client
    }

    /// Listens for a while, and drops the connection. The while begins with the answer, if the client waits for it.
    async fn listen(&mut self, system: &System, (time, waits): (Duration, bool)) {
        let mut client = self.connect(system).await;
        let mut is_settled = false;
        while waits && !is_settled {
            self.read(&client.json().await, &mut is_settled);
        }
        let end = Instant::now() + time;
        while let Ok(message) = tokio::time::timeout_at(end, client.next()).await {
            if let Message::Text(text) = message {
                self.read(&serde_json::from_str(&text).unwrap(), &mut is_settled);
            }
        }
    }
}

/// Publishes until it is stopped. Returns the ids.
async fn publish(system: &System, stop: &AtomicBool) -> BTreeSet<String> {
    let mut published = BTreeSet::new();
    let mut ticks = tokio::time::interval(TICK);
    while !stop.load(Ordering::SeqCst) {
        ticks.tick().await;
        let ids: Vec<_> = (0..10).map(|n| format!("n{}-{n}", published.len())).collect();
        let entries = ids.iter().map(|id| entry(&room("demo", id).to_string())).collect();
        let results = system.put_events(entries).await;
        assert!(results.iter().all(|result| result.event_id().is_some()));
        published.extend(ids);
    }
    published
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_cut_off_200_times_has_exactly_the_published_events() {
    let (system, lambda) = system().await;
    // Others, so that each event is handed on.
    let mut others = Vec::new();
    for _ in 0..2 {
        let mut other = system.connect("tenant=demo").await;
        others.push(tokio::spawn(async move { while let Message::Text(_) = other.next().await {} }));
    }
    let (mut memory, mut random) = (Memory::default(), fastrand::Rng::with_seed(15));
    // The first answer comes before the first event.
    let mut client = memory.connect(&system).await;
    let mut is_settled = false;
    memory.read(&client.json().await, &mut is_settled);
    drop(client);
    let stop = AtomicBool::new(false);
    let cut = async {
        for _ in 0..CUTS {
            let time = Duration::from_millis(random.u64(1..120));
            memory.listen(&system, (time, random.bool())).await;
        }
        stop.store(true, Ordering::SeqCst);
    };
    let (published, ()) = tokio::join!(publish(&system, &stop), cut);
    system.local.settled().await;
    let mut client = memory.connect(&system).await;
    let mut is_settled = false;
    while !is_settled {
        memory.read(&client.json().await, &mut is_settled);
    }
    client.send(json!({ "action": "ping" }).to_string()).await;
    loop {
        let frame = client.json().await;
        if frame["type"] == "pong" {
            break;
        }
        memory.read(&frame, &mut is_settled);
    }
    let lost: Vec<_> = published.difference(&memory.received).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), published.len());
    assert_eq!(memory.received, published);
    assert!(memory.recovered > CUTS / 4, "most cuts come after an answer: {}", memory.recovered);
    assert!(lambda.get().unwrap().died.lock().unwrap().len() > 50, "attempts were repeated");
    assert!(system.dead_letters().await.is_empty());
    others.into_iter().for_each(|other| other.abort());
}
