use entity_stream_connections as table;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::gateway::timestamp;
use crate::state::SystemState;

/// Maximum number of connections in the table of the page.
const SHOWN: usize = 100;
/// Records that are read at the same time.
const READS: usize = 8;

/// The open connections, the newest first, as the table has them.
pub(super) async fn list(state: &SystemState) -> Value {
    let (total, newest) = state.connections.newest(SHOWN);
    let now = state.config.clock.now();
    let described = stream::iter(newest)
        .map(async |(id, open)| match state.table.find(&id, now).await {
            Ok(found) => found.map(|connection| describe(&connection, open.user_agent.as_deref())),
            Err(error) => {
                tracing::warn!(connection_id = %id, %error, "could not read a connection for the monitor page");
                None
            }
        })
        .buffered(READS);
    // One that has no record is just leaving.
    let described: Vec<Value> = described.filter_map(async |found| found).collect().await;
    json!({ "total": total, "connections": described })
}

fn describe(connection: &table::Connection, user_agent: Option<&str>) -> Value {
    json!({
        "id": connection.id.as_str(),
        "tenant": connection.tenant.as_str(),
        "subscriptions": connection.subscriptions,
        "format": connection.format.as_str(),
        "group": connection.group.as_ref().map(|group| group.as_str()),
        "connectedAt": timestamp(connection.connected_at.millis()).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "pending": !connection.authorisation.is_decided(),
        "userAgent": user_agent,
    })
}
