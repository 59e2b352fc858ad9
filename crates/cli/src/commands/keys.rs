use anyhow::{Context, anyhow, ensure};
use entity_stream_auth::{API_KEY_SUBJECT, ApiKeyError, ApiKeyName, ApiKeyRecord, ApiKeys, Role};
use entity_stream_clock::Clock;
use entity_stream_connections::Table;
use entity_stream_protocol::{EpochMillis, InvalidServicePathPattern, ServicePathPattern, Tenant};

use crate::commands::closing::{close_all, management_api};
use crate::commands::key_list::{json, table};
use crate::commands::place::{ApiKeysPlace, TablePlace};
use crate::commands::token::role;
use crate::lifetime::Lifetime;
use crate::system::ChosenSystem;
use crate::usage_error::usage_error;
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
  KEY=$(entity-stream keys create orion --role publisher --tenant demo)
  entity-stream keys create exporter --role super_admin \\
      --expires-in 90d --keys-table api-keys-prod")]
struct CreateKey {
    /// The key's name: 1 to 64 letters, digits, `_`, `-` or `.`
    name: ApiKeyName,
    /// A tenant that the key may listen or publish to; repeat the option for several tenants
    #[arg(long, value_name = "TENANT")]
    tenant: Vec<Tenant>,
    /// The role: user, which listens; publisher, which publishes brokers' notifications and does not listen; tenant_admin,
    /// which does both; or super_admin for all tenants, which takes no --tenant
    #[arg(long, value_name = "ROLE", value_parser = role(), default_value = "user", hide_possible_values = true)]
    role: Role,
    /// The service path into which a publisher may publish, such as /madrid, or /madrid/# with everything below [default: every
    /// path]
    #[arg(long, value_name = "PATH", value_parser = service_path)]
    service_path: Option<ServicePathPattern>,
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

/// Revoke a key, so that no client can connect with it, and close the connections that it opened
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For a deployed system, name the table of keys, the table of connections and the API. Without the latter two, the key is \
revoked and its connections stay open for up to two hours. A handshake that is under way when the key is revoked can still \
succeed; `entity-stream connections list --subject key:NAME` shows it.

Examples:
  entity-stream keys revoke dashboard
  entity-stream keys revoke exporter --keys-table api-keys-prod \\
      --table connections-prod --api https://HOST/prod")]
struct RevokeKey {
    /// The key's name
    name: ApiKeyName,
    /// The table of connections of a deployed system [default: that of the target]
    #[arg(id = "connections_table", long = "table", value_name = "NAME", conflicts_with = "dynamodb_url")]
    connections_table: Option<String>,
    /// The `@connections` endpoint of the local system, or with https:// of a deployed one [default: that of the target]
    #[arg(long, value_name = "URL")]
    api: Option<String>,
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
            let place = place.table().await?;
            let listed = keys(&place).await?.list().await.map_err(|error| failure(&place, None, error))?;
            match output {
                KeysOutput::Json => terminal::raw_line(&json(&listed).to_string()),
                KeysOutput::Table if listed.is_empty() => {
                    terminal::note("no keys found");
                    Ok(())
                }
                KeysOutput::Table => terminal::raw_line(&table(&listed, now)),
            }
        }
        KeysCommand::Revoke(revoke) => revoke.run(now).await,
    }
}

impl CreateKey {
    /// Fails if the options contradict each other.
    fn check(&self) -> anyhow::Result<()> {
        let some = !self.tenant.is_empty() || self.role == Role::SuperAdmin;
        ensure!(some, "--tenant is missing; only --role super_admin needs none");
        let bounded = self.tenant.is_empty() || self.role != Role::SuperAdmin;
        ensure!(
            bounded,
            "--tenant does not limit a super_admin, who may listen to all tenants; leave it out, or pass --role tenant_admin"
        );
        ensure!(
            self.service_path.is_none() || self.role == Role::Publisher,
            "--service-path limits a publisher; leave it out, or pass --role publisher"
        );
        Ok(())
    }

