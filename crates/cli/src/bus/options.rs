use anyhow::ensure;
use entity_stream_client::StreamUrl;

use crate::bus::target_bus::TargetBus;
use crate::system::{ChosenSystem, StackOutput, TargetOption};

/// The options for the event bus.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Event bus")]
pub(crate) struct BusOptions {
    #[command(flatten)]
    pub(crate) target: TargetOption,
    /// The endpoint of the event bus [default: that of the target]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Publish to this EventBridge bus (name or ARN) with the usual AWS credentials [default: that of the target]
    #[arg(long, value_name = "NAME")]
    event_bus: Option<String>,
    /// The AWS profile with the credentials and the region [default: that of the target] [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The region of the bus [default: that of the target] [env: AWS_REGION]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

impl BusOptions {
    /// The bus of the options, or else that of the target.
    pub(crate) fn bus(&self) -> anyhow::Result<TargetBus> {
        let endpoint_url = self.endpoint_url.clone();
        if endpoint_url.is_some() && self.event_bus.is_none() {
            self.check_is_local()?;
            return Ok(TargetBus { endpoint_url, ..TargetBus::default() });
        }
        match self.target.system()? {
            ChosenSystem::Local(local) if self.event_bus.is_none() => {
                self.check_is_local()?;
                Ok(TargetBus::local(local.url().to_owned()))
            }
            ChosenSystem::Local(_) => {
                let (profile, region) = (self.profile.clone(), self.region.clone());
                Ok(TargetBus { endpoint_url, event_bus: self.event_bus.clone(), profile, region })
            }
            ChosenSystem::Deployed(system) => {
                let event_bus = match &self.event_bus {
                    Some(bus) => bus.clone(),
                    None => system.need(StackOutput::EventBus, "--event-bus NAME")?.to_owned(),
                };
                let profile = self.profile.as_deref().or(system.profile()).map(str::to_owned);
                let region = self.region.as_deref().or(system.region()).map(str::to_owned);
                Ok(TargetBus { endpoint_url, event_bus: Some(event_bus), profile, region })
            }
        }
    }

    /// The bus of the options, or else that of the system to which the stream belongs. `None` if nothing names it.
    pub(crate) fn bus_of(&self, url: &StreamUrl, is_url_given: bool) -> anyhow::Result<Option<TargetBus>> {
        let names_a_bus = self.event_bus.is_some() || self.endpoint_url.is_some();
        if names_a_bus || (is_url_given && self.target.is_given()) {
            return self.bus().map(Some);
        }
        if is_url_given {
            let (host, port) = url.host();
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            return Ok(url.is_loopback().then(|| TargetBus::local(format!("http://{host}:{port}"))));
        }
        // The URL of a deployed stream tells no bus.
        let system = self.target.system()?;
        let has_no_bus = system.deployed().is_some_and(|system| system.get(StackOutput::EventBus).is_none());
        if has_no_bus { Ok(None) } else { self.bus().map(Some) }
    }

    fn check_is_local(&self) -> anyhow::Result<()> {
        let is_unused = self.profile.is_none() && self.region.is_none();
        ensure!(is_unused, "--profile and --region are for AWS; pass --event-bus NAME or --target CONTEXT with them");
        Ok(())
    }
}
