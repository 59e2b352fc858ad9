//! The binary of the `$default` function.

use std::process::ExitCode;

use entity_stream_default::DefaultRoute;
use entity_stream_protocol::Clock;
use entity_stream_runtime::{InvalidVariable, aws_config, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        async |environment| {
            let config = aws_config().await;
            let (table, management_api) = (environment.table(&config)?, environment.management_api(&config)?);
            Ok::<_, InvalidVariable>(DefaultRoute::new(table, management_api, Clock::system()))
        },
        async |route, event| route.handle(event).await,
    )
    .await
}
