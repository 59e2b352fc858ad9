use entity_stream_connections::{Authorisation, Connection, Table};
use entity_stream_default::DefaultRoute;
use entity_stream_protocol::{ConnectionId, Filter, Format, Tenant};
use entity_stream_runtime::{AwsServices, DefaultConfig, Environment, Failure};
use entity_stream_testing::tokens::SECRET;
use entity_stream_testing::{Endpoint, Hands, Reply, aws_config, dynamodb_url, sample};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

pub(crate) const OPEN: &[(&str, &str)] = &[("AUTH_ENABLED", "false")];
pub(crate) const IN_BAND: &[(&str, &str)] =
    &[("AUTH_ENABLED", "true"), ("JWT_SECRET", SECRET), ("AUTH_IN_BAND", "true")];

/// The function with a table that no other test uses, and an `@connections` endpoint.
pub(crate) struct Setting {
    pub(crate) route: DefaultRoute,
    pub(crate) table: Table,
    pub(crate) api: Endpoint,
    pub(crate) hands: Hands,
}

impl Setting {
    pub(crate) async fn new(settings: &'static [(&'static str, &'static str)]) -> Self {
        Self::answering(settings, [Reply::status(200)]).await
    }

    /// With these answers of `@connections`.
    pub(crate) async fn answering(
        settings: &'static [(&'static str, &'static str)],
        replies: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let setting = Self::behind(dynamodb_url(), settings, Endpoint::script(replies).await).await;
        setting.table.create_if_missing().await.unwrap();
        setting
    }

    /// With DynamoDB at this URL.
    pub(crate) async fn behind(
        dynamodb: &str,
        settings: &'static [(&'static str, &'static str)],
        api: Endpoint,
    ) -> Self {
        let name = format!("test-{:032x}", fastrand::u128(..));
        let resources = [("WS_CONNECTIONS_TABLE", name.clone()), ("WS_API_ENDPOINT", api.url.clone())];
        let environment = Environment::new(move |name| {
            let setting = settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            setting.or_else(|| resources.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()))
        });
        let (aws, hands) = (AwsServices::all(aws_config(dynamodb)), Hands::default());
        let config = DefaultConfig::read(&environment).unwrap();
        let route = DefaultRoute::new(config, &aws, hands.clock()).await.unwrap();
        Self { route, table: aws.connections(name), api, hands }
    }

    /// Registers a connection of the tenant `demo` that opens now.
    pub(crate) async fn register(&self, authorisation: Authorisation) -> Connection {
        let connection = Connection {
            id: ConnectionId::parse("Qw7LqXg9IAMCGqA=").unwrap(),
            tenant: Tenant::parse("demo").unwrap(),
            connected_at: self.hands.clock().now(),
            subscriptions: vec![Filter::default().into()],
            acknowledgement: None,
            format: Format::Json,
            group: None,
            authorisation,
        };
        self.table.register(&connection).await.unwrap();
        connection
    }

    /// Invokes the function with a message of this connection.
    pub(crate) async fn send(&self, connection: &Connection, message: &Value) -> Result<(), Failure> {
        let mut event = sample("default", "ping");
        event["body"] = json!(message.to_string());
        event["requestContext"]["connectionId"] = json!(connection.id.as_str());
        event["requestContext"]["connectedAt"] = json!(connection.connected_at.millis());
        let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), Context::default());
        self.route.handle(event).await.map(|response| assert_eq!(response.status_code, 200))
    }

    /// Sends a message and returns the only answer to it.
    pub(crate) async fn ask(&self, connection: &Connection, message: &Value) -> Value {
        let before = self.answers().len();
        self.send(connection, message).await.unwrap();
        let mut answers = self.answers().split_off(before);
        assert_eq!(answers.len(), 1, "{message}: {answers:?}");
        answers.remove(0)
    }

    /// Every answer so far.
    pub(crate) fn answers(&self) -> Vec<Value> {
        let posts = self.api.asked().into_iter().filter(|asked| asked.method == "POST");
        posts.map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect()
    }

    /// The number of calls that closed a connection.
    pub(crate) fn closed(&self) -> usize {
        self.api.asked().iter().filter(|asked| asked.method == "DELETE").count()
    }

    pub(crate) async fn registered(&self, connection: &Connection) -> Option<Connection> {
        self.table.find(&connection.id, self.hands.clock().now()).await.unwrap()
    }
}
