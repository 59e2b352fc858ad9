//! The options and filters of a scenario as arguments of the client.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_client::{
    Client, ClientBuilder, ClientError, FilterFields, GroupId, Representation, StreamTiming, Subscription, View,
};
use serde_json::{Map, Value, json};

/// The builder of a client with these options.
pub(crate) fn builder(url: &str, options: &Map<String, Value>) -> ClientBuilder {
    let mut builder = Client::builder(url, "demo").subscriptions([]);
    let mut timing = StreamTiming::default();
    for (name, value) in options {
        let time = || Duration::from_millis(value.as_u64().unwrap());
        match name.as_str() {
            "pingIntervalMs" => timing.ping = time(),
            "pongTimeoutMs" => timing.pong = time(),
            "connectTimeoutMs" => timing.connect = time(),
            "requestTimeoutMs" => timing.answer = time(),
            "backoffMinMs" => timing.shortest_delay = time(),
            "backoffMaxMs" => timing.longest_delay = time(),
            "stableAfterMs" => timing.stable = time(),
            "renewBeforeMs" => timing.renew_before = time(),
            "rotateAfterMs" => timing.rotate_after = time(),
            "drainMs" => timing.drain = time(),
            "groupId" => builder = builder.group(GroupId::parse(value.as_str().unwrap()).unwrap()),
            "authenticate" => builder = builder.authenticate_in_band(value == "first-message"),
            "tokens" => {
                let tokens = Tokens::new(value.as_array().unwrap().clone());
                builder = builder.token_source(move || {
                    let token = tokens.next();
                    async move { token }
                });
            }
            other => panic!("the runner does not know the option {other}"),
        }
    }
    builder.timing(timing)
}

/// The tokens of a scenario, one for each call.
struct Tokens {
    list: Vec<Value>,
    state: Mutex<(usize, String)>,
}

impl Tokens {
    fn new(list: Vec<Value>) -> Self {
        Self { list, state: Mutex::new((0, String::new())) }
    }

    fn next(&self) -> Result<String, &'static str> {
        let mut state = self.state.lock().unwrap();
        let (calls, last) = &mut *state;
        let entry = &self.list[(*calls).min(self.list.len() - 1)];
        *calls += 1;
        if entry["fails"] == true {
            return Err("the scenario says so");
        }
        if entry["again"] != true {
            #[expect(clippy::disallowed_methods, reason = "tokens have times of day")]
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
            let issued = now + entry["behind"].as_f64().unwrap();
            let claims = json!({ "iat": issued, "exp": issued + entry["life"].as_f64().unwrap(), "jti": *calls });
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            *last = format!("{}.{}.c2lnbmF0dXJl", part(&json!({ "alg": "none" })), part(&claims));
        }
        Ok(last.clone())
    }
}

/// The subscription of a filter under this name.
pub(crate) fn subscription(name: &str, filter: &Value) -> Result<Subscription, ClientError> {
    let text = |name: &str| filter[name].as_str().map(str::to_owned);
    let list = |name: &str| match &filter[name] {
        Value::Object(repeated) => {
            let count = |name: &str| usize::try_from(repeated[name].as_u64().unwrap()).unwrap();
            let characters = count("characters");
            (0..count("repeatType")).map(|place| format!("{place:界<characters$}")).collect()
        }
        list => list.as_array().into_iter().flatten().map(|each| each.as_str().unwrap().to_owned()).collect(),
    };
    let fields = FilterFields {
        entity_types: list("entityTypes"),
        entity_ids: list("entityIds"),
        id_pattern: text("idPattern"),
        notification_trigger: list("notificationTrigger"),
        watched_attributes: list("watchedAttributes"),
        q: text("q"),
        geo_q: filter.get("geoQ").cloned(),
        service_path: text("servicePath"),
    };
    let attributes: Vec<String> = list("attributes");
    let view = View::new(attributes, Representation::default())?;
    Ok(Subscription::new(name.parse()?, fields.check()?, view)?)
}
