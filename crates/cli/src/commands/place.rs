use anyhow::ensure;
use aws_sdk_dynamodb::Client;
use entity_stream_local::{TABLE, aws_config};
use tokio_tungstenite::tungstenite::http::Uri;

use crate::aws::Aws;
use crate::terminal::printable;

/// Where the table of connections is, which holds the API keys too.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Where the table is")]
pub(super) struct Place {
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

impl Place {
    /// A client, and the table's name.
    pub(super) async fn table(&self) -> anyhow::Result<(Client, String)> {
        Ok(match &self.table {
            None => {
                let uri = self.dynamodb_url.parse::<Uri>().ok();
                let valid = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
                let url = &self.dynamodb_url;
                ensure!(valid, "--dynamodb-url is a URL such as http://localhost:8000, not `{}`", printable(url));
                (Client::new(&aws_config(url)), TABLE.to_owned())
            }
            Some(table) => {
                let (profile, region) = (self.profile.as_deref(), self.region.as_deref());
                let config = Aws { profile, region, endpoint: None }.load().await?;
                (Client::new(&config), table.clone())
            }
        })
    }

    /// An error of the table's, with where it is.
    pub(super) fn failure(&self, error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
        let error = anyhow::Error::new(error);
        match &self.table {
            Some(table) => error.context(format!("cannot use the table {table}")),
            None => error.context(format!(
                "cannot use the table at {} (is `entity-stream local` running there?)",
                self.dynamodb_url
            )),
        }
    }
}
