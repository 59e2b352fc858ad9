use std::time::Duration;

use entity_stream_protocol::Tenant;

use crate::arguments::duration;
use crate::bus::BusOptions;
use crate::client;
use crate::credential::CredentialArgs;
use crate::doctor::{Diagnosis, DiagnosisOutput, Doctor};
use crate::interrupt::Interrupt;
use crate::logs;

/// Find out why changes do not arrive
///
/// Checks each step of a change's way: the host name, the connection, TLS, the handshake, the credential, the filter, the
/// bus, the delivery with its duration, whether a client that comes back receives the change that it missed, and whether the
/// server knows whole entities. Names the remedy for each failure, and exits with 1 if a check failed.
///
/// The published changes are two deletions of an entity that does not exist, and the creation, an update and the deletion of
/// another one. Both have the type EntityStreamDoctor. Clients of the tenant that listen without a filter receive the changes.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("endpoint_url", |arg| arg.help("The event bus's endpoint [default: that of --url if it is on this machine, or of the target]"))
)]
#[command(after_help = "\
Examples:
  entity-stream doctor demo
  entity-stream doctor demo city --url ws://localhost:3100
  entity-stream doctor city --url wss://HOST/prod \\
      --event-bus default --region eu-west-1
  entity-stream doctor demo --no-publish --output json \\
      | jq '.tenants[].steps'")]
pub(crate) struct Args {
    /// The tenants whose streams are checked
    #[arg(required = true, value_name = "TENANT")]
    tenants: Vec<Tenant>,
    /// The WebSocket URL of the streams [default: that of the target]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The time that a change may take to arrive; a function that starts first takes a while
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    timeout: Duration,
    /// Check only the connection, and publish nothing
    #[arg(long, conflicts_with_all = ["endpoint_url", "event_bus"])]
    no_publish: bool,
    /// The form in which the result is printed
    #[arg(long, value_name = "FORM", value_enum, default_value_t = DiagnosisOutput::Text)]
    output: DiagnosisOutput,
    #[command(flatten)]
    credential: CredentialArgs,
    #[command(flatten)]
    bus: BusOptions,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let mut interrupt = Interrupt::install()?;
    let (token, has_key) = (args.credential.token().cloned(), args.credential.has_key());
    let credential = args.credential.credential()?;
    let url = match &args.url {
        Some(url) => url.clone(),
        None => args.bus.target.system()?.stream_url()?,
    };
    let mut diagnosis = Diagnosis::new(args.output);
    let mut doctor =
        Doctor { url, credential, token, has_key, target: None, no_publish: args.no_publish, patience: args.timeout };
    for tenant in &args.tenants {
        let client = client::build(client::builder(&doctor.url, tenant, doctor.credential.as_ref()))?;
        client::warn_if_exposed(&client);
        doctor.target = if args.no_publish { None } else { args.bus.bus_of(client.url(), args.url.is_some())? };
        diagnosis.begin(tenant, &client.url().to_string());
        doctor.check(tenant, &mut interrupt, &mut diagnosis).await?;
    }
    diagnosis.end()
}
