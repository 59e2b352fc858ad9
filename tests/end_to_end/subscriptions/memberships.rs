//! Random sequences with consumer groups, connections that authenticate late, and two tenants, beside a model. A connection receives
//! nothing before it authenticates. Exactly one member of a group receives an event, in each view that it matches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection};
use entity_stream_protocol::{ConnectionId, Filter, GroupId, Representation, Subscription, SubscriptionName, View};
use serde_json::{Value, json};

use crate::harness::tokens::{SECRET, user_until};
use crate::harness::{Bus, Endpoint, Functions, Hands, Reply, System, envelope, lambda_event, room};

const SETTINGS: &[(&str, &str)] = &[("AUTH_ENABLED", "true"), ("AUTH_IN_BAND", "true"), ("JWT_SECRET", SECRET)];
const SPLIT: &[(&str, &str)] =
    &[("AUTH_ENABLED", "true"), ("AUTH_IN_BAND", "true"), ("JWT_SECRET", SECRET), ("BROADCAST_SPLIT_AT", "1")];

const TENANTS: [&str; 2] = ["demo", "demo-2"];
const TYPES: [&str; 2] = ["Room", "demo#Room"];
const IDS: [&str; 3] = ["e1", "e#1", "*"];
const NAMES: [&str; 3] = ["", "list", "map"];

/// A subscription of the model: the filter, and whether it shows bare values.
#[derive(Clone, Copy, Debug)]
struct Chosen {
    entity_type: Option<&'static str>,
    entity_id: Option<&'static str>,
    is_bare: bool,
}

impl Chosen {
    fn random(random: &mut fastrand::Rng) -> Self {
        let entity_type = random.bool().then(|| TYPES[random.usize(..TYPES.len())]);
        let entity_id = random.bool().then(|| IDS[random.usize(..IDS.len())]);
        Self { entity_type, entity_id, is_bare: random.bool() }
    }

    fn matches(&self, entity_type: &str, entity_id: &str) -> bool {
        self.entity_type.is_none_or(|wanted| wanted == entity_type)
            && self.entity_id.is_none_or(|wanted| wanted == entity_id)
    }

    fn message(&self, name: &str) -> Value {
        let mut message = json!({ "action": "subscribe" });
        if !name.is_empty() {
            message["subscription"] = json!(name);
        }
        if let Some(entity_type) = self.entity_type {
            message["entityTypes"] = json!([entity_type]);
        }
        if let Some(entity_id) = self.entity_id {
            message["entityIds"] = json!([entity_id]);
        }
        if self.is_bare {
            message["representation"] = json!("keyValues");
        }
        message
    }
}

/// A connection of the model.
#[derive(Debug)]
struct Member {
    tenant: &'static str,
    is_grouped: bool,
    is_authorised: bool,
    subscriptions: BTreeMap<&'static str, Chosen>,
}

/// A message that a connection receives: whether it shows bare values, and the names of the subscriptions.
type Received = BTreeSet<(bool, Option<Vec<String>>)>;

impl Member {
    fn receives(&self, tenant: &str, entity_type: &str, entity_id: &str) -> Received {
        let mut views = BTreeMap::<bool, Vec<String>>::new();
        if self.is_authorised && self.tenant == tenant {
            for (name, chosen) in &self.subscriptions {
                if chosen.matches(entity_type, entity_id) {
                    views.entry(chosen.is_bare).or_default().push((*name).to_owned());
                }
            }
        }
        let is_named = self.subscriptions.keys().any(|name| !name.is_empty());
        views.into_iter().map(|(is_bare, names)| (is_bare, is_named.then_some(names))).collect()
    }
}

/// The system and the model of it.
struct Run {
    system: System,
    functions: Functions,
    bus: Bus,
    api: Endpoint,
    hands: Hands,
    random: fastrand::Rng,
    members: BTreeMap<String, Member>,
    opened: usize,
}

impl Run {
    async fn start(seed: u64, settings: &'static [(&'static str, &'static str)]) -> Self {
        let (system, hands) = (System::start().await, Hands::default());
        let api = Endpoint::script([Reply::status(200)]).await;
        let dynamodb = system.local.dynamodb_url();
        let (functions, bus) = Functions::with_bus(&system, &dynamodb, &api, &hands, settings).await;
        let random = fastrand::Rng::with_seed(seed);
        Self { system, functions, bus, api, hands, random, members: BTreeMap::new(), opened: 0 }
    }

