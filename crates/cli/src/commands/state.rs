use anyhow::{bail, ensure};
use entity_stream_clock::Clock;
use entity_stream_history::{EntityKey, EntityState, HistoryError, StateTable};
use entity_stream_protocol::{EpochMillis, Tenant};

use crate::commands::place::HistoryPlace;
use crate::commands::state_erase::EraseEntities;
use crate::commands::state_list::{json, table};
use crate::commands::state_table::{check_service_path, failure, states, unknown_entity};
use crate::logs;
use crate::terminal::{self, note, printable};

/// The entities that are read at once.
const PAGE: i32 = 100;

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

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let now = Clock::system().now();
    match args.command {
        StateCommand::List(list) => list.run(now).await,
        StateCommand::Show(show) => show.run(now).await,
        StateCommand::Erase(erase) => erase.run(now).await,
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
            note(format!("no entities found ({})", or_no_state(&self.tenant)));
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
        check_service_path(self.service_path.as_deref())?;
        let (states, place) = states(&self.place).await?;
        let found = states.states_of_id(&self.tenant, &self.id, now).await;
        let found = found.map_err(|error| failure(&place, error))?;
        let is_wanted =
            |state: &&EntityState| self.service_path.as_ref().is_none_or(|path| *path == state.service_path);
        let wanted: Vec<_> = found.iter().filter(is_wanted).collect();
        if wanted.is_empty() {
            let unknown = unknown_entity(&self.tenant, &self.id, self.service_path.as_deref(), &found);
            bail!("{unknown} ({})", or_no_state(&self.tenant));
        }
        let mut known = wanted.into_iter().filter(|state| !state.is_deleted()).peekable();
        ensure!(known.peek().is_some(), "the entity was deleted");
        known.try_for_each(|state| terminal::raw_line(&json(state)))
    }
}

/// The other reason for which there can be no entity. The table does not tell it.
fn or_no_state(tenant: &Tenant) -> String {
    format!("or the system keeps no entity state: see `entity-stream doctor {tenant}`")
}
