//! The binary of the `$disconnect` function.

use std::convert::Infallible;
use std::process::ExitCode;

use entity_stream_disconnect::Disconnect;
use entity_stream_runtime::{DisconnectConfig, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        DisconnectConfig::read,
        async |config, aws| Ok::<_, Infallible>(Disconnect::new(config, aws)),
        async |disconnect, event| disconnect.handle(event).await,
    )
    .await
}