    /// Sends a message, and returns the answers.
    async fn send(&self, id: &str, message: &Value) -> Vec<Value> {
        let before = self.api.asked().len();
        let event = json!({ "requestContext": context(id), "body": message.to_string(), "isBase64Encoded": false });
        self.functions.default.handle(lambda_event(&event.to_string())).await.unwrap();
        // The connection of the message is old, so a refusal also closes it if it has not authenticated.
        let asked = self.api.asked().split_off(before);
        let posts = asked.iter().filter(|asked| asked.method == "POST");
        posts.map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect()
    }

    async fn open(&mut self) {
        self.opened += 1;
        let id = format!("Member{:09}=", self.opened);
        let tenant = TENANTS[self.random.usize(..TENANTS.len())];
        let is_grouped = self.random.bool();
        let connection = Connection {
            group: is_grouped.then(|| GroupId::parse("team").unwrap()),
            authorisation: Authorisation::Pending,
            ..self.functions.connection(&id, tenant)
        };
        self.functions.table.register(&connection).await.unwrap();
        let everything = Chosen { entity_type: None, entity_id: None, is_bare: false };
        let subscriptions = BTreeMap::from([("", everything)]);
        self.members.insert(id, Member { tenant, is_grouped, is_authorised: false, subscriptions });
    }

    async fn act(&mut self, id: &str) {
        let name = NAMES[self.random.usize(..NAMES.len())];
        let is_authorised = self.members[id].is_authorised;
        match self.random.u8(..8) {
            0 => {
                let event = json!({ "requestContext": context(id), "isBase64Encoded": false });
                self.functions.disconnect.handle(lambda_event(&event.to_string())).await.unwrap();
                self.members.remove(id);
            }
            1..=3 => {
                let until = self.hands.clock().now().plus(Duration::from_secs(3600));
                let token = user_until(self.members[id].tenant, "alice", until);
                let answers = self.send(id, &json!({ "action": "authenticate", "token": token })).await;
                assert_eq!(answers[0]["type"], "authenticated", "{answers:?}");
                self.members.get_mut(id).unwrap().is_authorised = true;
            }
            4 => {
                let mut message = json!({ "action": "unsubscribe" });
                if !name.is_empty() {
                    message["subscription"] = json!(name);
                }
                let answers = self.send(id, &message).await;
                let is_known = name.is_empty() || self.members[id].subscriptions.contains_key(name);
                let expected = match (is_authorised, is_known) {
                    (false, _) => Some("unauthorized"),
                    (true, false) => Some("not_subscribed"),
                    (true, true) => None,
                };
                assert_eq!(answers.first().and_then(|answer| answer["code"].as_str()), expected, "{answers:?}");
                if is_authorised {
                    self.members.get_mut(id).unwrap().subscriptions.remove(name);
                }
            }
            _ => {
                let chosen = Chosen::random(&mut self.random);
                let answers = self.send(id, &chosen.message(name)).await;
                let expected = (!is_authorised).then_some("unauthorized");
                assert_eq!(answers.first().and_then(|answer| answer["code"].as_str()), expected, "{answers:?}");
                if is_authorised {
                    self.members.get_mut(id).unwrap().subscriptions.insert(name, chosen);
                }
            }
        }
    }

    /// Publishes a change, and compares the received events with the model.
    async fn publish(&mut self, number: usize) {
        let tenant = TENANTS[self.random.usize(..TENANTS.len())];
        let entity_type = TYPES[self.random.usize(..TYPES.len())];
        let entity_id = IDS[self.random.usize(..IDS.len())];
        let detail = json!({
            "type": "entityUpdated", "tenant": tenant, "entityId": entity_id, "entityType": entity_type,
            "data": { "a": { "type": "Property", "value": 1 } },
        });
        let before = self.api.asked().len();
        let event = envelope(&format!("event-{number}"), &detail);
        let ran = self.bus.run(&self.functions, vec![event], 30).await;
        assert!(ran.dead.is_empty(), "{:?}", ran.dead);

        let mut received = BTreeMap::<String, Received>::new();
        for asked in &self.api.asked()[before..] {
            let id = asked.path.rsplit('/').next().unwrap().replace("%3D", "=");
            let event: Value = serde_json::from_slice(&asked.body).unwrap();
            assert_eq!((&event["tenant"], &event["entityId"]), (&json!(tenant), &json!(entity_id)), "{event}");
            let names = serde_json::from_value(event["subscriptions"].clone()).unwrap();
            let is_new = received.entry(id.clone()).or_default().insert((event["data"]["a"].is_number(), names));
            assert!(is_new, "{id} receives {event} twice");
        }
        let matching = |is_grouped: bool| -> BTreeMap<String, Received> {
            let members = self.members.iter().filter(|(_, member)| member.is_grouped == is_grouped);
            let messages = members.map(|(id, member)| (id.clone(), member.receives(tenant, entity_type, entity_id)));
            messages.filter(|(_, messages)| !messages.is_empty()).collect()
        };
        let (group, mut rest) = (matching(true), received);
        let takers: Vec<_> = rest.extract_if(.., |id, _| group.contains_key(id)).collect();
        assert_eq!(rest, matching(false), "{detail}: {:?}", self.members);
        assert_eq!(takers.len(), usize::from(!group.is_empty()), "one member takes {detail}: {takers:?}");
        assert!(takers.iter().all(|(id, messages)| group[id] == *messages), "{takers:?}: {group:?}");
    }

