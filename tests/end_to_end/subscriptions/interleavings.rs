//! Random sequences of messages, events and ends of connections, beside a model. Each event is delivered exactly once for each
//! view of the subscriptions that it matches at that moment, and the table holds exactly the last state.

use std::collections::{BTreeMap, BTreeSet};

use entity_stream_protocol::ConnectionId;
use serde_json::{Value, json};

use crate::harness::{Endpoint, Functions, Hands, Reply, System, envelope, lambda_event};

const TYPES: [&str; 3] = ["Room", "Car", "Bus"];
const IDS: [&str; 4] = ["e1", "e2", "e3", "e#4"];
const NAMES: [&str; 4] = ["", "map", "list", "x"];
const CONNECTIONS: [&str; 4] = ["OneAAAAAAAAAAAA=", "TwoAAAAAAAAAAAA=", "TriAAAAAAAAAAAA=", "ForAAAAAAAAAAAA="];

/// A change as the model sees it.
struct Change {
    id: String,
    kind: &'static str,
    entity_id: &'static str,
    types: Vec<&'static str>,
    speed: u32,
}

/// The selection of a subscription, and its message. The model's own definition, written for these few filters.
type Selects = fn(&Change) -> bool;

const FILTERS: [(&str, Selects); 12] = [
    (r"{}", |_| true),
    (r#"{"entityTypes":["Room"]}"#, |change| change.types.contains(&"Room")),
    (r#"{"entityTypes":["Car","Bus"]}"#, |change| change.types.contains(&"Car") || change.types.contains(&"Bus")),
    (r#"{"entityIds":["e1"]}"#, |change| change.entity_id == "e1"),
    (r#"{"entityIds":["e1","e#4"],"entityTypes":["Car"]}"#, |change| {
        ["e1", "e#4"].contains(&change.entity_id) && change.types.contains(&"Car")
    }),
    (r#"{"idPattern":"^(e2|e3)$"}"#, |change| ["e2", "e3"].contains(&change.entity_id)),
    (r#"{"idPattern":"[13]$","entityTypes":["Room"]}"#, |change| {
        ["e1", "e3"].contains(&change.entity_id) && change.types.contains(&"Room")
    }),
    (r#"{"q":"speed>=50"}"#, |change| change.kind == "entityDeleted" || change.speed >= 50),
    (r#"{"q":"speed<50","entityTypes":["Car"]}"#, |change| {
        change.types.contains(&"Car") && (change.kind == "entityDeleted" || change.speed < 50)
    }),
    (r#"{"notificationTrigger":["entityCreated"]}"#, |change| change.kind == "entityCreated"),
    (r#"{"watchedAttributes":["other"]}"#, |change| change.kind != "entityUpdated"),
    (r#"{"servicePath":"/nowhere/#"}"#, |_| false),
];

const VIEWS: [&str; 3] = [r"{}", r#"{"representation":"keyValues"}"#, r#"{"attributes":["speed"]}"#];

/// The subscriptions of each open connection: the numbers of filter and view by name.
type Model = BTreeMap<&'static str, BTreeMap<&'static str, (usize, usize)>>;

/// The deliveries that a change causes: the connection, the event, the names and the number of the view.
fn expected(model: &Model, change: &Change) -> Vec<(String, String, Option<BTreeSet<&'static str>>, usize)> {
    let mut deliveries = Vec::new();
    for (connection, subscriptions) in model {
        let is_named = subscriptions.keys().any(|name| !name.is_empty());
        let mut views = BTreeMap::<usize, BTreeSet<&'static str>>::new();
        for (name, (filter, view)) in subscriptions {
            if FILTERS[*filter].1(change) {
                views.entry(*view).or_default().insert(name);
            }
        }
        for (view, names) in views {
            deliveries.push(((*connection).to_owned(), change.id.clone(), is_named.then_some(names), view));
        }
    }
    deliveries
}

fn subscription(name: &str, (filter, view): (usize, usize)) -> Value {
    let mut subscription: Value = serde_json::from_str(FILTERS[filter].0).unwrap();
    let view: Value = serde_json::from_str(VIEWS[view]).unwrap();
    subscription.as_object_mut().unwrap().extend(view.as_object().unwrap().clone());
    if !name.is_empty() {
        subscription["subscription"] = json!(name);
    }
    subscription
}

/// The view that a message shows. The data has the attributes speed and name.
fn view_of(event: &Value) -> usize {
    match (&event["data"]["speed"], &event["data"]["name"]) {
        (Value::Number(_), _) => 1,
        (_, Value::Null) => 2,
        _ => 0,
    }
}

async fn send(functions: &Functions, connection: &str, message: &Value) {
    let context = json!({
        "routeKey": "$default", "eventType": "MESSAGE", "connectionId": connection, "requestId": "r", "stage": "local",
        "connectedAt": 1_767_000_000_000_u64, "requestTimeEpoch": 1_767_000_000_000_u64, "apiId": "api",
        "domainName": "localhost", "identity": { "sourceIp": "127.0.0.1" },
    });
    let event = json!({ "requestContext": context, "body": message.to_string(), "isBase64Encoded": false });
    functions.default.handle(lambda_event(&event.to_string())).await.unwrap();
}

async fn run(seed: u64, settings: &'static [(&'static str, &'static str)]) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (system, hands) = (System::start().await, Hands::default());
    let api = Endpoint::script([Reply::status(200)]).await;
    let (functions, mut bus) = Functions::with_bus(&system, &system.local.dynamodb_url(), &api, &hands, settings).await;
    let (mut model, mut seen, mut number) = (Model::new(), 0, 0);
    for step in 0..120 {
        let connection = CONNECTIONS[random.usize(..CONNECTIONS.len())];
        match (random.u8(..10), model.contains_key(connection)) {
            (0..=3, false) => {
                functions.register(connection, "demo").await;
                model.insert(connection, BTreeMap::from([("", (0, 0))]));
            }
            (0, true) => {
                functions.table.forget(&ConnectionId::parse(connection).unwrap()).await.unwrap();
                model.remove(connection);
            }
            (1, true) => {
                let name = NAMES[random.usize(..NAMES.len())];
                let mut message = json!({ "action": "unsubscribe" });
                if !name.is_empty() {
                    message["subscription"] = json!(name);
                }
                send(&functions, connection, &message).await;
                model.get_mut(connection).unwrap().remove(name);
            }
            (2..=4, true) => {
                let mut chosen = BTreeMap::new();
                for _ in 0..random.usize(1..4) {
                    let choice = (random.usize(..FILTERS.len()), random.usize(..VIEWS.len()));
                    chosen.insert(NAMES[random.usize(..NAMES.len())], choice);
                }
                let list: Vec<_> = chosen.iter().map(|(name, choice)| subscription(name, *choice)).collect();
                let mut message = if list.len() == 1 { list[0].clone() } else { json!({ "subscriptions": list }) };
                message["action"] = json!("subscribe");
                send(&functions, connection, &message).await;
                model.get_mut(connection).unwrap().extend(chosen);
            }
            _ => {
                let changes: Vec<Change> = (0..random.usize(1..4))
                    .map(|_| {
                        number += 1;
                        Change {
                            id: format!("event-{number}"),
                            kind: ["entityCreated", "entityUpdated", "entityDeleted"][random.usize(..3)],
                            entity_id: IDS[random.usize(..IDS.len())],
                            types: if random.bool() { vec![TYPES[random.usize(..3)]] } else { vec!["Car", "Room"] },
                            speed: random.u32(..100),
                        }
                    })
                    .collect();
                let events: Vec<String> = changes
                    .iter()
                    .map(|change| {
                        let speed = json!({ "type": "Property", "value": change.speed });
                        let name = json!({ "type": "Property", "value": "n" });
                        let detail = json!({
                            "type": change.kind, "tenant": "demo", "entityId": change.entity_id,
                            "entityType": change.types, "data": { "speed": speed, "name": name },
                        });
                        envelope(&change.id, &detail)
                    })
                    .collect();
                functions.broadcast(&format!("[{}]", events.join(",")), 30).await.unwrap();
                loop {
                    let continued = bus.take();
                    if continued.is_empty() {
                        break;
                    }
                    bus.run(&functions, continued, 30).await;
                }
                let mut expected: Vec<_> = changes.iter().flat_map(|change| expected(&model, change)).collect();
                let asked = api.asked();
                let posts = asked[seen..].iter().filter(|asked| asked.method == "POST");
                let bodies = posts.map(|asked| (asked, serde_json::from_slice::<Value>(&asked.body).unwrap()));
                // Refusals of `unsubscribe` are answers, not events.
                let events = bodies.filter(|(_, body)| body["type"] != "error");
                let mut delivered: Vec<_> = events
                    .map(|(asked, event)| {
                        let connection = asked.path.rsplit('/').next().unwrap().replace("%3D", "=");
                        let names: Option<Vec<String>> =
                            serde_json::from_value(event["subscriptions"].clone()).unwrap();
                        if let Some(names) = &names {
                            assert!(names.is_sorted(), "{names:?}");
                        }
                        let names = names.map(|names| {
                            let known = |name: String| *NAMES.iter().find(|known| **known == name).unwrap();
                            names.into_iter().map(known).collect::<BTreeSet<_>>()
                        });
                        (connection, event["id"].as_str().unwrap().to_owned(), names, view_of(&event))
                    })
                    .collect();
                expected.sort();
                delivered.sort();
                assert_eq!(delivered, expected, "seed {seed}, step {step}: {model:?}");
                seen = asked.len();
            }
        }
        assert_table(&functions, &model, &hands, &format!("seed {seed}, step {step}")).await;
    }
    for connection in model.keys() {
        functions.table.forget(&ConnectionId::parse(*connection).unwrap()).await.unwrap();
    }
    assert!(system.items().await.is_empty(), "seed {seed}: ended connections leave nothing");
}

/// Each connection has the subscriptions of the model.
async fn assert_table(functions: &Functions, model: &Model, hands: &Hands, context: &str) {
    for connection in CONNECTIONS {
        let id = ConnectionId::parse(connection).unwrap();
        let found = functions.table.find(&id, hands.clock().now()).await.unwrap();
        let found = found.map(|connection| serde_json::to_value(connection.subscriptions).unwrap());
        let expected = model.get(connection).map(|subscriptions| {
            json!(subscriptions.iter().map(|(name, choice)| subscription(name, *choice)).collect::<Vec<_>>())
        });
        assert_eq!(found, expected, "{context}: {connection}");
    }
}

#[tokio::test]
async fn each_event_is_delivered_once_for_each_view_that_it_matches() {
    for seed in 0..4 {
        run(seed, &[]).await;
    }
}

/// Each invocation serves one connection, and hands the others on.
#[tokio::test]
async fn the_same_across_continuations() {
    for seed in 100..102 {
        run(seed, &[("BROADCAST_SPLIT_AT", "1")]).await;
    }
}
