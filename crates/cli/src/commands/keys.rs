use anyhow::ensure;
use entity_stream_auth::{ApiKeyError, ApiKeyName, ApiKeyRecord, ApiKeys, Role};
use entity_stream_protocol::{Clock, EpochMillis, Tenant};

use super::key_list::{json, table};
use super::place::{ApiKeysPlace, TablePlace};
use super::token::role;
use crate::lifetime::Lifetime;
use crate::{logs, terminal};

/// Create, list and revoke API keys
///
/// An API key is for a service that runs for longer than any token lives. It sends its name and the key in
/// `Authorization: Basic`. The table of API keys, in the local system or in a deployed one, holds a hash of each key.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream keys create dashboard --tenant demo
  entity-stream keys create exporter --role super_admin \\
      --expires-in 90d --keys-table api-keys-prod
  entity-stream keys list
  entity-stream keys revoke dashboard")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Create a key, and print it: it cannot be shown again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  KEY=$(entity-stream keys create dashboard --tenant demo)
  entity-stream keys create exporter --role super_admin \\
      --expires-in 90d --keys-table api-keys-prod")]
struct Create {
    /// The key's name: 1 to 64 letters, digits, `_`, `-` or `.`
    name: ApiKeyName,
    /// A tenant that its holder may listen to; may be given several times
    #[arg(long, value_name = "TENANT")]
    tenant: Vec<Tenant>,
    /// What its holder may do: super_admin is for every tenant, and takes none
    #[arg(long, value_name = "ROLE", value_parser = role(), default_value = "user", hide_possible_values = true)]
    role: Role,
    /// How long it is valid, such as 90d [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    expires_in: Option<Lifetime>,
    #[command(flatten)]
    place: ApiKeysPlace,
}

/// List the keys: what is known of them, and never the keys themselves
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream keys list
  entity-stream keys list --output json --keys-table api-keys-prod \\
      | jq '.[] | select(.lastUsedAt == null)'")]
struct List {
    /// How to print them
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    place: ApiKeysPlace,
}

/// Revoke a key: nobody can connect with it any more
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Connections that the key has opened live on until they end, two hours at most, or until `entity-stream connections close`.

Examples:
  entity-stream keys revoke dashboard")]
struct Revoke {
    /// The key's name
    name: ApiKeyName,
    #[command(flatten)]
    place: ApiKeysPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// A table for people
    Table,
    /// A JSON array for programs
    Json,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let now = Clock::system().now();
    match &args.action {
        Action::Create(create) => create.run(now).await,
        Action::List(List { output, place }) => {
            let listed = keys(place.table()).await?.list().await.map_err(|error| failure(place.table(), error))?;
            match output {
                Output::Json => terminal::raw_line(&json(&listed).to_string()),
                Output::Table if listed.is_empty() => {
                    terminal::note("there are no keys");
                    Ok(())
                }
                Output::Table => terminal::raw_line(&table(&listed, now)),
            }
        }
        Action::Revoke(Revoke { name, place }) => {
            let place = place.table();
            keys(place).await?.revoke(name).await.map_err(|error| failure(place, error))?;
            terminal::line(format!("revoked {name}"))
        }
    }
}

impl Create {
    async fn run(&self, now: EpochMillis) -> anyhow::Result<()> {
        let some = !self.tenant.is_empty() || self.role == Role::SuperAdmin;
        ensure!(some, "--tenant is missing: only --role super_admin goes without");
        let bounded = self.tenant.is_empty() || self.role != Role::SuperAdmin;
        ensure!(
            bounded,
            "--tenant bounds no super_admin, whose key opens every tenant: leave it out, or take --role tenant_admin"
        );
        let record = ApiKeyRecord {
            name: self.name.clone(),
            role: self.role,
            tenants: self.tenant.iter().cloned().collect(),
            created_at: now,
            last_used_at: None,
            expires_at: self.expires_in.map(|lifetime| lifetime.from(now)),
        };
        let place = self.place.table();
        let key = keys(place).await?.create(&record).await.map_err(|error| failure(place, error))?;
        terminal::raw_line(key.expose())?;
        // The key itself stands on standard output only, which a script can keep out of what it logs.
        let name = &self.name;
        terminal::note("This is the only time that the key is shown. With the key in KEY, the header is");
        terminal::note(format!("Authorization: Basic $(printf '%s' \"{name}:$KEY\" | base64 | tr -d '\\n')"));
        Ok(())
    }
}

async fn keys(place: TablePlace<'_>) -> anyhow::Result<ApiKeys> {
    let (client, table) = place.connect().await?;
    Ok(ApiKeys::new(client, table))
}

/// What is wrong with the table's place is told with it; a slip with a name is not.
fn failure(place: TablePlace<'_>, error: ApiKeyError) -> anyhow::Error {
    match error {
        ApiKeyError::Dynamo(_) => place.failure(error),
        slip => slip.into(),
    }
}
