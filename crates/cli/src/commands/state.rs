use std::time::Duration;

use anyhow::{Context, bail, ensure};
use entity_stream_clock::Clock;
use entity_stream_history::{EntityKey, EntityState, HistoryError, StateTable, Timing};
use entity_stream_protocol::{EpochMillis, Tenant};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use crate::commands::place::{HistoryPlace, TablePlace};
use crate::commands::state_list::{json, table};
use crate::confirmation::confirm_deletion;
use crate::logs;
use crate::terminal::{self, counted, note, printable};

/// The entities that are read at once.
const PAGE: i32 = 100;
/// The entities that are erased at the same time.
const AT_ONCE: usize = 16;
/// The time after which no attempt to deliver is left that wrote the index before it was erased, and the state after that.
const SETTLED: Duration = Timing::SERVICE.write.saturating_add(Duration::from_millis(500));

/// List, show and erase the entities as last known
///
/// The commands read and write the table of the history, of the local system or of a deployed one with the usual AWS
/// credentials. Clients are not told of what is erased.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream state list --tenant demo --type Vehicle
  entity-stream state show --tenant demo urn:ngsi-ld:Vehicle:001 | jq .data
  entity-stream state erase --tenant demo urn:ngsi-ld:Vehicle:001
  entity-stream state erase --tenant demo --all --yes \\
      --history-table history-prod --region eu-west-1")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: StateCommand,
}

#[derive(Debug, clap::Subcommand)]
enum StateCommand {
    List(ListEntities),
    Show(ShowEntity),
    Erase(EraseEntities),
}

/// List the entities of a tenant, without their values
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream state list --tenant demo
  entity-stream state list --tenant demo --type Vehicle --ids-only | wc -l
  entity-stream state list --tenant demo \\
      --history-table history-prod --region eu-west-1")]
