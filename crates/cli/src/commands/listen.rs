use entity_stream_protocol::{EntityType, Filter, Format, Tenant};

use crate::cli::count;
use crate::interrupt::Interrupt;
use crate::logs;
use crate::stream::{Address, Listener, Output, Token};
use crate::terminal;

/// Print a tenant's entity changes as they happen
///
/// Connects again when the connection is lost, and prints an event once however often it is delivered. Events go to
/// standard output, everything else to standard error.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream listen demo
  entity-stream listen demo --entity-type Room --entity-type Sensor
  entity-stream listen demo --id-pattern ':Vehicle:00[1-9]$'
  entity-stream listen demo --output json --count 100 | jq .data
  entity-stream listen city --url wss://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod")]
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
    /// The token to authenticate with; the variable keeps it out of the process list
    #[arg(long, value_name = "TOKEN", env = "ENTITY_STREAM_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    /// End after so many events
    #[arg(long, value_name = "N", value_parser = count)]
    count: Option<u64>,
    /// How to print events
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Output::Pretty)]
    output: Output,
    /// What to receive: the event itself, or a CloudEvents 1.0 envelope around it
    #[arg(long, value_name = "json|cloudevents", default_value = "json", value_parser = Format::parse)]
    format: Format,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let mut interrupt = Interrupt::install()?;
    // The server would say the same, one handshake later.
    let filter = Filter::new(args.entity_type, args.id_pattern.as_deref())?;
    let address = Address::new(&args.url, &args.tenant, &filter, args.format)?;
    let token = args.token.filter(|token| !token.is_empty());
    if token.is_some() && address.is_exposed() {
        terminal::note("warning: the token is sent unencrypted; use wss:// unless the network is your own");
    }
    // Fails only if one is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Listener { tenant: args.tenant, address, token, filter, output: args.output, count: args.count }
        .run(&mut interrupt)
        .await
}
