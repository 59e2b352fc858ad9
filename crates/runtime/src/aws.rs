use aws_config::{BehaviorVersion, SdkConfig};

/// The AWS configuration of this function: region, credentials and endpoints as Lambda and the usual variables give them.
pub async fn aws_config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}
