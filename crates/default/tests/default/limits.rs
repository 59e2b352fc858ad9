//! The limits of subscriptions. Each is tried at its value and just above. A refusal names the subscription and changes nothing.

use entity_stream_connections::{Authorisation, Connection};
use serde_json::{Value, json};

use crate::support::{OPEN, Setting};

/// The subscription of the message at a limit.
const NAME: &str = "map";

/// A connection and the messages that it has sent.
struct Tried {
    setting: Setting,
    connection: Connection,
}

impl Tried {
    /// A connection with these subscriptions, and without the default one.
    async fn with(subscriptions: &[Value]) -> Self {
        let setting = Setting::new(OPEN).await;
        let connection = setting.register(Authorisation::Open).await;
        let tried = Self { setting, connection };
        assert_eq!(tried.ask(json!({ "action": "unsubscribe" })).await["type"], "unsubscribed");
        for subscription in subscriptions {
            tried.accept(subscription.clone()).await;
        }
        tried
    }

    async fn ask(&self, mut message: Value) -> Value {
        message["requestId"] = json!("r");
        let answer = self.setting.ask(&self.connection, &message).await;
        assert_eq!(answer["requestId"], "r", "{answer}");
        answer
    }

    async fn subscribe(&self, mut message: Value) -> Value {
        message["action"] = json!("subscribe");
        self.ask(message).await
    }

    async fn accept(&self, message: Value) {
        let answer = self.subscribe(message).await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
    }

    /// Checks that a message is refused with this code and subscription, and changes nothing.
    async fn refuse(&self, message: Value, code: &str, subscription: Option<&str>) {
        let before = self.setting.registered(&self.connection).await;
        let answer = self.subscribe(message).await;
        let named = subscription.map_or(Value::Null, Value::from);
        assert_eq!((&answer["code"], &answer["subscription"]), (&json!(code), &named), "{answer}");
        assert_eq!((&answer["type"], &answer["action"]), (&json!("error"), &json!("subscribe")), "{answer}");
        assert_eq!(self.setting.registered(&self.connection).await, before, "{answer}");
    }
}

/// The subscription [`NAME`] with one field.
fn with(field: &str, value: &Value) -> Value {
    json!({ "subscription": NAME, field: value })
}

fn named(name: &str) -> Value {
    json!({ "subscription": name })
}

/// So many different texts, the last of which has `last` characters.
fn texts(count: usize, last: usize) -> Vec<String> {
    let mut texts: Vec<_> = (0..count).map(|n| n.to_string()).collect();
    if let Some(text) = texts.last_mut() {
        *text = "é".repeat(last);
    }
    texts
}

#[tokio::test]
async fn a_field_is_accepted_up_to_its_limit() {
    let repeated = |count: usize| [texts(count, 1), texts(count, 1)].concat();
    let terms = |count: usize| vec!["a"; count].join(";");
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    let pattern = |length: usize| format!("^{}", "é".repeat(length - 1));
    let point = |geoproperty: usize| {
        json!({
            "georel": "near;maxDistance==1", "geometry": "Point", "coordinates": [1, 2],
            "geoproperty": "g".repeat(geoproperty),
        })
    };
    let cases = [
        ("subscription", json!("n".repeat(64)), json!("n".repeat(65)), "invalid_subscription"),
        ("entityTypes", json!(repeated(49)), json!(texts(50, 1)), "invalid_entity_types"),
        ("entityTypes", json!(texts(1, 256)), json!(texts(1, 257)), "invalid_entity_types"),
        ("entityIds", json!(repeated(49)), json!(texts(50, 1)), "invalid_entity_ids"),
        ("entityIds", json!(texts(1, 512)), json!(texts(1, 513)), "invalid_entity_ids"),
        ("idPattern", json!(pattern(512)), json!(pattern(513)), "invalid_id_pattern"),
        ("watchedAttributes", json!(repeated(49)), json!(texts(50, 1)), "invalid_subscription"),
        ("watchedAttributes", json!(texts(1, 256)), json!(texts(1, 257)), "invalid_subscription"),
        ("attributes", json!(repeated(49)), json!(texts(50, 1)), "invalid_subscription"),
        ("attributes", json!(texts(1, 256)), json!(texts(1, 257)), "invalid_subscription"),
        ("q", json!(terms(32)), json!(terms(33)), "invalid_q"),
        ("q", json!(nested(8)), json!(nested(9)), "invalid_q"),
        ("geoQ", point(256), point(257), "invalid_geo_q"),
        (
            "servicePath",
            json!(format!("/{}", "x".repeat(1023))),
            json!(format!("/{}", "x".repeat(1024))),
            "limit_exceeded",
        ),
    ];
    let tried = Tried::with(&[]).await;
    for (field, at, above, code) in cases {
        let is_name = field == "subscription";
        tried.accept(with(field, &at)).await;
        tried.refuse(with(field, &above), code, (!is_name).then_some(NAME)).await;
        // In a list, the second one is at fault.
        let list = json!({ "subscriptions": [named("first"), with(field, &above)] });
        tried.refuse(list, code, (!is_name).then_some(NAME)).await;
        let name = if is_name { at.as_str().unwrap_or_default() } else { NAME };
        let answer = tried.ask(json!({ "action": "unsubscribe", "subscription": name })).await;
        assert_eq!((&answer["type"], &answer["subscription"]), (&json!("unsubscribed"), &json!(name)), "{field}");
    }
}

