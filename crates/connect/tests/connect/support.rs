use entity_stream_auth::ApiKeys;
use entity_stream_connect::Connect;
use entity_stream_connections::{Connection, Table};
use entity_stream_protocol::{ConnectionId, EpochMillis};
use entity_stream_runtime::{AwsServices, ConnectConfig, Environment};
use entity_stream_testing::tokens::SECRET;
use entity_stream_testing::{Hands, aws_config, dynamodb_url, sample};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

pub(crate) const OPEN: &[(&str, &str)] = &[("AUTH_ENABLED", "false")];
pub(crate) const GUARDED: &[(&str, &str)] = &[("AUTH_ENABLED", "true"), ("JWT_SECRET", SECRET)];

/// The function with tables that no other test uses.
pub(crate) struct Setting {
    pub(crate) connect: Connect,
    pub(crate) table: Table,
    pub(crate) api_keys: ApiKeys,
}

impl Setting {
    pub(crate) async fn new(settings: &[&[(&'static str, &'static str)]]) -> Self {
        let setting = Self::behind(dynamodb_url(), settings).await;
        setting.table.create_if_missing().await.unwrap();
        setting.api_keys.create_table_if_missing().await.unwrap();
        setting
    }

    /// With DynamoDB at this URL.
    pub(crate) async fn behind(dynamodb: &str, settings: &[&[(&'static str, &'static str)]]) -> Self {
        let name = format!("test-{:032x}", fastrand::u128(..));
        let (connections, keys) = (format!("{name}-connections"), format!("{name}-keys"));
        let aws = AwsServices::all(aws_config(dynamodb));
        let config = ConnectConfig::read(&environment(&connections, &keys, settings)).unwrap();
        Self {
            connect: Connect::new(config, &aws, Hands::default().clock()).await.unwrap(),
            table: aws.connections(connections),
            api_keys: ApiKeys::new(aws_sdk_dynamodb::Client::new(&aws.dynamodb), keys),
        }
    }

    /// Invokes the function and returns its result.
    pub(crate) async fn invoke(&self, event: Value) -> Value {
        let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), Context::default());
        serde_json::to_value(self.connect.handle(event).await.unwrap()).unwrap()
    }

    /// Invokes the function and returns the status.
    pub(crate) async fn status(&self, event: Value) -> i64 {
        self.invoke(event).await["statusCode"].as_i64().unwrap()
    }

    /// The registered connection of an event.
    pub(crate) async fn registered(&self, event: &Value) -> Option<Connection> {
        let context = &event["requestContext"];
        let id = ConnectionId::parse(context["connectionId"].as_str().unwrap()).unwrap();
        self.table.find(&id, EpochMillis::new(context["connectedAt"].as_i64().unwrap())).await.unwrap()
    }
}

fn environment(connections: &str, keys: &str, settings: &[&[(&'static str, &'static str)]]) -> Environment {
    let tables = [("WS_CONNECTIONS_TABLE", connections.to_owned()), ("WS_API_KEYS_TABLE", keys.to_owned())];
    let settings = [&[("EVENT_STREAMING_ENABLED", "true")], &settings.concat()[..]].concat();
    Environment::new(move |name| {
        // The later of two settings counts.
        let setting = settings.iter().rfind(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        setting.or_else(|| tables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()))
    })
}

/// The handshake of a client of the tenant `demo`, with these headers.
pub(crate) fn handshake(headers: &[(&str, &str)]) -> Value {
    let mut event = sample("connect", "no-token");
    set_query(&mut event, &[("tenant", "demo")]);
    for (name, value) in headers {
        event["headers"][*name] = json!(value);
        let values = &mut event["multiValueHeaders"][*name];
        match values.as_array_mut() {
            Some(values) => values.push(json!(value)),
            None => *values = json!([value]),
        }
    }
    event
}

pub(crate) fn set_query(event: &mut Value, query: &[(&str, &str)]) {
    event["queryStringParameters"] = query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    event["multiValueQueryStringParameters"] =
        query.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
}