    /// Each item belongs to an open connection.
    async fn assert_no_remains(&self) {
        for item in self.system.items().await {
            let (pk, sk) = (item["pk"].as_s().unwrap(), item["sk"].as_s().unwrap());
            let id = pk.strip_prefix("C#").or_else(|| Some(sk.split_once('#')?.1)).unwrap();
            assert!(self.members.contains_key(id), "{pk} {sk}");
        }
    }
}

fn context(id: &str) -> Value {
    json!({
        "routeKey": "$default", "eventType": "MESSAGE", "connectionId": id, "requestId": "r", "stage": "local",
        "connectedAt": 1_767_000_000_000_u64, "requestTimeEpoch": 1_767_000_000_000_u64, "apiId": "api",
        "domainName": "localhost", "identity": { "sourceIp": "127.0.0.1" },
    })
}

async fn run(seed: u64, settings: &'static [(&'static str, &'static str)]) {
    let mut run = Run::start(seed, settings).await;
    for number in 0..100 {
        let ids: Vec<_> = run.members.keys().cloned().collect();
        match run.random.u8(..10) {
            0..4 => run.publish(number).await,
            4 if ids.len() < 6 => run.open().await,
            _ if ids.is_empty() => run.open().await,
            _ => {
                let id = run.random.choice(&ids).unwrap().clone();
                run.act(&id).await;
            }
        }
        run.assert_no_remains().await;
    }
}

#[tokio::test]
async fn one_member_of_a_group_takes_an_event_in_each_view() {
    for seed in 0..3 {
        run(seed, SETTINGS).await;
    }
}

#[tokio::test]
async fn the_same_when_each_invocation_serves_one_connection() {
    for seed in 50..52 {
        run(seed, SPLIT).await;
    }
}

/// The member takes the first view and fails at the second. The next member takes the event whole, so that no view is missing.
#[tokio::test]
async fn the_next_member_takes_an_event_in_all_views() {
    let (system, hands) = (System::start().await, Hands::default());
    let posts = AtomicUsize::new(0);
    let api =
        Endpoint::new(move |_| Reply::status(if posts.fetch_add(1, Ordering::SeqCst) == 1 { 503 } else { 200 })).await;
    let functions = Functions::new(&system, &api, &hands).await;
    for id in ["MemberAAAAAAAAA=", "MemberBBBBBBBBB="] {
        let group = Some(GroupId::parse("team").unwrap());
        functions.table.register(&Connection { group, ..functions.connection(id, "demo") }).await.unwrap();
        let id = ConnectionId::parse(id).unwrap();
        let bare = View::new([""; 0], Representation::KeyValues).unwrap();
        let bare = Subscription::new(SubscriptionName::parse("bare").unwrap(), Filter::default(), bare).unwrap();
        functions.table.subscribe(&id, &[bare], None, hands.clock().now()).await.unwrap();
    }
    let summary = functions.broadcast(&envelope("e1", &room("demo", "r1")), 30).await.unwrap();
    assert_eq!(summary.delivered, 1);
    let asked = api.asked();
    let paths: Vec<_> = asked.iter().map(|asked| asked.path.as_str()).collect();
    let [first, failed, next, last] = paths[..] else { panic!("{paths:?}") };
    assert!(first == failed && next == last && first != next, "{paths:?}");
    assert_ne!(asked[2].body, asked[3].body);
}
