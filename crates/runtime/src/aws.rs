use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::environment::Environment;

/// The time-out of one request to AWS. AWS answers in milliseconds. A longer time-out would let Lambda stop the function
/// before it can log the reason.
const ATTEMPT: Duration = Duration::from_secs(5);
/// The time-out of a request with its retries. The functions have 29 seconds.
const OPERATION: Duration = Duration::from_secs(12);

/// Creates the AWS configuration of a function from the variables that Lambda sets: region, credentials and endpoints.
///
/// The default configuration of the SDK also searches profiles, web identities and instance metadata. A function has none of
/// them, and their code would make every package larger and every start slower.
pub(crate) fn aws_config(environment: &Environment) -> SdkConfig {
    let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| environment.lookup(name));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region.map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .service_config(Endpoints(environment.clone()))
        .timeout_config(
            TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build(),
        )
        .build()
}

/// The endpoints of single services, for example `AWS_ENDPOINT_URL_DYNAMODB`, or `AWS_ENDPOINT_URL` for all services. The SDK
/// asks for other settings too; the functions set none of them.
#[derive(Debug)]
struct Endpoints(Environment);

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let of_service = format!("{}_{}", key.env(), key.service_id().replace(' ', "_").to_uppercase());
        let value = |name: &str| self.0.lookup(name).filter(|value| !value.is_empty());
        value(&of_service).or_else(|| value(key.env()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(variables: &'static [(&str, &str)], service_id: &str) -> Option<String> {
        let environment = Environment::new(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        let key = ServiceConfigKey::builder().service_id(service_id).profile("endpoint_url").env("AWS_ENDPOINT_URL");
        Endpoints(environment).load_config(key.build().unwrap())
    }

    #[test]
    fn a_service_has_its_own_endpoint_or_the_common_one() {
        let variables = &[
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://secrets"),
            ("AWS_ENDPOINT_URL_SQS", ""),
            ("AWS_ENDPOINT_URL", "http://all"),
        ];
        assert_eq!(endpoint(variables, "Secrets Manager").as_deref(), Some("http://secrets"));
        assert_eq!(endpoint(variables, "SQS").as_deref(), Some("http://all"));
        assert_eq!(endpoint(&[], "DynamoDB"), None);
    }

    /// The clock of the test is paused: it advances when all tasks wait.
    #[tokio::test(start_paused = true)]
    async fn a_request_times_out_before_lambda_stops_the_function() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let environment = Environment::new(move |name| match name {
            "AWS_ENDPOINT_URL" => Some(url.clone()),
            "AWS_REGION" => Some("eu-west-1".to_owned()),
            _ => None,
        });
        let credentials = aws_credential_types::Credentials::new("id", "secret", None, None, "test");
        let config = aws_config(&environment)
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let started = tokio::time::Instant::now();

        let error = aws_sdk_dynamodb::Client::new(&config).list_tables().send().await.unwrap_err();

        assert!(matches!(error, aws_sdk_dynamodb::error::SdkError::TimeoutError(_)), "{error:?}");
        assert!(started.elapsed() <= OPERATION, "{:?}", started.elapsed());
    }

    #[test]
    fn lambda_sets_the_region() {
        let environment = Environment::new(|name| (name == "AWS_REGION").then(|| "eu-west-1".to_owned()));
        assert_eq!(aws_config(&environment).region().map(AsRef::as_ref), Some("eu-west-1"));
    }
}