    async fn run(&self, now: EpochMillis) -> anyhow::Result<()> {
        self.check().map_err(usage_error)?;
        let record = ApiKeyRecord {
            name: self.name.clone(),
            role: self.role,
            tenants: self.tenant.iter().cloned().collect(),
            service_path: self.service_path.clone(),
            created_at: now,
            last_used_at: None,
            expires_at: self.expires_in.map(|lifetime| lifetime.from(now)),
        };
        let place = self.place.table().await?;
        let key =
            keys(&place).await?.create(&record).await.map_err(|error| failure(&place, Some(&self.name), error))?;
        let name = &self.name;
        // A key that no reader has is lost, also if the reader closed the pipe.
        terminal::raw_line(key.expose()).map_err(|error| {
            anyhow!(
                "the key {name} exists, but its value was not printed: {error:#}; `entity-stream keys revoke {name}` removes it"
            )
        })?;
        // Only standard output has the key itself, so that a script can keep it out of its log.
        terminal::note("The key is not shown again. With the key in KEY, the header is");
        terminal::note(format!("Authorization: Basic $(printf '%s' \"{name}:$KEY\" | base64 | tr -d '\\n')"));
        Ok(())
    }
}

impl RevokeKey {
    async fn run(&self, now: EpochMillis) -> anyhow::Result<()> {
        let (name, place, system) = (&self.name, self.place.table().await?, self.place.system()?);
        let is_named = self.connections_table.is_none() || system.is_some() || self.api.is_some();
        ensure!(is_named, "--table needs --api: without it, the connections of the key cannot be closed");
        let connections = self.place.connections(self.connections_table.as_deref()).await?;
        keys(&place).await?.revoke(name).await.map_err(|error| failure(&place, Some(name), error))?;
        // A reader that is gone does not end the work.
        let printed = terminal::line(format!("revoked {name}"));
        let Some(place) = connections else {
            terminal::note("The connections of the key are not closed, because --table and --api do not name them.");
            terminal::note("They end within two hours.");
            return printed;
        };
        let (client, table) = place.connect().await?;
        let found = Table::new(client, table).list(None, now).await.map_err(|error| place.failure(error));
        let connections = found.context("the key is revoked, but its connections are not closed")?;
        let subject = format!("{API_KEY_SUBJECT}{name}");
        let of_key = connections.into_iter().filter(|open| open.authorisation.subject() == Some(subject.as_str()));
        let ids: Vec<_> = of_key.map(|connection| connection.id).collect();
        if ids.is_empty() {
            terminal::note("The key had no open connections.");
            return printed;
        }
        let url = self.api.clone().map_or_else(|| management_url(system.as_ref()), Ok)?;
        let deployed = system.as_ref().and_then(ChosenSystem::deployed);
        let api = management_api(&url, deployed, self.place.profile(), self.place.region()).await?;
        close_all(&api, &ids, &url).await.context("the key is revoked")?;
        terminal::note(format!(
            "The key had {}, which the API closed.",
            terminal::counted(ids.len() as u64, "connection")
        ));
        printed
    }
}

fn management_url(system: Option<&ChosenSystem>) -> anyhow::Result<String> {
    system.context("--api is missing: the `@connections` endpoint of the system")?.management_url()
}

fn service_path(text: &str) -> Result<ServicePathPattern, InvalidServicePathPattern> {
    ServicePathPattern::parse(text)
}

async fn keys(place: &TablePlace) -> anyhow::Result<ApiKeys> {
    let (client, table) = place.connect().await?;
    Ok(ApiKeys::new(client, table))
}

/// Adds the place of the table to an error of DynamoDB, and the name of the key to an error of the user's.
fn failure(place: &TablePlace, name: Option<&ApiKeyName>, error: ApiKeyError) -> anyhow::Error {
    match error {
        ApiKeyError::Dynamo(_) => place.failure(error),
        slip => {
            let slip = anyhow::Error::from(slip);
            match name {
                Some(name) => slip.context(format!("key {name}")),
                None => slip,
            }
        }
    }
}
