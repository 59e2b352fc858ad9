use anyhow::{anyhow, ensure};
use aws_config::{BehaviorVersion, Region};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::config::{Config, Credentials};
use entity_stream_publisher::{Publisher, RequestError};
use http::Uri;
use std::time::Duration;

use crate::aws::Aws;
use crate::terminal::shown_url;

/// The endpoint of a local system.
pub(crate) const LOCAL: &str = "http://localhost:3000";

/// An event bus to publish to.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetBus {
    /// The endpoint of the event bus. `None` for the service's own, or for that of the local system.
    pub(crate) endpoint_url: Option<String>,
    /// The EventBridge bus. `None` for the local system.
    pub(crate) event_bus: Option<String>,
    /// The AWS profile with the credentials and the region.
    pub(crate) profile: Option<String>,
    /// The region of the bus.
    pub(crate) region: Option<String>,
}

impl TargetBus {
    /// The local system at this URL.
    pub(crate) fn local(endpoint_url: String) -> Self {
        Self { endpoint_url: Some(endpoint_url), ..Self::default() }
    }

    /// The endpoint of a local system.
    pub(crate) fn local_endpoint(&self) -> &str {
        self.endpoint_url.as_deref().unwrap_or(LOCAL)
    }

    /// The name of the target in messages.
    pub(crate) fn shown(&self) -> String {
        match &self.event_bus {
            Some(bus) => format!("the event bus {bus}"),
            None => format!("the event bus at {}", shown_url(self.local_endpoint())),
        }
    }

    /// A publisher to this target. It has credentials, and has sent nothing yet.
    pub(crate) async fn publisher(&self) -> anyhow::Result<Publisher> {
        let endpoint = self.endpoint_url.as_deref();
        if let Some(endpoint) = endpoint {
            check_endpoint(endpoint)?;
        }
        match &self.event_bus {
            Some(bus) => self.cloud(bus).await,
            None => Ok(local(endpoint.unwrap_or(LOCAL))),
        }
    }

    /// The error of a command whose request to this target failed as a whole.
    pub(crate) fn failed(&self, error: &RequestError) -> anyhow::Error {
        match &self.event_bus {
            Some(bus) => anyhow!("cannot publish to the event bus {bus}: {error}"),
            None => {
                let endpoint = shown_url(self.local_endpoint());
                anyhow!("cannot publish to {endpoint} (is `entity-stream local` running there?): {error}")
            }
        }
    }

    async fn cloud(&self, bus: &str) -> anyhow::Result<Publisher> {
        ensure!(!bus.is_empty(), "--event-bus must be the name or the ARN of an EventBridge bus, such as `default`");
        let (profile, region) = (self.profile.as_deref(), self.region.as_deref());
        let config = Aws { profile, region, endpoint: self.endpoint_url.as_deref() }.load().await?;
        Ok(Publisher::new(Client::new(&config), bus))
    }
}

/// A publisher to the local system, which checks no signatures. The SDK signs nevertheless.
fn local(endpoint: &str) -> Publisher {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
        // On one machine a failure is short or permanent.
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(50)))
        .build();
    Publisher::to_default_bus(Client::from_conf(config))
}

/// Checks the URL of an endpoint.
pub(crate) fn check_endpoint(endpoint: &str) -> anyhow::Result<()> {
    let uri = endpoint.parse::<Uri>().ok();
    let valid = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    ensure!(valid, "--endpoint-url must be a URL such as {LOCAL}; found `{}`", shown_url(endpoint));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_http_url() {
        for endpoint in ["http://localhost:3000", "https://events.eu-west-1.amazonaws.com", "http://[::1]:3000/"] {
            assert!(check_endpoint(endpoint).is_ok(), "{endpoint}");
        }
        for endpoint in ["localhost:3000", "ws://localhost:3000", "", "http://", "/x", "http//x"] {
            let message = check_endpoint(endpoint).unwrap_err().to_string();
            assert!(message.contains("http://localhost:3000"), "{message}");
        }
    }
}
