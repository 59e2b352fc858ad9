//! Steps that several checks take.

use std::time::Duration;

use entity_stream_client::{ClientError, EntityStream, StreamItem};
use entity_stream_protocol::EventMessage;
use entity_stream_publisher::BusEntry;
use tokio::time::{Instant, timeout};

use crate::bus::TargetBus;

/// The time that the bus has to accept the change, and the server to close or open a connection.
pub(super) const STEP: Duration = Duration::from_secs(20);

/// Waits until the subscriptions are in force.
pub(super) async fn subscribed(stream: &mut EntityStream) -> Result<(), ClientError> {
    let subscribed = async {
        while let Some(item) = stream.try_next().await? {
            if matches!(item, StreamItem::Subscribed { .. }) {
                break;
            }
        }
        Ok(())
    };
    timeout(STEP, subscribed).await.unwrap_or(Err(ClientError::Timeout(STEP)))
}

/// Publishes a change. Returns the id of its event.
pub(super) async fn publish(target: &TargetBus, entry: &BusEntry) -> anyhow::Result<String> {
    let published = target.publisher().await?.publish(&[entry], Instant::now() + STEP).await;
    let id = published.into_iter().next().ok_or_else(|| anyhow::anyhow!("it returned no result"))?;
    Ok(id?)
}

/// Waits for an event.
pub(super) async fn arrival(stream: &mut EntityStream, id: &str, patience: Duration) -> Option<EventMessage<'static>> {
    let arrived = async {
        while let Ok(Some(item)) = stream.try_next().await {
            if let StreamItem::Event(event) = item
                && event.message().id == id
            {
                return Some(event.message().clone());
            }
        }
        None
    };
    timeout(patience, arrived).await.unwrap_or_default()
}
