use std::path::PathBuf;
use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_protocol::limits::GROUP_ID_LENGTH;
use entity_stream_protocol::{Format, GroupId, Since, Tenant};

use crate::arguments::{count, duration};
use crate::client;
use crate::credential::CredentialArgs;
use crate::forwarding::Receiver;
use crate::interrupt::Interrupt;
use crate::listen::{EntityWatcher, EventOutput, Listener, Prompt, ResumeFile, SavedPlace, since};
use crate::logs;
use crate::subscription::{SubscriptionArgs, WantedSubscriptions};
use crate::system::TargetOption;
use crate::usage_error::usage_error;

/// Print a tenant's entity changes as they happen
///
/// Reconnects after a lost connection, asks the server for the events that it missed, and tells whether all of them are there.
/// Prints each event once, even if the server delivers it again. Prints events to standard output, and everything else, such as
/// the summary, to standard error. In the readable output, a `*` marks an attribute that changed, if other attributes did not
/// change. With named subscriptions, `[map, list]` names those that the event matches; `-` is the one without a name. An event
/// that matches subscriptions with different `attributes` or `representation` is printed once for each.
///
/// `left` says that an entity does not match --q or --geo-q any more; `is` shows an entity of a snapshot.
/// --entities shows the entities that match, and not their events: on a terminal as a table that is kept up to date, and else with
/// one line for each that is added, updated or removed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream listen demo
  entity-stream listen demo --entity-type Room --entity-type Sensor
  entity-stream listen demo --id-pattern ':Vehicle:00[1-9]$'
  entity-stream listen demo --entity-type Vehicle --q 'speed>50' --watch speed
  entity-stream listen demo --geo-q near:139.7,35.6,2000 \\
      --attributes speed,location --key-values
  entity-stream listen demo --subscription 'rooms={\"entityTypes\":[\"Room\"]}' \\
      --subscription 'fast={\"q\":\"speed>50\",\"attributes\":[\"speed\"]}'
  entity-stream listen demo --output json --count 100 | jq .data
  entity-stream listen demo --count 1 --timeout 30s --quiet || echo 'no change'
  entity-stream listen demo --output none --timeout 1m
  entity-stream listen demo --since 5m
  entity-stream listen demo --interactive
  entity-stream listen demo --entity-type Room --snapshot --changes
  entity-stream listen demo --entity-type Vehicle --q 'speed>50' --entities
  entity-stream listen demo --output json --resume place.json >> changes.jsonl
  entity-stream listen demo --output none --resume place.json \\
      --forward-to https://example.com/hook --forward-headers hook.headers
  ENTITY_STREAM_API_KEY=es_... entity-stream listen demo --api-key dashboard
  entity-stream listen city --target prod
  entity-stream listen city \\
      --target wss://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod")]
pub(crate) struct Args {
    /// The tenant to listen to
    tenant: Tenant,
    /// The WebSocket URL of the stream [default: that of the target]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Share the stream with the other members of this consumer group; not with --since, --resume or --snapshot. At its end, the
    /// command leaves the group and prints the events that the server has already assigned to it, also those beyond --count
    #[arg(long, value_name = "NAME", value_parser = group)]
    group: Option<GroupId>,
    /// Begin with past events: a time such as 30s or 5m before now, or POSITION:SESSION of an earlier connection
    #[arg(long, value_name = "TIME", value_parser = since, conflicts_with = "group")]
    since: Option<Since>,
    /// Keep the place in this file, and continue there if the file exists. Events of the 15 seconds before the place can be
    /// printed again, with the same ids. Run one command at a time with the same file
    #[arg(long, value_name = "FILE", conflicts_with = "group")]
    resume: Option<PathBuf>,
    /// Show the entities that match, kept up to date, and not their events
    #[arg(
        long,
        conflicts_with_all = ["group", "since", "resume", "count", "output", "forward_to", "forward_headers", "interactive", "trigger", "watch", "subscription", "changes"]
    )]
    entities: bool,
    /// Post each event to this URL as well. Repeats a post that fails, and keeps the order. If the receiver refuses an event with a
    /// status of 3xx or 4xx other than 408 and 429, skips the event and exits with 1 at the end
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    /// Send the headers of this file with each post, one `Name: value` a line
    #[arg(long, value_name = "FILE", requires = "forward_to")]
    forward_headers: Option<PathBuf>,
    /// Read lines from standard input that replace the filter and the form of the events; `help` lists the options
    #[arg(long, conflicts_with_all = ["group", "resume", "quiet"])]
    interactive: bool,
    /// Stop after this number of events
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count)]
    count: Option<u64>,
    /// Stop after this time, such as 30s or 1h30m; exit with 1 if fewer than --count events came
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// The form in which events are printed
    #[arg(long, value_name = "FORM", value_enum, default_value_t = EventOutput::Pretty)]
    output: EventOutput,
    /// The format to receive: the event itself, or a CloudEvents 1.0 envelope with the event
    #[arg(long, value_name = "json|cloudevents", default_value = "json", value_parser = Format::parse)]
    format: Format,
    /// Print nothing but failures on standard error
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    target: TargetOption,
    #[command(flatten)]
    subscriptions: SubscriptionArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

