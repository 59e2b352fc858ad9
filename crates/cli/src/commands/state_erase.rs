use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use entity_stream_history::{EntityKey, HistoryError, StateTable, Timing};
use entity_stream_protocol::{EpochMillis, Tenant};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use crate::commands::place::HistoryPlace;
use crate::commands::state_table::{check_service_path, failure, states, unknown_entity};
use crate::confirmation::confirm_deletion;
use crate::terminal::{self, counted, grouped, note};

/// The states that are read at once.
const PAGE: usize = 100;
/// The entities that are erased at the same time.
const AT_ONCE: usize = 16;
/// The time after which no attempt to deliver is left that wrote the index before it was erased, and the state after that.
const SETTLED: Duration = Timing::SERVICE.write.saturating_add(Duration::from_millis(500));

/// Erase an entity, or all entities of a tenant
///
/// Deletes the state of the entity and its entries in the index. Past events of the entity stay in the history for
/// HISTORY_MINUTES, and the next event of the entity creates it again. Takes some seconds longer than the deletion, to look
/// whether an event did so meanwhile. `--all` asks for confirmation on a terminal.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "\
entity-stream state erase --tenant <TENANT> <ID> [OPTIONS]
       entity-stream state erase --tenant <TENANT> --all [OPTIONS]",
    after_help = "\
Stop the publishers of the entity first, and wait until no event of it is on its way.

Examples:
  entity-stream state erase --tenant demo urn:ngsi-ld:Vehicle:001
  entity-stream state erase --tenant demo --all --yes \\
      --history-table history-prod --region eu-west-1"
)]
pub(super) struct EraseEntities {
    /// The id of the entity
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    id: Option<String>,
    /// Erase all entities of the tenant
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long, requires = "all")]
    yes: bool,
    /// The tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Tenant,
    /// Only the entity in this service path
    #[arg(long, value_name = "PATH", conflicts_with = "all")]
    service_path: Option<String>,
    #[command(flatten)]
    place: HistoryPlace,
}

/// The kind of an item with a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum StateKind {
    Entity,
    /// The marker of a deleted entity.
    Marker,
    /// The item of an entity that was forgotten. DynamoDB deletes it some day.
    Forgotten,
}

/// The numbers of items of each kind.
#[derive(Clone, Debug, Default)]
struct StateCounts(BTreeMap<StateKind, u64>);

impl StateCounts {
    fn add(&mut self, kind: StateKind) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// The numbers, for people.
    fn shown(&self) -> String {
        let shown: Vec<_> = self.0.iter().map(|(kind, count)| shown(*kind, *count)).collect();
        if shown.is_empty() { entities(0) } else { shown.join(" and ") }
    }
}

fn shown(kind: StateKind, count: u64) -> String {
    match kind {
        StateKind::Entity => entities(count),
        StateKind::Marker if count == 1 => "1 marker of a deleted entity".to_owned(),
        StateKind::Marker => format!("{} markers of deleted entities", grouped(count)),
        StateKind::Forgotten if count == 1 => "1 forgotten entity".to_owned(),
        StateKind::Forgotten => format!("{} forgotten entities", grouped(count)),
    }
}

fn entities(count: u64) -> String {
    if count == 1 { counted(1, "entity") } else { format!("{} entities", grouped(count)) }
}

impl EraseEntities {
    pub(super) async fn run(&self, now: EpochMillis) -> anyhow::Result<()> {
        check_service_path(self.service_path.as_deref())?;
        let (states, place) = states(&self.place).await?;
        let failed = |error| failure(&place, error);
        let keys = self.keys(&states).await.map_err(failed)?;
        if keys.is_empty() {
            match &self.id {
                Some(id) => {
                    let others = states.states_of_id(&self.tenant, id, now).await.map_err(failed)?;
                    bail!(unknown_entity(&self.tenant, id, self.service_path.as_deref(), &others))
                }
                None => note("no entities found"),
            }
            return Ok(());
        }
        let keys = kinds(&states, &keys, now).await.map_err(failed)?;
        if self.all {
            let mut all = StateCounts::default();
            keys.iter().for_each(|(_, kind)| all.add(*kind));
            confirm_deletion(&format!("{} of {}", all.shown(), self.tenant), self.yes)?;
        }
        let erased = stream::iter(&keys).map(async |(key, kind)| Ok((states.erase(key).await?, *kind)));
        let erased = erased.buffer_unordered(AT_ONCE).try_fold(StateCounts::default(), async |mut erased, one| {
            let (existed, kind) = one;
            if existed {
                erased.add(kind);
            }
            Ok(erased)
        });
        let erased = erased.await.map_err(failed).context("a part may be erased; repeat the command")?;
        // A reader that is gone does not end the work.
        let printed = terminal::line(format!("erased {}", erased.shown()));
        note("Events of the erased entities stay in the history until HISTORY_MINUTES have passed.");
        sleep(SETTLED).await;
        let again = stream::iter(&keys).map(|(key, _)| states.restore_index(key)).buffer_unordered(AT_ONCE);
        let again = again.try_fold(0, async |again, exists| Ok(again + u64::from(exists))).await;
        let again = again.map_err(failed);
        let again =
            again.context("the entities are erased, but an event may have brought one back; repeat the command")?;
        if again > 0 {
            let (again, verb) = (entities(again), if again == 1 { "has" } else { "have" });
            note(format!("{again} {verb} come back with new events. Stop the publishers and repeat the command."));
        }
        printed
    }

    /// The keys of the items to erase, those of forgotten entities included.
    async fn keys(&self, states: &StateTable) -> Result<Vec<EntityKey>, HistoryError> {
        if let Some(id) = &self.id {
            let only = self.service_path.as_ref().map(|path| EntityKey::new(&self.tenant, id, path));
            let mut keys = states.keys_of_id(&self.tenant, id).await?;
            keys.retain(|key| only.as_ref().is_none_or(|only| only == key));
            return Ok(keys);
        }
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = states.keys_of_tenant(&self.tenant, after).await?;
            keys.extend(page);
            after = next;
            if after.is_none() {
                return Ok(keys);
            }
        }
    }
}

/// The keys with the kinds of their items.
async fn kinds(
    states: &StateTable,
    keys: &[EntityKey],
    now: EpochMillis,
) -> Result<Vec<(EntityKey, StateKind)>, HistoryError> {
    let mut kinds: BTreeMap<_, _> = keys.iter().map(|key| (key.clone(), StateKind::Forgotten)).collect();
    for page in keys.chunks(PAGE) {
        for (key, state) in states.states(page, now).await? {
            kinds.insert(key, if state.is_deleted() { StateKind::Marker } else { StateKind::Entity });
        }
    }
    Ok(kinds.into_iter().collect())
}
