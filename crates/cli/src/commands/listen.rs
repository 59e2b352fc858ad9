use std::time::Duration;

use entity_stream_protocol::{EntityType, Filter, Format, GroupId, Tenant};

use super::local::duration;
use crate::cli::count;
use crate::interrupt::Interrupt;
use crate::logs;
use crate::stream::{Address, Credential, CredentialArgs, Listener, Output};
use crate::terminal;

/// Print a tenant's entity changes as they happen
///
/// Connects again when the connection is lost, and prints an event once however often it is delivered. Events go to
/// standard output; everything else, such as how many came how fast, to standard error. In the readable output an
/// attribute that changed has a `*` where others have not changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream listen demo
  entity-stream listen demo --entity-type Room --entity-type Sensor
  entity-stream listen demo --id-pattern ':Vehicle:00[1-9]$'
  entity-stream listen demo --output json --count 100 | jq .data
  entity-stream listen demo --count 1 --timeout 30s --quiet || echo 'no change'
  entity-stream listen demo --output none --timeout 1m
  ENTITY_STREAM_API_KEY=es_... entity-stream listen demo --api-key dashboard
  entity-stream listen city \\
      --url wss://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod")]
pub(crate) struct Args {
    /// Whose changes
    tenant: Tenant,
    /// Where from
    #[arg(long, value_name = "URL", default_value = "ws://localhost:3000")]
    url: String,
    /// Only entities of this type; may be given up to 50 times
    #[arg(long, value_name = "TYPE")]
    entity_type: Vec<EntityType>,
    /// Only entities whose id this regular expression matches, anywhere unless anchored
    #[arg(long, value_name = "REGEX")]
    id_pattern: Option<String>,
    /// Share the stream with the other members of this consumer group
    #[arg(long, value_name = "NAME", value_parser = |name: &str| GroupId::parse(name))]
    group: Option<GroupId>,
    /// End after so many events
    #[arg(long, value_name = "N", value_parser = count)]
    count: Option<u64>,
    /// End after this time, such as 30s or 1h30m; with 1 if fewer than --count events have come
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// How to print events
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Output::Pretty)]
    output: Output,
    /// What to receive: the event itself, or a CloudEvents 1.0 envelope around it
    #[arg(long, value_name = "json|cloudevents", default_value = "json", value_parser = Format::parse)]
    format: Format,
    /// Say nothing but what has failed
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let mut interrupt = Interrupt::install()?;
    // The server would say the same, one handshake later.
    let filter = Filter::new(args.entity_type, args.id_pattern.as_deref())?;
    let format = if args.output == Output::Cloudevents { Format::CloudEvents } else { args.format };
    let address = Address::new(&args.url, &args.tenant, &filter, format, args.group.as_ref())?;
    let credential = args.credential.credential()?;
    warn_if_exposed(&address, credential.as_ref());
    // Fails only if one is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (output, count, timeout, quiet) = (args.output, args.count, args.timeout, args.quiet);
    Listener { tenant: args.tenant, address, credential, filter, output, count, timeout, quiet }
        .run(&mut interrupt)
        .await
}

/// Says that a credential can be read on its way.
pub(super) fn warn_if_exposed(address: &Address, credential: Option<&Credential>) {
    if let Some(credential) = credential.filter(|_| address.is_exposed()) {
        let noun = credential.noun();
        terminal::note(format!("warning: the {noun} is sent unencrypted; use wss:// unless the network is your own"));
    }
}
