//! The binary of the `$connect` function.

use std::process::ExitCode;

use entity_stream_connect::Connect;
use entity_stream_runtime::{aws_config, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        async |environment| {
            let table = environment.table(&aws_config().await)?;
            Connect::new(environment, table)
        },
        async |connect, event| connect.handle(event).await,
    )
    .await
}
