use anyhow::ensure;
use aws_sdk_dynamodb::Client;
use entity_stream_auth::{ApiKeyError, ApiKeyName, ApiKeyRecord, ApiKeys, Role};
use entity_stream_local::{TABLE, aws_config};
use entity_stream_protocol::{Clock, EpochMillis, Tenant};

use super::key_list::{json, table};
use super::token::role;
use crate::aws::Aws;
use crate::lifetime::Lifetime;
use crate::terminal::printable;
use crate::{logs, terminal};

/// Create, list and revoke API keys
///
/// An API key is for a service that runs for longer than any token lives. It sends its name and the key in
/// `Authorization: Basic`. The table of connections holds the keys' hashes: that of the local system, or a deployed one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream keys create dashboard --tenant demo
  entity-stream keys create exporter --role super_admin --expires-in 90d --table connections-prod
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
  entity-stream keys create exporter --role super_admin --expires-in 90d --table connections-prod")]
struct Create {
    /// The key's name: 1 to 64 letters, digits, `_`, `-` or `.`
    name: ApiKeyName,
    /// A tenant that its holder may listen to; may be given several times
    #[arg(long, value_name = "TENANT")]
    tenant: Vec<Tenant>,
    /// What its holder may do: super_admin is for every tenant, and needs none
    #[arg(long, value_name = "ROLE", value_parser = role(), default_value = "user", hide_possible_values = true)]
    role: Role,
    /// How long it is valid, such as 90d [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    expires_in: Option<Lifetime>,
    #[command(flatten)]
    place: Place,
}

/// List the keys: what is known of them, and never the keys themselves
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream keys list
  entity-stream keys list --output json --table connections-prod | jq '.[] | select(.lastUsedAt == null)'")]
struct List {
    /// How to print them
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Revoke a key: nobody can connect with it any more
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Connections that the key has opened live on until they end, two hours at most.

Examples:
  entity-stream keys revoke dashboard")]
struct Revoke {
    /// The key's name
    name: ApiKeyName,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// A table for people
    Table,
    /// A JSON array for programs
    Json,
}

/// Where the keys are.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Where the keys are")]
struct Place {
    /// The DynamoDB of a local system
    #[arg(long, value_name = "URL", default_value = "http://localhost:8000")]
    dynamodb_url: String,
    /// The table of a deployed system instead, with the usual AWS credentials
    #[arg(long, value_name = "NAME", conflicts_with = "dynamodb_url")]
    table: Option<String>,
    /// The profile of the AWS configuration to take credentials and region from [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME", requires = "table")]
    profile: Option<String>,
    /// The table's region [env: AWS_REGION]
    #[arg(long, value_name = "REGION", requires = "table")]
    region: Option<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let now = Clock::system().now();
    match &args.action {
        Action::Create(create) => create.run(now).await,
        Action::List(List { output, place }) => {
            let keys = place.keys().await?.list().await.map_err(|error| place.failure(error))?;
            match output {
                Output::Json => terminal::raw_line(&json(&keys).to_string()),
                Output::Table if keys.is_empty() => {
                    terminal::note("there are no keys");
                    Ok(())
                }
                Output::Table => terminal::raw_line(&table(&keys, now)),
            }
        }
        Action::Revoke(Revoke { name, place }) => {
            place.keys().await?.revoke(name).await.map_err(|error| place.failure(error))?;
            terminal::line(format!("revoked {name}"))
        }
    }
}

impl Create {
    async fn run(&self, now: EpochMillis) -> anyhow::Result<()> {
        let some = !self.tenant.is_empty() || self.role == Role::SuperAdmin;
        ensure!(some, "--tenant is missing: only --role super_admin goes without");
        let record = ApiKeyRecord {
            name: self.name.clone(),
            role: self.role,
            tenants: self.tenant.iter().cloned().collect(),
            created_at: now,
            last_used_at: None,
            expires_at: self.expires_in.map(|lifetime| lifetime.from(now)),
        };
        let key = self.place.keys().await?.create(&record).await.map_err(|error| self.place.failure(error))?;
        terminal::raw_line(key.expose())?;
        // The key itself stands on standard output only, which a script can keep out of what it logs.
        let name = &self.name;
        terminal::note("This is the only time that the key is shown. With the key in KEY, the header is");
        terminal::note(format!("Authorization: Basic $(printf '%s' \"{name}:$KEY\" | base64 | tr -d '\\n')"));
        Ok(())
    }
}

impl Place {
    async fn keys(&self) -> anyhow::Result<ApiKeys> {
        Ok(match &self.table {
            None => {
                let uri = self.dynamodb_url.parse::<tokio_tungstenite::tungstenite::http::Uri>().ok();
                let valid = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
                let url = &self.dynamodb_url;
                ensure!(valid, "--dynamodb-url is a URL such as http://localhost:8000, not `{}`", printable(url));
                ApiKeys::new(Client::new(&aws_config(url)), TABLE)
            }
            Some(table) => {
                let (profile, region) = (self.profile.as_deref(), self.region.as_deref());
                let config = Aws { profile, region, endpoint: None }.load().await?;
                ApiKeys::new(Client::new(&config), table)
            }
        })
    }

    fn failure(&self, error: ApiKeyError) -> anyhow::Error {
        let is_remote = matches!(error, ApiKeyError::Dynamo(_));
        let error = anyhow::Error::new(error);
        match &self.table {
            _ if !is_remote => error,
            Some(table) => error.context(format!("cannot use the table {table}")),
            None => error.context(format!(
                "cannot use the table at {} (is `entity-stream local` running there?)",
                self.dynamodb_url
            )),
        }
    }
}
