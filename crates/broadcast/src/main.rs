//! The binary of the broadcast function.

use std::process::ExitCode;

use entity_stream_broadcast::{Broadcast, DeadLetterQueue};
use entity_stream_protocol::Clock;
use entity_stream_runtime::environment::DEAD_LETTER_QUEUE_URL;
use entity_stream_runtime::{aws_config, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        async |environment| {
            let config = aws_config().await;
            let dead_letters = environment
                .optional(DEAD_LETTER_QUEUE_URL)
                .map(|url| DeadLetterQueue::new(aws_sdk_sqs::Client::new(&config), url));
            let (table, management_api) = (environment.table(&config)?, environment.management_api(&config)?);
            Broadcast::new(environment, table, management_api, dead_letters, Clock::system())
        },
        async |broadcast, event| broadcast.handle(event).await,
    )
    .await
}
