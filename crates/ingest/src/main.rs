//! The binary of the ingest function.

use std::process::ExitCode;

use entity_stream_clock::Clock;
use entity_stream_ingest::Ingest;
use entity_stream_runtime::{IngestConfig, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        IngestConfig::read,
        async |config, aws| Ingest::new(config, aws, Clock::system()).await,
        async |ingest, event| ingest.handle(event).await,
    )
    .await
}
