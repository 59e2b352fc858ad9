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

/// Create a key and print it; it cannot be shown again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  KEY=$(entity-stream keys create dashboard --tenant demo)
  entity-stream keys create exporter --role super_admin \\
      --expires-in 90d --keys-table api-keys-prod")]
struct Create {
    /// The key's name: 1 to 64 letters, digits, `_`, `-` or `.`
    name: ApiKeyName,
    /// A tenant to which the key gives access; may be given several times
    #[arg(long, value_name = "TENANT")]
    tenant: Vec<Tenant>,
    /// The role of the key: super_admin gives access to every tenant and takes no --tenant
    #[arg(long, value_name = "ROLE", value_parser = role(), default_value = "user", hide_possible_values = true)]
    role: Role,
    /// The validity, such as 90d [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    expires_in: Option<Lifetime>,
    #[command(flatten)]
    place: ApiKeysPlace,
}

/// List the keys, with their roles and times but never the keys themselves
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream keys list
  entity-stream keys list --output json --keys-table api-keys-prod \\
      | jq '.[] | select(.lastUsedAt == null)'")]
struct List {
    /// The format of the list
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    place: ApiKeysPlace,
}

/// Revoke a key, so that it opens no further connection
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
        // Only standard output contains the key, so that a script can keep it out of its log.
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

/// Adds the table's place to errors that concern it, but not to errors about a name.
fn failure(place: TablePlace<'_>, error: ApiKeyError) -> anyhow::Error {
    match error {
        ApiKeyError::Dynamo(_) => place.failure(error),
        slip => slip.into(),
    }
}
