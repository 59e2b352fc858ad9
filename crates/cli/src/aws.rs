use anyhow::{Context, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_eventbridge::config::ProvideCredentials;

/// The user's AWS configuration, from the usual variables, files and logins. Each field overrides a part of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Aws<'a> {
    /// The profile of the AWS configuration.
    pub(crate) profile: Option<&'a str>,
    /// The region.
    pub(crate) region: Option<&'a str>,
    /// An endpoint in place of the service's own.
    pub(crate) endpoint: Option<&'a str>,
}

impl Aws<'_> {
    /// Loads the configuration, and makes sure that it has a region and credentials. This sends nothing to the service.
    pub(crate) async fn load(self) -> anyhow::Result<SdkConfig> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(profile) = self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = self.region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(endpoint) = self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let config = loader.load().await;
        if config.region().is_none() {
            bail!("no AWS region: pass --region, or set AWS_REGION or the profile's `region`");
        }
        // The error of a request without credentials names neither them nor a remedy.
        let credentials = config.credentials_provider().context("no AWS credentials are configured")?;
        credentials.provide_credentials().await.context(
            "no AWS credentials: log in with `aws sso login`, or set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )?;
        Ok(config)
    }
}
