use anyhow::{Context, anyhow, ensure};
use clap::ValueEnum;
use entity_stream_connections::Table;
use entity_stream_delivery::{CloseError, Endpoint, ManagementApi, backoff};
use entity_stream_local::aws_config;
use entity_stream_protocol::{Clock, ConnectionId, Tenant};
use http::Uri;

use super::connection_list::{json, table};
use super::place::ConnectionsPlace;
use crate::aws::Aws;
use crate::terminal::printable;
use crate::{logs, terminal};

/// How often closing one connection is tried while it may yet work.
const ATTEMPTS: usize = 4;

/// List the connections there are, and close them
///
/// The list is what the table holds; closing goes through the `@connections` API. Both work on the local system, and on a
/// deployed one with the usual AWS credentials.
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
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    List(List),
    Close(CloseCommand),
}

/// List the connections: whose they are, what they want, and for how long they may have it
///
/// Reads the whole table, for which DynamoDB charges. A connection whose end nobody reported is listed until an event
/// meets it, or for two hours.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream connections list --tenant demo
  entity-stream connections list --output json \\
      | jq -r '.[].tenant' | sort | uniq -c
  entity-stream connections list --table connections-prod --region eu-west-1")]
struct List {
    /// Only those of this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<Tenant>,
    /// Only those of this subject: a token's `sub`, or `key:NAME` for an API key
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// How to print them
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    place: ConnectionsPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A table for people
    Table,
    /// A JSON array for programs
    Json,
    /// The connections' ids, one a line
    Ids,
}

/// Close connections
///
/// The client sees close code 1000 and may connect again if its credential still allows it: revoke the API key first, or
/// let the token expire. A connection that is gone already is no failure.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An id may begin with `-`: put `--` before the ids if a script fills them in.

Examples:
  entity-stream connections close XyZ12cdeIAMCJ1g=
  entity-stream connections close --api https://HOST/prod -- -yZ12cdeIAMCJ1g=")]
struct CloseCommand {
    /// The connections' ids
    #[arg(required = true, value_name = "CONNECTION", value_parser = |text: &str| ConnectionId::parse(text))]
    ids: Vec<ConnectionId>,
    /// The `@connections` endpoint: the local system's, or with https:// a deployed one's
    #[arg(long, value_name = "URL", default_value = "http://localhost:3000/local")]
    api: String,
    /// The profile of the AWS configuration to take credentials from [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The API's region [default: the one in its URL]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    match args.action {
        Action::List(list) => list.run().await,
        Action::Close(close) => close.run().await,
    }
}

impl List {
    async fn run(&self) -> anyhow::Result<()> {
        let now = Clock::system().now();
        let place = self.place.table();
        let (client, name) = place.connect().await?;
        let found = Table::new(client, name).list(self.tenant.as_ref(), now).await;
        let mut connections = found.map_err(|error| place.failure(error))?;
        if let Some(subject) = &self.subject {
            connections.retain(|connection| connection.authorisation.subject() == Some(subject));
        }
        match self.output {
            Output::Json => terminal::raw_line(&json(&connections).to_string()),
            Output::Ids => connections.iter().try_for_each(|connection| terminal::raw_line(connection.id.as_str())),
            Output::Table if connections.is_empty() => {
                terminal::note("there are no connections");
                Ok(())
            }
            Output::Table => terminal::raw_line(&table(&connections, now)),
        }
    }
}

impl CloseCommand {
    async fn run(&self) -> anyhow::Result<()> {
        let api = self.api().await?;
        let mut failed = 0;
        for id in &self.ids {
            match close(&api, id).await {
                Ok(line) => terminal::line(line)?,
                Err(reason) => {
                    failed += 1;
                    terminal::note(format!("{id}: {reason}"));
                }
            }
        }
        let (place, all) = (printable(&self.api), terminal::counted(self.ids.len() as u64, "connection"));
        ensure!(failed == 0, "{failed} of {all} could not be closed through {place}");
        Ok(())
    }

    async fn api(&self) -> anyhow::Result<ManagementApi> {
        let endpoint = Endpoint::parse(&self.api)
            .map_err(|error| anyhow!("--api: {error}; the local system's is http://localhost:3000/local"));
        let uri = self.api.parse::<Uri>().ok();
        let uri = uri.with_context(|| {
            format!("--api is a URL such as http://localhost:3000/local, not `{}`", printable(&self.api))
        })?;
        // Credentials that are worth something are not sent unencrypted.
        let config = if uri.scheme_str() == Some("https") {
            let region = self.region.as_deref().or_else(|| region(uri.host()?));
            Aws { profile: self.profile.as_deref(), region, endpoint: None }.load().await?
        } else {
            aws_config(&self.api)
        };
        Ok(ManagementApi::new(&config, endpoint?))
    }
}

/// Closes one connection, and says what became of it.
async fn close(api: &ManagementApi, id: &ConnectionId) -> Result<String, String> {
    let mut delays = backoff().take(ATTEMPTS - 1);
    loop {
        let closed = api.close(id).await;
        if closed.as_ref().is_err_and(CloseError::is_retryable)
            && let Some(delay) = delays.next()
        {
            tokio::time::sleep(delay).await;
            continue;
        }
        return match closed {
            Ok(()) => Ok(format!("closed {id}")),
            Err(CloseError::Gone) => Ok(format!("{id} was gone already")),
            Err(CloseError::Forbidden(reason)) => Err(format!(
                "{reason}: the URL does not end with the right stage, or execute-api:ManageConnections is not allowed"
            )),
            Err(error) => Err(error.to_string()),
        };
    }
}

/// The region in the name of an API Gateway endpoint; a custom domain has none.
fn region(host: &str) -> Option<&str> {
    let (_, rest) = host.split_once(".execute-api.")?;
    rest.split_once('.').map(|(region, _)| region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_read_from_the_endpoint() {
        assert_eq!(region("a1b2.execute-api.eu-west-1.amazonaws.com"), Some("eu-west-1"));
        assert_eq!(region("a1b2.execute-api.cn-north-1.amazonaws.com.cn"), Some("cn-north-1"));
        assert_eq!(region("stream.example.com"), None);
    }
}
