use std::time::Duration;

use anyhow::{anyhow, ensure};
use clap::ValueEnum;
use entity_stream_clock::Clock;

use crate::commands::dead_letter_list::{json, table, whole};
use crate::confirmation::confirm_deletion;
use crate::logs;
use crate::queue::{BroadcastFunction, HeldLetter, MOST, QueueAccess, QueueOptions, ReplayResult, check_ids};
use crate::terminal::{self, counted};

/// The time for which messages are hidden while a command only reads them.
const READING: Duration = Duration::from_secs(60);
/// The time for which messages are hidden while a command works with them.
const WORKING: Duration = Duration::from_secs(15 * 60);

/// List, replay and delete the events that were not delivered
///
/// The dead-letter queue holds events that are malformed, events that did not reach all of their connections, and events
/// whose invocations failed. The commands work on the local system, and on a deployed one with the usual AWS credentials.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream dead-letters list
  entity-stream dead-letters list --queue-url \"$QUEUE\" --output json
  entity-stream dead-letters show 5f9c1d2e-3b4a-4c5d-8e6f-7a8b9c0d1e2f
  entity-stream dead-letters replay --all \\
      --queue-url \"$QUEUE\" --function \"$BROADCAST_FUNCTION\"
  entity-stream dead-letters purge --all --yes")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: DeadLettersCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DeadLettersCommand {
    List(ListLetters),
    Show(ShowLetter),
    Replay(ReplayLetters),
    Purge(PurgeLetters),
}

/// List the messages of the queue, without the values of entities
///
/// SQS has no list of messages. The command receives up to 1,000 messages and gives them back. Other readers do not see the
/// messages meanwhile; if the command is interrupted, for a minute. Messages that another reader holds are not listed. Each
/// list raises the receive count of the messages.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream dead-letters list
  entity-stream dead-letters list --output json | jq -r '.[].kind' | sort | uniq -c")]
struct ListLetters {
    /// The form of the list
    #[arg(long, value_name = "FORM", value_enum, default_value_t = LettersOutput::Table)]
    output: LettersOutput,
    #[command(flatten)]
    queue: QueueOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LettersOutput {
    /// A table for people
    Table,
    /// A JSON array for programs
    Json,
    /// The ids of the messages, one per line
    Ids,
}

/// Print one message as JSON, with the values of its entity
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream dead-letters show 5f9c1d2e-3b4a-4c5d-8e6f-7a8b9c0d1e2f | jq .body")]
struct ShowLetter {
    /// The id of the message
    id: String,
    #[command(flatten)]
    queue: QueueOptions,
}

/// Deliver events again to the connections that still have to receive them
///
/// Invokes the broadcast function with each message's event, and deletes the message if the invocation succeeds. The rest of
/// an event goes to the connections that lack it. The event of a failed invocation goes to all of its connections, and clients
/// drop repeats by the event's id. Malformed events are not replayed. Other readers do not see the messages of the queue while
/// the command runs; if it is interrupted, for 15 minutes.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "\
entity-stream dead-letters replay <ID>... [OPTIONS]
       entity-stream dead-letters replay --all [OPTIONS]",
    after_help = "\
Examples:
  entity-stream dead-letters replay --all
  entity-stream dead-letters replay 5f9c1d2e-3b4a-4c5d-8e6f-7a8b9c0d1e2f \\
      --queue-url \"$QUEUE\" --function \"$BROADCAST_FUNCTION\""
)]
struct ReplayLetters {
    /// The ids of the messages
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// Replay all messages of the queue, up to 1,000
    #[arg(long)]
    all: bool,
    /// Replay malformed and unknown messages too
    #[arg(long)]
    force: bool,
    /// The name or the ARN of the broadcast function [default: that of the target]
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    #[command(flatten)]
    queue: QueueOptions,
}

/// Delete messages
///
/// Asks for confirmation on a terminal. `--all` deletes also the messages that another reader holds; SQS allows it once a
/// minute.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "\
entity-stream dead-letters purge <ID>... [OPTIONS]
       entity-stream dead-letters purge --all [OPTIONS]",
    after_help = "\
Examples:
  entity-stream dead-letters purge 5f9c1d2e-3b4a-4c5d-8e6f-7a8b9c0d1e2f
  entity-stream dead-letters purge --all --yes --queue-url \"$QUEUE\""
)]
struct PurgeLetters {
    /// The ids of the messages
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// Delete all messages of the queue
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    queue: QueueOptions,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    match args.command {
        DeadLettersCommand::List(list) => list.run().await,
        DeadLettersCommand::Show(show) => show.run().await,
        DeadLettersCommand::Replay(replay) => replay.run().await,
        DeadLettersCommand::Purge(purge) => purge.run().await,
    }
}

