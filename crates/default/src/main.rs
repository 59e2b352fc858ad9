//! The binary of the `$default` function.

use std::process::ExitCode;

use entity_stream_default::DefaultRoute;
use entity_stream_protocol::Clock;
use entity_stream_runtime::{AuthenticationError, aws_config, run, verifier};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        async |environment| {
            let config = aws_config(environment);
            let verifier = verifier(environment, &config).await?;
            let (table, management_api) = (environment.table(&config)?, environment.management_api(&config)?);
            let route = DefaultRoute::new(environment, verifier, table, management_api, Clock::system())?;
            Ok::<_, AuthenticationError>(route)
        },
        async |route, event| route.handle(event).await,
    )
    .await
}
