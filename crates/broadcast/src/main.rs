//! The binary of the broadcast function.

use std::convert::Infallible;
use std::process::ExitCode;

use entity_stream_broadcast::Broadcast;
use entity_stream_clock::Clock;
use entity_stream_runtime::{BroadcastConfig, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        BroadcastConfig::read,
        async |config, aws| Ok::<_, Infallible>(Broadcast::new(config, aws, Clock::system())),
        async |broadcast, event| broadcast.handle(event).await,
    )
    .await
}
