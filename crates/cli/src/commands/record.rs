use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use entity_stream_clock::Clock;
use entity_stream_protocol::{Representation, Subscription, Tenant};

use crate::arguments::{count, duration};
use crate::client;
use crate::credential::CredentialArgs;
use crate::interrupt::Interrupt;
use crate::listen::{EventOutput, Listener};
use crate::logs;
use crate::recording::Recorder;
use crate::subscription::SubscriptionArgs;
use crate::system::TargetOption;
use crate::usage_error::usage_error;

/// Record a tenant's events in a file, for `entity-stream replay`
///
/// Writes each event as one line of JSON: the time at which it arrived, and the event as received. Reconnects after a lost
/// connection, and asks the server for the events that it missed. Only the owner of a new file can read it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream record demo city.ndjson --timeout 10m
  entity-stream record demo rooms.ndjson --entity-type Room --count 1000
  entity-stream record demo city.ndjson --append --target prod
  entity-stream record demo - | gzip > city.ndjson.gz")]
pub(crate) struct Args {
    /// The tenant to listen to
    tenant: Tenant,
    /// The new file, or `-` for standard output
    file: PathBuf,
    /// Add to the file if it exists
    #[arg(long)]
    append: bool,
    /// Stop after this number of events
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count)]
    count: Option<u64>,
    /// Stop after this time, such as 30s or 1h30m; exit with 1 if fewer than --count events came
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Print nothing but failures on standard error
    #[arg(long, short)]
    quiet: bool,
    /// The WebSocket URL of the stream [default: that of the target]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    target: TargetOption,
    #[command(flatten)]
    subscriptions: SubscriptionArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let mut interrupt = Interrupt::install()?;
    let wanted = args.subscriptions.subscriptions().map_err(usage_error)?;
    check_views(&wanted.subscriptions).map_err(usage_error)?;
    let credential = args.credential.credential()?;
    let url = match args.url {
        Some(url) => url,
        None => args.target.system()?.stream_url()?,
    };
    let builder = client::builder(&url, &args.tenant, credential.as_ref());
    let client = client::build(builder.subscriptions(wanted.subscriptions).snapshots(wanted.snapshots))?;
    client::warn_if_exposed(&client);
    let recorder = Recorder::open(&args.file, args.append, Clock::system())?;
    Listener {
        tenant: args.tenant,
        client,
        group: None,
        output: EventOutput::None,
        count: args.count,
        timeout: args.timeout,
        quiet: args.quiet,
        resume_file: None,
        begins_in_past: false,
        resumed_from: None,
        receiver: None,
        recorder: Some(recorder),
        prompt: None,
    }
    .run(&mut interrupt)
    .await
}

/// A recording has each event once, and in the form in which `replay` can publish it.
fn check_views(subscriptions: &[Subscription]) -> anyhow::Result<()> {
    let mut views = subscriptions.iter().map(|subscription| &subscription.view);
    ensure!(
        views.clone().all(|view| view.attributes().len() == 0),
        "a recording has all attributes of an event, because a replay would remove the others from the entity; leave \
         --attributes out, and `attributes` of --subscription"
    );
    ensure!(
        views.clone().all(|view| view.representation() == Representation::Normalized),
        "a recording has the attributes as they were published, because a replay would remove their types; leave \
         --key-values out, and `representation` of --subscription"
    );
    let first = views.next();
    ensure!(
        views.all(|view| Some(view) == first),
        "a recording has each event once; give each subscription the same --whole (`wholeEntity`) and --changes \
         (`showChanges`)"
    );
    Ok(())
}
