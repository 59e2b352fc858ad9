use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::Environment;

/// The AWS configuration of a function: region, credentials and endpoints from the variables that Lambda sets.
///
/// The SDK's own search would go on to profiles, web identities and instance metadata, none of which a function has, and
/// the code for all of that would be a part of every function's package and start.
pub fn aws_config(environment: &Environment) -> SdkConfig {
    let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| environment.lookup(name));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region.map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .service_config(Endpoints(environment.clone()))
        .build()
}

/// Settings of single services, of which only endpoints are ever set: `AWS_ENDPOINT_URL_DYNAMODB` and its like, or
/// `AWS_ENDPOINT_URL` for all.
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
    fn a_service_has_its_own_endpoint_or_the_one_of_all() {
        let variables = &[
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://secrets"),
            ("AWS_ENDPOINT_URL_SQS", ""),
            ("AWS_ENDPOINT_URL", "http://all"),
        ];
        assert_eq!(endpoint(variables, "Secrets Manager").as_deref(), Some("http://secrets"));
        assert_eq!(endpoint(variables, "SQS").as_deref(), Some("http://all"));
        assert_eq!(endpoint(&[], "DynamoDB"), None);
    }

    #[test]
    fn the_region_is_lambdas() {
        let environment = Environment::new(|name| (name == "AWS_REGION").then(|| "eu-west-1".to_owned()));
        assert_eq!(aws_config(&environment).region().map(AsRef::as_ref), Some("eu-west-1"));
    }
}
