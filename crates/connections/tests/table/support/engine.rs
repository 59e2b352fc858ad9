use aws_sdk_dynamodb::config::Builder;
use entity_stream_testing::{aws_config, dynamodb_url};

/// The settings of a client of the engine that all tests share.
pub(crate) fn config() -> Builder {
    Builder::from(&aws_config(dynamodb_url()))
}
