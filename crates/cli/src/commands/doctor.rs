use std::time::Duration;

use entity_stream_protocol::Tenant;

use super::listen::warn_if_exposed;
use super::local::duration;
use crate::bus::Target;
use crate::doctor::{Doctor, Output, Report};
use crate::logs;
use crate::stream::{Address, CredentialArgs};

/// Find out why changes do not arrive
///
/// Takes each step of a change's way by itself: the name, the connection, TLS, the handshake, the credential, the filter, the
/// bus, and the delivery with the time it took. Says for each failure what to do, and ends with 1 if there is one. The change
/// that is published is the end of an entity that nobody has; clients of the tenant that listen without a filter see it.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("endpoint_url", |arg| arg.help("The event bus's endpoint [default: that of --url, if it is on this machine]"))
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
    /// Whose streams to check
    #[arg(required = true, value_name = "TENANT")]
    tenants: Vec<Tenant>,
    /// Where the streams are
    #[arg(long, value_name = "URL", default_value = "ws://localhost:3000")]
    url: String,
    /// How long a change may take to arrive; a function that has to start first takes a while
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    timeout: Duration,
    /// Check the connection alone, and publish nothing
    #[arg(long, conflicts_with_all = ["endpoint_url", "event_bus"])]
    no_publish: bool,
    /// How to print what is found
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    credential: CredentialArgs,
    #[command(flatten)]
    target: Target,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    // Fails only if one is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let credential = args.credential.credential()?;
    let mut report = Report::new(args.output);
    let mut doctor = Doctor { url: args.url, credential, target: None, patience: args.timeout };
    for tenant in &args.tenants {
        let address = Address::of(&doctor.url, tenant)?;
        warn_if_exposed(&address, doctor.credential.as_ref());
        doctor.target = (!args.no_publish).then(|| target(&args.target, &address)).flatten();
        report.begin(tenant, &address.to_string())?;
        doctor.check(tenant, &mut report).await?;
    }
    report.end()
}

/// Where to publish: where it was said, or on the local system that the stream belongs to.
fn target(given: &Target, address: &Address) -> Option<Target> {
    if given.event_bus.is_some() || given.endpoint_url.is_some() {
        return Some(given.clone());
    }
    let (host, port) = address.host();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    address.is_loopback().then(|| Target::local(format!("http://{host}:{port}")))
}
