//! The binary of the `$default` function.

use std::process::ExitCode;

use entity_stream_clock::Clock;
use entity_stream_default::DefaultRoute;
use entity_stream_runtime::{DefaultConfig, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        DefaultConfig::read,
        async |config, aws| DefaultRoute::new(config, aws, Clock::system()).await,
        async |route, event| route.handle(event).await,
    )
    .await
}
