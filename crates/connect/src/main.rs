//! The binary of the `$connect` function.

use std::process::ExitCode;

use entity_stream_clock::Clock;
use entity_stream_connect::Connect;
use entity_stream_runtime::{ConnectConfig, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        ConnectConfig::read,
        async |config, aws| Connect::new(config, aws, Clock::system()).await,
        async |connect, event| connect.handle(event).await,
    )
    .await
}
