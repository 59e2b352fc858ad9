//! The AWS resources that the variables name. What can be no resource's name is said at the start, and not by the first
//! event that needs it.

use aws_config::SdkConfig;
use entity_stream_auth::ApiKeys;
use entity_stream_connections::Table;
use entity_stream_delivery::ManagementApi;
use http::Uri;

use crate::environment::{
    DEAD_LETTER_QUEUE_URL, EVENT_BUS_NAME, Environment, InvalidVariable, Variable, WS_API_ENDPOINT, WS_API_KEYS_TABLE,
    WS_CONNECTIONS_TABLE,
};

/// Fewest characters of a table's name.
/// Source: "Naming rules", Amazon DynamoDB Developer Guide.
const SHORTEST_TABLE: usize = 3;

impl Environment {
    /// The table of connections.
    ///
    /// # Errors
    /// [`InvalidVariable`] if [`WS_CONNECTIONS_TABLE`] is missing or is no name or ARN of a table.
    pub fn table(&self, config: &SdkConfig) -> Result<Table, InvalidVariable> {
        Ok(Table::new(aws_sdk_dynamodb::Client::new(config), self.table_name(WS_CONNECTIONS_TABLE)?))
    }

    /// The table of API keys.
    ///
    /// # Errors
    /// [`InvalidVariable`] if [`WS_API_KEYS_TABLE`] is missing or is no name or ARN of a table.
    pub fn api_keys(&self, config: &SdkConfig) -> Result<ApiKeys, InvalidVariable> {
        Ok(ApiKeys::new(aws_sdk_dynamodb::Client::new(config), self.table_name(WS_API_KEYS_TABLE)?))
    }

    fn table_name(&self, variable: Variable) -> Result<String, InvalidVariable> {
        let name = named(variable, self.required(variable)?, "table")?;
        if name.len() < SHORTEST_TABLE {
            return Err(InvalidVariable { variable, problem: "is too short for a name" });
        }
        Ok(name)
    }

    /// The `@connections` API.
    ///
    /// # Errors
    /// [`InvalidVariable`] if [`WS_API_ENDPOINT`] is missing or is no such endpoint.
    pub fn management_api(&self, config: &SdkConfig) -> Result<ManagementApi, InvalidVariable> {
        let endpoint = self.required(WS_API_ENDPOINT)?;
        ManagementApi::new(config, &endpoint)
            .map_err(|_| InvalidVariable { variable: WS_API_ENDPOINT, problem: "is not such an endpoint" })
    }

    /// The name or ARN of the bus for continuation events, if there is one.
    ///
    /// # Errors
    /// [`InvalidVariable`] if [`EVENT_BUS_NAME`] can be neither.
    pub fn event_bus_name(&self) -> Result<Option<String>, InvalidVariable> {
        self.optional(EVENT_BUS_NAME).map(|name| named(EVENT_BUS_NAME, name, "event-bus")).transpose()
    }

    /// The URL of the dead-letter queue, if there is one.
    ///
    /// # Errors
    /// [`InvalidVariable`] if [`DEAD_LETTER_QUEUE_URL`] is no URL of a queue.
    pub fn dead_letter_queue_url(&self) -> Result<Option<String>, InvalidVariable> {
        let Some(url) = self.optional(DEAD_LETTER_QUEUE_URL) else { return Ok(None) };
        let uri = url.parse::<Uri>().ok();
        // The path is the account and the queue's name.
        let is_queue = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.path() != "/");
        if !is_queue {
            return Err(InvalidVariable { variable: DEAD_LETTER_QUEUE_URL, problem: "is not such a URL" });
        }
        Ok(Some(url))
    }
}

/// A name of the characters that DynamoDB and EventBridge allow, or the ARN of such a resource.
fn named(variable: Variable, text: String, resource: &str) -> Result<String, InvalidVariable> {
    let name = match text.strip_prefix("arn:") {
        Some(arn) => arn.split_once(&format!(":{resource}/")).map_or("", |(_, name)| name),
        None => &text,
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(InvalidVariable { variable, problem: "is neither such a name nor an ARN" });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws_config;

    fn holding(value: &str) -> Environment {
        let value = value.to_owned();
        Environment::new(move |_| Some(value.clone()))
    }

    #[test]
    fn an_endpoint_is_an_http_url_with_a_stage() {
        let config = aws_config(&holding(""));
        for endpoint in [
            "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod",
            "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod/",
            "HTTPS://stream.example.com",
            "http://localhost:3000",
            "http://127.0.0.1:3000/local",
            "http://[::1]:3000/local",
        ] {
            assert!(holding(endpoint).management_api(&config).is_ok(), "{endpoint}");
        }
        for endpoint in [
            "wss://a.execute-api.eu-west-1.amazonaws.com/prod",
            "https://a.execute-api.eu-west-1.amazonaws.com",
            "https://a.execute-api.eu-west-1.amazonaws.com/",
            "a.execute-api",
            "https://",
            "https://a b/prod",
            "https://host:99999/prod",
            "https://user:secret@host/prod",
            "http://[::1/prod",
            "https://host/prod?x=1",
            "https://host/prod#x",
        ] {
            let error = holding(endpoint).management_api(&config).unwrap_err().to_string();
            assert!(error.contains("https, not wss"), "{endpoint}: {error}");
        }
    }

    #[test]
    fn a_table_and_a_bus_have_a_name_or_an_arn() {
        let config = aws_config(&holding(""));
        for name in ["connections-prod", "a.b_C", "arn:aws:dynamodb:eu-west-1:123456789012:table/connections"] {
            assert_eq!(holding(name).table(&config).unwrap().name(), name);
            assert!(holding(name).api_keys(&config).is_ok(), "{name}");
        }
        for name in ["a b", "x", "T#1", "arn:aws:dynamodb:eu-west-1:123456789012:table/", "https://a/b"] {
            assert_eq!(holding(name).table(&config).unwrap_err().variable, WS_CONNECTIONS_TABLE, "{name}");
            assert_eq!(holding(name).api_keys(&config).unwrap_err().variable, WS_API_KEYS_TABLE, "{name}");
        }
        for name in ["default", "partner/bus", "arn:aws:events:eu-west-1:123456789012:event-bus/orders"] {
            assert_eq!(holding(name).event_bus_name(), Ok(Some(name.to_owned())));
        }
        for name in ["bad bus!", "arn:aws:events:eu-west-1:123456789012:rule/orders"] {
            assert_eq!(holding(name).event_bus_name().unwrap_err().variable, EVENT_BUS_NAME, "{name}");
        }
        assert_eq!(holding("").event_bus_name(), Ok(None));
    }

    #[test]
    fn a_queue_has_a_url() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters";
        assert_eq!(holding(url).dead_letter_queue_url(), Ok(Some(url.to_owned())));
        for url in
            ["nonsense", "arn:aws:sqs:eu-west-1:123456789012:dead-letters", "https://sqs.eu-west-1.amazonaws.com"]
        {
            assert_eq!(holding(url).dead_letter_queue_url().unwrap_err().problem, "is not such a URL", "{url}");
        }
    }
}
