//! The binary of the `$connect` function.

use std::process::ExitCode;

use entity_stream_connect::Connect;
use entity_stream_protocol::Clock;
use entity_stream_runtime::{AuthenticationError, authenticator, aws_config, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        async |environment| {
            let config = aws_config(environment);
            let authenticator = authenticator(environment, &config, &config).await?;
            let connect = Connect::new(environment, authenticator, environment.table(&config)?, Clock::system())?;
            Ok::<_, AuthenticationError>(connect)
        },
        async |connect, event| connect.handle(event).await,
    )
    .await
}
