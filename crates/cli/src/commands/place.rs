use anyhow::ensure;
use aws_sdk_dynamodb::Client;
use entity_stream_local::{API_KEYS_TABLE, CONNECTIONS_TABLE, HISTORY_TABLE, aws_config};
use http::Uri;

use crate::aws::Aws;
use crate::terminal::printable;

/// The options that name the table of connections.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Table")]
pub(super) struct ConnectionsPlace {
    /// The table of connections of a deployed system, with the usual AWS credentials
    #[arg(id = "table", long, value_name = "NAME", conflicts_with = "dynamodb_url")]
    deployed: Option<String>,
    #[command(flatten)]
    dynamodb: DynamoDbOptions,
}

impl ConnectionsPlace {
    pub(super) fn table(&self) -> TablePlace<'_> {
        TablePlace { deployed: self.deployed.as_deref(), local: CONNECTIONS_TABLE, dynamodb: &self.dynamodb }
    }
}

/// The options that name the table of the history.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Table")]
pub(super) struct HistoryPlace {
    /// The table of the history of a deployed system, with the usual AWS credentials
    #[arg(id = "table", long = "history-table", value_name = "NAME", conflicts_with = "dynamodb_url")]
    deployed: Option<String>,
    #[command(flatten)]
    dynamodb: DynamoDbOptions,
}

impl HistoryPlace {
    pub(super) fn table(&self) -> TablePlace<'_> {
        TablePlace { deployed: self.deployed.as_deref(), local: HISTORY_TABLE, dynamodb: &self.dynamodb }
    }
}

/// The options that name the table of API keys.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Table")]
pub(super) struct ApiKeysPlace {
    /// The table of API keys of a deployed system, with the usual AWS credentials
    #[arg(id = "table", long = "keys-table", value_name = "NAME", conflicts_with = "dynamodb_url")]
    deployed: Option<String>,
    #[command(flatten)]
    dynamodb: DynamoDbOptions,
}

impl ApiKeysPlace {
    pub(super) fn table(&self) -> TablePlace<'_> {
        TablePlace { deployed: self.deployed.as_deref(), local: API_KEYS_TABLE, dynamodb: &self.dynamodb }
    }

    /// The table of connections beside the table of API keys. `None` if the keys are deployed and `deployed` is not named.
    pub(super) fn connections<'a>(&'a self, deployed: Option<&'a str>) -> Option<TablePlace<'a>> {
        let is_known = deployed.is_some() || self.deployed.is_none();
        is_known.then_some(TablePlace { deployed, local: CONNECTIONS_TABLE, dynamodb: &self.dynamodb })
    }

    pub(super) fn profile(&self) -> Option<&str> {
        self.dynamodb.profile.as_deref()
    }

    pub(super) fn region(&self) -> Option<&str> {
        self.dynamodb.region.as_deref()
    }
}

#[derive(Debug, clap::Args)]
struct DynamoDbOptions {
    /// The DynamoDB endpoint of a local system
    #[arg(long, value_name = "URL", default_value = "http://localhost:8000")]
    dynamodb_url: String,
    /// The AWS profile with the credentials and the region [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME", requires = "table")]
    profile: Option<String>,
    /// The region of the table [env: AWS_REGION]
    #[arg(long, value_name = "REGION", requires = "table")]
    region: Option<String>,
}

/// A table of the local system, or a deployed table if one is named.
#[derive(Clone, Copy, Debug)]
pub(super) struct TablePlace<'a> {
    deployed: Option<&'a str>,
    local: &'static str,
    dynamodb: &'a DynamoDbOptions,
}

impl TablePlace<'_> {
    /// A client, and the name of the table.
    pub(super) async fn connect(self) -> anyhow::Result<(Client, String)> {
        let DynamoDbOptions { dynamodb_url: url, profile, region } = self.dynamodb;
        Ok(match self.deployed {
            None => {
                let uri = url.parse::<Uri>().ok();
                let valid = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
                ensure!(
                    valid,
                    "--dynamodb-url must be a URL such as http://localhost:8000; found `{}`",
                    printable(url)
                );
                (Client::new(&aws_config(url)), self.local.to_owned())
            }
            Some(name) => {
                let (profile, region) = (profile.as_deref(), region.as_deref());
                let config = Aws { profile, region, endpoint: None }.load().await?;
                (Client::new(&config), name.to_owned())
            }
        })
    }

    /// Adds the place of the table to an error.
    pub(super) fn failure(self, error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
        let error = anyhow::Error::new(error);
        match self.deployed {
            Some(name) => error.context(format!("cannot use the table {name}")),
            None => error.context(format!(
                "cannot use the table at {} (is `entity-stream local` running there?)",
                self.dynamodb.dynamodb_url
            )),
        }
    }
}
