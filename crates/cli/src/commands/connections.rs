use clap::ValueEnum;
use entity_stream_clock::Clock;
use entity_stream_connections::Table;
use entity_stream_protocol::{ConnectionId, Tenant};

use crate::commands::closing::{close_all, management_api};
use crate::commands::connection_list::{json, table};
use crate::commands::place::ConnectionsPlace;
use crate::system::TargetOption;
use crate::{logs, terminal};

/// List and close connections
///
/// The list comes from the table; closing uses the `@connections` API. Both work on the local system, and on a deployed one
/// with the usual AWS credentials.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream connections list
  entity-stream connections list --tenant demo \\
      --output json --table connections-prod
  entity-stream connections close XyZ12cdeIAMCJ1g=
  entity-stream connections list --subject key:robot --output ids \\
      | xargs entity-stream connections close --")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: ConnectionsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ConnectionsCommand {
    List(ListConnections),
    Close(CloseConnections),
}

/// List the connections with their subjects, subscriptions and authorisations
///
/// Reads the whole table, which DynamoDB charges for. If the end of a connection was not reported, the connection is listed
/// until the next event for it, or for two hours.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream connections list --tenant demo
  entity-stream connections list --output json \\
      | jq -r '.[].tenant' | sort | uniq -c
  entity-stream connections list --table connections-prod --region eu-west-1")]
struct ListConnections {
    /// Only connections of this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<Tenant>,
    /// Only connections of this subject: the `sub` of a token, or `key:NAME` for an API key
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// The form of the list
    #[arg(long, value_name = "FORM", value_enum, default_value_t = ConnectionsOutput::Table)]
    output: ConnectionsOutput,
    #[command(flatten)]
    place: ConnectionsPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ConnectionsOutput {
    /// A table for people
    Table,
    /// A JSON array for programs
    Json,
    /// The ids of the connections, one per line
    Ids,
}

/// Close connections
///
/// The client receives close code 1000, and can connect again while its credential is valid. To prevent that, first revoke
/// the API key or let the token expire. A connection that is gone already is no failure.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An id can begin with `-`; in scripts, put `--` before the ids.

Examples:
  entity-stream connections close XyZ12cdeIAMCJ1g=
  entity-stream connections close --api https://HOST/prod -- -yZ12cdeIAMCJ1g=")]
struct CloseConnections {
    /// The ids of the connections
    #[arg(required = true, value_name = "CONNECTION", value_parser = |text: &str| ConnectionId::parse(text))]
    ids: Vec<ConnectionId>,
    #[command(flatten)]
    target: TargetOption,
    /// The `@connections` endpoint of the local system, or with https:// of a deployed one [default: that of the target]
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// The AWS profile with the credentials [default: that of the target] [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The region of the API [default: the region in its URL]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    match args.command {
        ConnectionsCommand::List(list) => list.run().await,
        ConnectionsCommand::Close(close) => close.run().await,
    }
}

impl ListConnections {
    async fn run(&self) -> anyhow::Result<()> {
        let now = Clock::system().now();
        let place = self.place.table().await?;
        let (client, name) = place.connect().await?;
        let found = Table::new(client, name).list(self.tenant.as_ref(), now).await;
        let mut connections = found.map_err(|error| place.failure(error))?;
        if let Some(subject) = &self.subject {
            connections.retain(|connection| connection.authorisation.subject() == Some(subject));
        }
        match self.output {
            ConnectionsOutput::Json => terminal::raw_line(&json(&connections).to_string()),
            ConnectionsOutput::Ids => {
                connections.iter().try_for_each(|connection| terminal::raw_line(connection.id.as_str()))
            }
            ConnectionsOutput::Table if connections.is_empty() => {
                terminal::note("no connections found");
                Ok(())
            }
            ConnectionsOutput::Table => terminal::raw_line(&table(&connections, now)),
        }
    }
}

impl CloseConnections {
    async fn run(&self) -> anyhow::Result<()> {
        let system = self.target.system()?;
        let url = match &self.api {
            Some(url) => url.clone(),
            None => system.management_url()?,
        };
        let api = management_api(&url, system.deployed(), self.profile.as_deref(), self.region.as_deref()).await?;
        close_all(&api, &self.ids, &url).await
    }
}
