use std::time::Duration;

use anyhow::anyhow;
use entity_stream_history::{EntityState, HistoryError, StateTable};
use entity_stream_protocol::Tenant;

use crate::commands::place::{HistoryPlace, TablePlace};
use crate::terminal::printable;
use crate::usage_error::usage_error;

pub(super) fn check_service_path(path: Option<&str>) -> anyhow::Result<()> {
    match path {
        Some(path) if !path.starts_with('/') => Err(usage_error(anyhow!(
            "--service-path must begin with `/`, such as `/madrid`; found `{}`",
            printable(path)
        ))),
        _ => Ok(()),
    }
}

/// The reason for which there is no entity with this id in a service path. `others` are the states of the id.
pub(super) fn unknown_entity(tenant: &Tenant, id: &str, path: Option<&str>, others: &[EntityState]) -> String {
    let unknown = format!("the tenant {tenant} has no entity {}", printable(id));
    let Some(path) = path else { return unknown };
    let known = others.iter().filter(|state| !state.is_deleted());
    let known: Vec<_> = known.map(|state| printable(&state.service_path)).collect();
    let known = if known.is_empty() { String::new() } else { format!("; it is known in {}", known.join(", ")) };
    format!("{unknown} in the service path {}{known}", printable(path))
}

/// The states. They are only read and erased, so no time has to be known for which they are kept.
pub(super) async fn states(options: &HistoryPlace) -> anyhow::Result<(StateTable, TablePlace)> {
    let place = options.table().await?;
    let (client, table) = place.connect().await?;
    Ok((StateTable::new(client, table, Duration::ZERO, Duration::ZERO), place))
}

pub(super) fn failure(place: &TablePlace, error: HistoryError) -> anyhow::Error {
    place.failure(error)
}