impl ListLetters {
    async fn run(&self) -> anyhow::Result<()> {
        let queue = self.queue.access().await?;
        let held = queue.receive(None, READING).await?;
        queue.give_back(held.iter()).await;
        match self.output {
            LettersOutput::Json => terminal::raw_line(&json(&held).to_string())?,
            LettersOutput::Ids => held.iter().try_for_each(|letter| terminal::raw_line(&letter.id))?,
            LettersOutput::Table if held.is_empty() => terminal::note("no dead letters found"),
            LettersOutput::Table => terminal::raw_line(&table(&held, Clock::system().now()))?,
        }
        if held.len() >= MOST {
            terminal::note(format!("only the first {} are listed", counted(held.len() as u64, "message")));
        }
        Ok(())
    }
}

impl ShowLetter {
    async fn run(&self) -> anyhow::Result<()> {
        let queue = self.queue.access().await?;
        let ids = std::slice::from_ref(&self.id);
        let held = queue.receive(Some(ids), READING).await?;
        queue.give_back(held.iter()).await;
        check_ids(&held, ids)?;
        let letter = held.iter().find(|letter| letter.id == self.id);
        letter.map_or(Ok(()), |letter| terminal::raw_line(&whole(letter)?))
    }
}

impl ReplayLetters {
    async fn run(&self) -> anyhow::Result<()> {
        let queue = self.queue.access().await?;
        let function = BroadcastFunction::new(&queue, self.function.as_deref())?;
        let (held, rest) = chosen(&queue, &self.ids, self.all).await?;
        queue.give_back(rest.iter()).await;
        if held.is_empty() {
            terminal::note("no dead letters found");
        }
        let (mut kept, mut skipped, mut failed) = (Vec::new(), 0_u64, 0_u64);
        // A reader that is gone does not end the work.
        let mut printed = Ok(());
        for letter in &held {
            match self.replay(&queue, &function, letter).await {
                Ok(Some(line)) => {
                    printed = printed.and(terminal::line(line));
                    continue;
                }
                Ok(None) => skipped += 1,
                Err(error) => {
                    failed += 1;
                    terminal::note(format!("{}: {error:#}", letter.id));
                }
            }
            kept.push(letter);
        }
        queue.give_back(kept.into_iter()).await;
        let all = counted(held.len() as u64, "message");
        if skipped > 0 {
            terminal::note(format!("{skipped} of {all} not replayed; --force replays them, `purge` deletes them"));
        }
        ensure!(failed == 0, "{failed} of {all} could not be replayed");
        printed
    }

    /// Replays a message and deletes it. Returns the result as a sentence, or nothing if the message is left alone.
    async fn replay(
        &self,
        queue: &QueueAccess,
        function: &BroadcastFunction<'_>,
        held: &HeldLetter,
    ) -> anyhow::Result<Option<String>> {
        let letter = held.letter();
        if let Some(reason) = letter.kind.useless_replay().filter(|_| !self.force) {
            terminal::note(format!("{} is not replayed: {reason}", held.id));
            return Ok(None);
        }
        let result = function.replay(letter.payload).await?;
        queue.delete(held).await.map_err(|error| anyhow!("it was replayed, but is still in the queue: {error:#}"))?;
        Ok(Some(format!("replayed {}: {}", held.id, described(result))))
    }
}

/// The counts of a replay as a sentence.
fn described(result: ReplayResult) -> String {
    let ReplayResult { matched, delivered, undeliverable, continued, duplicates } = result;
    let mut sentence = format!("delivered to {delivered} of {}", counted(matched, "connection"));
    if continued > 0 {
        sentence = format!("{sentence}, and the rest handed on");
    }
    if undeliverable > 0 {
        sentence = format!("{} put into the queue again", counted(undeliverable, "malformed event"));
    }
    if duplicates > 0 {
        sentence = format!("{sentence}; {} delivered a moment ago", counted(duplicates, "event"));
    }
    sentence
}

impl PurgeLetters {
    async fn run(&self) -> anyhow::Result<()> {
        let queue = self.queue.access().await?;
        if self.all {
            let messages = queue.count().await?;
            confirm_deletion(&format!("all messages (about {messages}) of {}", queue.url()), self.yes)?;
            queue.purge().await?;
            return terminal::line(format!("deleted {}", counted(messages, "message")));
        }
        confirm_deletion(&counted(self.ids.len() as u64, "message"), self.yes)?;
        let (held, rest) = chosen(&queue, &self.ids, false).await?;
        queue.give_back(rest.iter()).await;
        let mut printed = Ok(());
        for letter in &held {
            queue.delete(letter).await?;
            printed = printed.and(terminal::line(format!("deleted {}", letter.id)));
        }
        printed
    }
}

/// Receives the messages that a command names, and the others that came with them.
async fn chosen(queue: &QueueAccess, ids: &[String], all: bool) -> anyhow::Result<(Vec<HeldLetter>, Vec<HeldLetter>)> {
    let held = queue.receive((!all).then_some(ids), WORKING).await?;
    if let Err(error) = check_ids(&held, ids) {
        queue.give_back(held.iter()).await;
        return Err(error);
    }
    Ok(held.into_iter().partition(|letter| all || ids.contains(&letter.id)))
}