struct ListEntities {
    /// The tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Tenant,
    /// Only entities of this type
    #[arg(long = "type", value_name = "TYPE")]
    entity_type: Option<String>,
    /// Print only the ids, one per line, as they are found
    #[arg(long, conflicts_with = "output")]
    ids_only: bool,
    /// The form of the list
    #[arg(long, value_name = "FORM", value_enum, default_value_t = StatesOutput::Table)]
    output: StatesOutput,
    #[command(flatten)]
    place: HistoryPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum StatesOutput {
    /// A table for people, without values
    Table,
    /// A JSON array for programs, with all attributes
    Json,
}

/// Print an entity as JSON, with all attributes as last known
///
/// Prints a line for each service path in which the entity is known.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream state show --tenant demo urn:ngsi-ld:Vehicle:001 | jq .data
  entity-stream state show --tenant demo urn:ngsi-ld:Vehicle:001 \\
      --service-path /madrid --history-table history-prod")]
struct ShowEntity {
    /// The id of the entity
    #[arg(value_name = "ID")]
    id: String,
    /// The tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Tenant,
    /// Only the entity in this service path
    #[arg(long, value_name = "PATH")]
    service_path: Option<String>,
    #[command(flatten)]
    place: HistoryPlace,
}

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
struct EraseEntities {
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

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let now = Clock::system().now();
    match args.command {
        StateCommand::List(list) => list.run(now).await,
        StateCommand::Show(show) => show.run(now).await,
        StateCommand::Erase(erase) => erase.run().await,
    }
}

impl ListEntities {
    async fn run(&self, now: EpochMillis) -> anyhow::Result<()> {
        let (states, place) = states(&self.place).await?;
        let failed = |error| failure(&place, error);
        let (mut found, mut after, mut last) = (Vec::new(), None, None);
        loop {
            let page = states.list(&self.tenant, self.entity_type.as_deref(), after.as_ref(), (PAGE, now)).await;
            let page = page.map_err(failed)?;
            for state in self.entities(&states, &page.keys, now).await.map_err(failed)? {
                if !self.ids_only {
                    found.push(state);
                } else if last.as_ref() != Some(&state.entity_id) {
                    // The entities of an id are next to each other in the index.
                    terminal::raw_line(&printable(&state.entity_id))?;
                    last = Some(state.entity_id);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if self.ids_only {
            return Ok(());
        }
        if found.is_empty() && self.output == StatesOutput::Table {
            note("no entities found");
            return Ok(());
        }
        found.sort_by(|one, other| (&one.entity_id, &one.service_path).cmp(&(&other.entity_id, &other.service_path)));
        match self.output {
            StatesOutput::Table => terminal::raw_line(&table(&found, now)),
            StatesOutput::Json => {
                terminal::raw_line(&format!("[{}]", found.iter().map(json).collect::<Vec<_>>().join(",")))
            }
        }
    }

    /// The entities of a page in its order, without those that were deleted or have another type now.
    async fn entities(
        &self,
        states: &StateTable,
        keys: &[EntityKey],
        now: EpochMillis,
    ) -> Result<Vec<EntityState>, HistoryError> {
        let mut found = states.states(keys, now).await?;
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        let is_listed = |state: &EntityState| {
            let wanted = self.entity_type.as_deref();
            !state.is_deleted()
                && wanted.is_none_or(|wanted| state.entity_types.iter().any(|each| each.as_str() == wanted))
        };
        Ok(found.into_iter().map(|(_, state)| state).filter(is_listed).collect())
    }
}

impl ShowEntity {
    async fn run(&self, now: EpochMillis) -> anyhow::Result<()> {
        let (states, place) = states(&self.place).await?;
        let found = states.states_of_id(&self.tenant, &self.id, now).await;
        let mut found = found.map_err(|error| failure(&place, error))?;
        found.retain(|state| self.service_path.as_ref().is_none_or(|path| *path == state.service_path));
        ensure!(!found.is_empty(), "the tenant {} has no entity {}", self.tenant, printable(&self.id));
        let is_deleted = found.iter().all(EntityState::is_deleted);
        found.retain(|state| !state.is_deleted());
        ensure!(!is_deleted, "the entity was deleted");
        found.iter().try_for_each(|state| terminal::raw_line(&json(state)))
    }
}

impl EraseEntities {
    async fn run(&self) -> anyhow::Result<()> {
        let (states, place) = states(&self.place).await?;
        let keys = self.keys(&states).await.map_err(|error| failure(&place, error))?;
        if keys.is_empty() {
            match &self.id {
                Some(id) => bail!("the tenant {} has no entity {}", self.tenant, printable(id)),
                None => note("no entities found"),
            }
            return Ok(());
        }
        if self.all {
            confirm_deletion(&format!("{} of {}", entities(keys.len() as u64), self.tenant), self.yes)?;
        }
        let erased = stream::iter(&keys).map(|key| states.erase(key)).buffer_unordered(AT_ONCE);
        let erased = erased.try_fold(0, async |erased, existed| Ok(erased + u64::from(existed))).await;
        let erased = erased.map_err(|error| failure(&place, error));
        let erased = erased.context("a part may be erased; repeat the command")?;
        // A reader that is gone does not end the work.
        let printed = terminal::line(format!("erased {}", entities(erased)));
        note("Events of the erased entities stay in the history until HISTORY_MINUTES have passed.");
        sleep(SETTLED).await;
        let again = stream::iter(&keys).map(|key| states.restore_index(key)).buffer_unordered(AT_ONCE);
        let again = again.try_fold(0, async |again, exists| Ok(again + u64::from(exists))).await;
        let again = again.map_err(|error| failure(&place, error));
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

fn entities(count: u64) -> String {
    if count == 1 { counted(1, "entity") } else { format!("{} entities", terminal::grouped(count)) }
}

/// The states. They are only read and erased, so no time has to be known for which they are kept.
async fn states(options: &HistoryPlace) -> anyhow::Result<(StateTable, TablePlace)> {
    let place = options.table().await?;
    let (client, table) = place.connect().await?;
    Ok((StateTable::new(client, table, Duration::ZERO, Duration::ZERO), place))
}

fn failure(place: &TablePlace, error: HistoryError) -> anyhow::Error {
    place.failure(error)
}