/// Reads the name of a consumer group.
fn group(name: &str) -> Result<GroupId, String> {
    GroupId::parse(name).map_err(|_| format!("expected 1 to {GROUP_ID_LENGTH} characters of A-Z a-z 0-9 _ - ."))
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let mut interrupt = Interrupt::install()?;
    // The server would refuse an invalid filter too, one handshake later.
    let WantedSubscriptions { subscriptions, snapshots } = args.subscriptions.subscriptions().map_err(usage_error)?;
    let format = if args.output == EventOutput::Cloudevents { Format::CloudEvents } else { args.format };
    let credential = args.credential.credential()?;
    let url = match args.url {
        Some(url) => url,
        None => args.target.system()?.stream_url()?,
    };
    let mut builder = client::builder(&url, &args.tenant, credential.as_ref());
    let receiver =
        args.forward_to.map(|url| Receiver::new(&url, format, args.forward_headers.as_deref())).transpose()?;
    if args.entities {
        let client = client::build(builder.format(format))?;
        client::warn_if_exposed(&client);
        let (tenant, timeout, quiet) = (args.tenant, args.timeout, args.quiet);
        // The options conflict with those that would make more than one.
        let subscription = subscriptions.into_iter().next().unwrap_or_default();
        return EntityWatcher { tenant, client, subscription, timeout, quiet, clock: Clock::system() }
            .run(&mut interrupt)
            .await;
    }
    let names = subscriptions.iter().map(|subscription| subscription.name.clone()).collect();
    let begins_with_snapshot = !snapshots.is_empty();
    let prompt = args.interactive.then(|| Prompt::open(names)).transpose()?;
    builder = builder.subscriptions(subscriptions).snapshots(snapshots).format(format);
    if let Some(group) = &args.group {
        builder = builder.group(group.clone());
    }
    let opened = args
        .resume
        .map(|path| ResumeFile::open(&path, &args.tenant, Clock::system()))
        .transpose()
        .map_err(usage_error)?;
    let (resume_file, place) = opened.map_or((None, None), |(file, place)| (Some(file), place));
    let resumed_from = place.as_ref().and_then(|place| place.saved_at);
    let since = place.map(|SavedPlace { bookmark, .. }| bookmark.into()).or(args.since);
    let begins_in_past = since.is_some() || begins_with_snapshot;
    if let Some(since) = since {
        builder = builder.since(since);
    }
    let client = client::build(builder)?;
    client::warn_if_exposed(&client);
    let (output, count, timeout, quiet) = (args.output, args.count, args.timeout, args.quiet);
    let tenant = args.tenant;
    Listener {
        tenant,
        client,
        group: args.group,
        output,
        count,
        timeout,
        quiet,
        resume_file,
        begins_in_past,
        resumed_from,
        receiver,
        recorder: None,
        prompt,
    }
    .run(&mut interrupt)
    .await
}
