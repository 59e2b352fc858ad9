use anyhow::{anyhow, ensure};
use aws_sdk_dynamodb::Client;
use entity_stream_local::{API_KEYS_TABLE, CONNECTIONS_TABLE, HISTORY_TABLE, aws_config};
use http::Uri;

use crate::aws::Aws;
use crate::system::{ChosenSystem, StackOutput, TargetOption};
use crate::terminal::shown_url;

/// The options that name the table of connections.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Table")]
pub(super) struct ConnectionsPlace {
    #[command(flatten)]
    target: TargetOption,
    /// The table of connections of a deployed system, with the usual AWS credentials [default: that of the target]
    #[arg(id = "table", long, value_name = "NAME", conflicts_with = "dynamodb_url")]
    deployed: Option<String>,
    #[command(flatten)]
    dynamodb: DynamoDbOptions,
}

impl ConnectionsPlace {
    /// The table.
    pub(super) async fn table(&self) -> anyhow::Result<TablePlace> {
        let table = TableOption { output: StackOutput::TableName, option: "--table NAME", local: CONNECTIONS_TABLE };
        self.dynamodb.table(&self.target, &table, self.deployed.as_deref()).await
    }
}

/// The options that name the table of the history.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Table")]
pub(super) struct HistoryPlace {
    #[command(flatten)]
    target: TargetOption,
    /// The table of the history of a deployed system, with the usual AWS credentials [default: that of the target]
    #[arg(id = "table", long = "history-table", value_name = "NAME", conflicts_with = "dynamodb_url")]
    deployed: Option<String>,
    #[command(flatten)]
    dynamodb: DynamoDbOptions,
}

impl HistoryPlace {
    /// The table.
    pub(super) async fn table(&self) -> anyhow::Result<TablePlace> {
        let table =
            TableOption { output: StackOutput::HistoryTableName, option: "--history-table NAME", local: HISTORY_TABLE };
        self.dynamodb.table(&self.target, &table, self.deployed.as_deref()).await
    }
}

/// The options that name the table of API keys.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Table")]
pub(super) struct ApiKeysPlace {
    #[command(flatten)]
    target: TargetOption,
    /// The table of API keys of a deployed system, with the usual AWS credentials [default: that of the target]
    #[arg(id = "table", long = "keys-table", value_name = "NAME", conflicts_with = "dynamodb_url")]
    deployed: Option<String>,
    #[command(flatten)]
    dynamodb: DynamoDbOptions,
}

impl ApiKeysPlace {
    /// The table.
    pub(super) async fn table(&self) -> anyhow::Result<TablePlace> {
        let table =
            TableOption { output: StackOutput::ApiKeysTableName, option: "--keys-table NAME", local: API_KEYS_TABLE };
        self.dynamodb.table(&self.target, &table, self.deployed.as_deref()).await
    }

    /// The system to which the keys belong. `None` if only their table is known.
    pub(super) fn system(&self) -> anyhow::Result<Option<ChosenSystem>> {
        let system = self.target.system()?;
        let is_unknown = self.deployed.is_some() && system.deployed().is_none();
        Ok((!is_unknown).then_some(system))
    }

    /// The table of connections beside the table of API keys. `None` if only the table of keys is known.
    pub(super) async fn connections(&self, deployed: Option<&str>) -> anyhow::Result<Option<TablePlace>> {
        if deployed.is_none() && self.system()?.is_none() {
            return Ok(None);
        }
        let table = TableOption { output: StackOutput::TableName, option: "--table NAME", local: CONNECTIONS_TABLE };
        self.dynamodb.table(&self.target, &table, deployed).await.map(Some)
    }

    /// The profile of AWS for the system.
    pub(super) fn profile(&self) -> Option<&str> {
        self.dynamodb.profile.as_deref()
    }

    /// The region of the system.
    pub(super) fn region(&self) -> Option<&str> {
        self.dynamodb.region.as_deref()
    }
}

#[derive(Debug, clap::Args)]
struct DynamoDbOptions {
    /// The DynamoDB endpoint of a local system [default: that of the target, or http://localhost:8000]
    #[arg(long, value_name = "URL")]
    dynamodb_url: Option<String>,
    /// The AWS profile with the credentials and the region [default: that of the target] [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The region of the table [default: that of the target] [env: AWS_REGION]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

/// A table, and the option that names it.
#[derive(Debug)]
struct TableOption {
    output: StackOutput,
    option: &'static str,
    local: &'static str,
}

impl DynamoDbOptions {
    /// The table of the options, or else that of the target.
    async fn table(
        &self,
        target: &TargetOption,
        table: &TableOption,
        deployed: Option<&str>,
    ) -> anyhow::Result<TablePlace> {
        let url = match (&self.dynamodb_url, deployed) {
            (Some(url), _) => url.clone(),
            (None, deployed) => match (target.system()?, deployed) {
                (ChosenSystem::Local(_), Some(name)) => {
                    let (profile, region) = (self.profile.clone(), self.region.clone());
                    return Ok(TablePlace::Deployed { name: name.to_owned(), profile, region });
                }
                (ChosenSystem::Local(local), None) => local.dynamodb_url().await?,
                (ChosenSystem::Deployed(system), deployed) => {
                    let name = deployed.map_or_else(|| system.need(table.output, table.option), Ok)?.to_owned();
                    let profile = self.profile.as_deref().or(system.profile()).map(str::to_owned);
                    let region = self.region.as_deref().or(system.region()).map(str::to_owned);
                    return Ok(TablePlace::Deployed { name, profile, region });
                }
            },
        };
        let is_unused = self.profile.is_none() && self.region.is_none();
        ensure!(is_unused, "--profile and --region are for AWS; pass {} or --target CONTEXT with them", table.option);
        Ok(TablePlace::Local { url, name: table.local })
    }
}

/// A table of the local system, or a deployed table.
#[derive(Clone, Debug)]
pub(super) enum TablePlace {
    Local { url: String, name: &'static str },
    Deployed { name: String, profile: Option<String>, region: Option<String> },
}

impl TablePlace {
    /// A client, and the name of the table.
    pub(super) async fn connect(&self) -> anyhow::Result<(Client, String)> {
        Ok(match self {
            Self::Local { url, name } => {
                let uri = url.parse::<Uri>().ok();
                let valid = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
                ensure!(
                    valid,
                    "--dynamodb-url must be a URL such as http://localhost:8000; found `{}`",
                    shown_url(url)
                );
                (Client::new(&aws_config(url)), (*name).to_owned())
            }
            Self::Deployed { name, profile, region } => {
                let config =
                    Aws { profile: profile.as_deref(), region: region.as_deref(), endpoint: None }.load().await?;
                (Client::new(&config), name.clone())
            }
        })
    }

    /// Adds the place of the table to an error.
    pub(super) fn failure(&self, error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
        // The text has the cause that counts. Those of the SDK name its layers.
        let error = anyhow!("{error}");
        match self {
            Self::Local { name: HISTORY_TABLE, .. } if error.to_string().contains("ResourceNotFoundException") => {
                anyhow!(
                    "the local system keeps neither history nor entity state, so it has no table of entities: start it without \
                 HISTORY_MINUTES=0 or ENTITY_STATE=false"
                )
            }
            Self::Deployed { name, .. } => error.context(format!("cannot use the table {name}")),
            Self::Local { url, .. } => {
                let url = shown_url(url);
                error.context(format!("cannot use the table at {url} (is `entity-stream local` running there?)"))
            }
        }
    }
}
