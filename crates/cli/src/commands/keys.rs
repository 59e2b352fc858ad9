use anyhow::ensure;
use entity_stream_auth::{ApiKeyError, ApiKeyName, ApiKeyRecord, ApiKeys, Role};
use entity_stream_clock::Clock;
use entity_stream_protocol::{EpochMillis, Tenant};

use crate::commands::key_list::{json, table};
use crate::commands::place::{ApiKeysPlace, TablePlace};
use crate::commands::token::role;
use crate::lifetime::Lifetime;
use crate::{logs, terminal};

/// Create, list and revoke API keys
///
/// API keys are for services that run longer than any token lives. A service sends the name and the key in
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
    command: KeysCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeysCommand {
    Create(CreateKey),
    List(ListKeys),
    Revoke(RevokeKey),
}

/// Create a key and print it, which is possible only once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  KEY=$(entity-stream keys create dashboard --tenant demo)
  entity-stream keys create exporter --role super_admin \\
      --expires-in 90d --keys-table api-keys-prod")]
struct CreateKey {
    /// The key's name: 1 to 64 letters, digits, `_`, `-` or `.`
    name: ApiKeyName,
    /// A tenant that the key may listen to; repeat the option for several tenants
    #[arg(long, value_name = "TENANT")]
    tenant: Vec<Tenant>,
    /// The role: user, tenant_admin, or super_admin for all tenants, which takes no --tenant
    #[arg(long, value_name = "ROLE", value_parser = role(), default_value = "user", hide_possible_values = true)]
    role: Role,
    /// The lifetime, such as 90d [default: until the key is revoked]
    #[arg(long, value_name = "TIME")]
    expires_in: Option<Lifetime>,
    #[command(flatten)]
    place: ApiKeysPlace,
}

/// List the keys by name, without the keys themselves
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream keys list
  entity-stream keys list --output json --keys-table api-keys-prod \\
      | jq '.[] | select(.lastUsedAt == null)'")]
struct ListKeys {
    /// The form of the list
    #[arg(long, value_name = "FORM", value_enum, default_value_t = KeysOutput::Table)]
    output: KeysOutput,
    #[command(flatten)]
    place: ApiKeysPlace,
}

/// Revoke a key, so that no client can connect with it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Connections that the key opened stay open for up to two hours, or until `entity-stream connections close`.

Examples:
  entity-stream keys revoke dashboard")]
struct RevokeKey {
    /// The key's name
    name: ApiKeyName,
    #[command(flatten)]
    place: ApiKeysPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum KeysOutput {
    /// A table for people
    Table,
    /// A JSON array for programs
    Json,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let now = Clock::system().now();
    match &args.command {
        KeysCommand::Create(create) => create.run(now).await,
        KeysCommand::List(ListKeys { output, place }) => {
            let listed = keys(place.table()).await?.list().await.map_err(|error| failure(place.table(), error))?;
            match output {
                KeysOutput::Json => terminal::raw_line(&json(&listed).to_string()),
                KeysOutput::Table if listed.is_empty() => {
                    terminal::note("no keys found");
                    Ok(())
                }
                KeysOutput::Table => terminal::raw_line(&table(&listed, now)),
            }
        }
        KeysCommand::Revoke(RevokeKey { name, place }) => {
            let place = place.table();
            keys(place).await?.revoke(name).await.map_err(|error| failure(place, error))?;
            terminal::line(format!("revoked {name}"))
        }
    }
}

impl CreateKey {
    async fn run(&self, now: EpochMillis) -> anyhow::Result<()> {
        let some = !self.tenant.is_empty() || self.role == Role::SuperAdmin;
        ensure!(some, "--tenant is missing; only --role super_admin needs none");
        let bounded = self.tenant.is_empty() || self.role != Role::SuperAdmin;
        ensure!(
            bounded,
            "--tenant does not limit a super_admin, who may listen to all tenants; leave it out, or pass --role tenant_admin"
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
        // Only standard output has the key itself, so that a script can keep it out of its log.
        let name = &self.name;
        terminal::note("The key is not shown again. With the key in KEY, the header is");
        terminal::note(format!("Authorization: Basic $(printf '%s' \"{name}:$KEY\" | base64 | tr -d '\\n')"));
        Ok(())
    }
}

async fn keys(place: TablePlace<'_>) -> anyhow::Result<ApiKeys> {
    let (client, table) = place.connect().await?;
    Ok(ApiKeys::new(client, table))
}

/// Adds the place of the table to an error of DynamoDB, but not to an error of the user's.
fn failure(place: TablePlace<'_>, error: ApiKeyError) -> anyhow::Error {
    match error {
        ApiKeyError::Dynamo(_) => place.failure(error),
        slip => slip.into(),
    }
}
