//! The binary of the `$disconnect` function.

use std::process::ExitCode;

use entity_stream_disconnect::Disconnect;
use entity_stream_runtime::{InvalidVariable, aws_config, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        async |environment| {
            let table = environment.table(&aws_config(environment))?;
            Ok::<_, InvalidVariable>(Disconnect::new(table))
        },
        async |disconnect, event| disconnect.handle(event).await,
    )
    .await
}