#[tokio::test]
async fn sixteen_subscriptions_have_a_name() {
    let names: Vec<_> = (1..=17).map(|n| format!("s{n}")).collect();
    let list = |names: &[String]| names.iter().map(|name| named(name)).collect::<Vec<_>>();
    let tried = Tried::with(&list(&names[..15])).await;
    tried.refuse(json!({ "subscriptions": list(&names[15..]) }), "limit_exceeded", None).await;
    tried.accept(named("s16")).await;
    tried.refuse(named("s17"), "limit_exceeded", Some("s17")).await;
    tried.accept(json!({})).await;
    tried.refuse(named("s17"), "limit_exceeded", Some("s17")).await;
    tried.accept(json!({ "subscription": "s3", "q": "a" })).await;
    tried.ask(json!({ "action": "unsubscribe", "subscription": "s1" })).await;
    tried.accept(named("s17")).await;

    let at_once = Tried::with(&[]).await;
    at_once.refuse(json!({ "subscriptions": list(&names) }), "limit_exceeded", None).await;
    let sixteen_and_the_default = [list(&names[..16]), vec![json!({})]].concat();
    at_once.accept(json!({ "subscriptions": sixteen_and_the_default })).await;
    let eighteen = [list(&names), vec![json!({})]].concat();
    at_once.refuse(json!({ "subscriptions": eighteen }), "limit_exceeded", None).await;
}

#[tokio::test]
async fn all_subscriptions_have_49_scopes_together() {
    let ids = |count: usize| json!({ "subscription": "ids", "entityIds": texts(count, 1) });
    let alternatives = |count: usize| (0..count).map(|n| format!("p{n}")).collect::<Vec<_>>().join("|");
    let pattern = |count: usize| json!({ "subscription": NAME, "idPattern": format!("^({})$", alternatives(count)) });
    for (before, at, above) in [
        // Types and ids.
        (48, with("entityTypes", &json!(["a"])), with("entityTypes", &json!(["a", "b"]))),
        // Equal texts are different scopes as a type and as an id.
        (47, with("entityTypes", &json!(["0", "1"])), with("entityTypes", &json!(["0", "1", "2"]))),
        // A scope of two subscriptions counts once.
        (48, with("entityIds", &json!(["0", "1", "x"])), with("entityIds", &json!(["0", "x", "y"]))),
        // A pattern that spells out ids has a scope for each.
        (33, pattern(16), pattern(16)),
    ] {
        let tried = Tried::with(&[ids(before)]).await;
        if at == above {
            tried.accept(at).await;
            tried.refuse(ids(before + 1), "limit_exceeded", Some("ids")).await;
        } else {
            tried.refuse(above, "limit_exceeded", Some(NAME)).await;
            tried.accept(at).await;
        }
    }
    // "Every type" is a scope, and one of a pattern that spells out too many ids.
    for message in [named(NAME), json!({}), with("q", &json!("a")), pattern(17)] {
        let name = message["subscription"].as_str().map(str::to_owned);
        Tried::with(&[ids(49)]).await.refuse(message.clone(), "limit_exceeded", name.as_deref()).await;
        Tried::with(&[ids(48)]).await.accept(message).await;
    }
}

/// Bytes count, and not characters. Ids do not count.
#[tokio::test]
async fn a_subscription_has_1024_bytes_of_text() {
    let tried = Tried::with(&[]).await;
    let message = |view: usize| {
        json!({
            "subscription": NAME, "entityIds": texts(10, 500), "entityTypes": ["é".repeat(50)],
            "watchedAttributes": ["é".repeat(52)], "servicePath": "/é", "q": format!("a==\"{}\"", "é".repeat(100)),
            "idPattern": format!("^{}", "x".repeat(511)), "attributes": ["v".repeat(view)],
        })
    };
    let rest = 100 + 104 + 3 + 205 + 512;
    tried.refuse(message(1025 - rest), "limit_exceeded", Some(NAME)).await;
    tried.accept(message(1024 - rest)).await;
    // One part alone.
    let query = |length: usize| with("q", &json!(format!("a==\"{}\"", "x".repeat(length - 5))));
    tried.refuse(query(1025), "limit_exceeded", Some(NAME)).await;
    tried.accept(query(1024)).await;
}

/// Each interest repeats the filter, so 49 ids leave it about 400 bytes.
#[tokio::test]
async fn the_interests_take_32_kb() {
    let tried = Tried::with(&[]).await;
    let message = |ids: usize, length: usize| {
        let ids: Vec<_> = (0..ids).map(|n| format!("id-{n:02}")).collect();
        json!({ "subscription": NAME, "entityIds": ids, "q": format!("a==\"{}\"", "q".repeat(length)) })
    };
    let (mut accepted, mut refused) = (10, 1000);
    tried.accept(message(49, accepted)).await;
    tried.refuse(message(49, refused), "limit_exceeded", Some(NAME)).await;
    while refused - accepted > 1 {
        let middle = usize::midpoint(accepted, refused);
        let answer = tried.subscribe(message(49, middle)).await;
        *(if answer["type"] == "subscribed" { &mut accepted } else { &mut refused }) = middle;
    }
    tried.accept(message(49, accepted)).await;
    tried.refuse(message(49, refused), "limit_exceeded", Some(NAME)).await;
    assert!((300..600).contains(&accepted), "{accepted}");
    tried.accept(message(48, refused)).await;
}
