use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

/// Creates an AWS configuration for this endpoint, with invented credentials. It reads nothing from the machine, so a test
/// cannot reach a real account.
pub fn aws_config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "entity-stream tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .build()
}
