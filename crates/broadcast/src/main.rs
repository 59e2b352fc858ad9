//! The binary of the broadcast function.

use std::process::ExitCode;

use entity_stream_broadcast::{Broadcast, DeadLetterQueue, Outlets};
use entity_stream_protocol::Clock;
use entity_stream_publisher::Publisher;
use entity_stream_runtime::{aws_config, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(
        async |environment| {
            let config = aws_config(environment);
            let dead_letters = environment
                .dead_letter_queue_url()?
                .map(|url| DeadLetterQueue::new(aws_sdk_sqs::Client::new(&config), url));
            let bus = environment
                .event_bus_name()?
                .map(|name| Publisher::new(aws_sdk_eventbridge::Client::new(&config), name));
            let (table, management_api) = (environment.table(&config)?, environment.management_api(&config)?);
            Broadcast::new(environment, table, management_api, Outlets { bus, dead_letters }, Clock::system())
        },
        async |broadcast, event| broadcast.handle(event).await,
    )
    .await
}
