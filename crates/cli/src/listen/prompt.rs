//! Invariant: at most one change of the filter is under way. Lines that follow it wait for its answer, because the subscriptions to
//! remove are those that were in force when the server accepted the new ones.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;

use clap::{CommandFactory, Parser};
use entity_stream_client::{EntityStream, InvalidSubscriptions, StreamState};
use entity_stream_protocol::SubscriptionName;

use crate::bus::Lines;
use crate::listen::sinks::EventOutput;
use crate::subscription::{SubscriptionArgs, WantedSubscriptions};
use crate::terminal::{note, usage};

/// Lines on standard input that change the filter and the form of the events while a listener runs.
#[derive(Debug)]
pub(crate) struct Prompt {
    /// `None` at the end of the input.
    lines: Option<Lines>,
    /// The names of the subscriptions in force.
    names: Vec<SubscriptionName>,
    /// The change that is under way.
    next: Option<PendingChange>,
    /// The lines that wait for its answer.
    waiting: VecDeque<String>,
}

/// A change of the subscriptions that the server has not answered.
#[derive(Debug)]
struct PendingChange {
    /// The names of the subscriptions after it.
    names: Vec<SubscriptionName>,
    /// True if a connection was being opened at that time. It opens with the former subscriptions.
    is_later: bool,
}

/// The options on a line.
#[derive(Debug, Parser)]
#[command(
    no_binary_name = true,
    disable_help_flag = true,
    disable_version_flag = true,
    override_usage = "options, which replace the filter; or `clear`, `help` or `quit`"
)]
struct PromptOptions {
    /// The form in which events are printed; alone on a line, it leaves the filter as it is
    #[arg(long, value_name = "FORM", value_enum)]
    output: Option<EventOutput>,
    #[command(flatten)]
    subscriptions: SubscriptionArgs,
}

impl Prompt {
    /// Reads standard input. `names` are those of the subscriptions in force.
    pub(crate) fn open(names: Vec<SubscriptionName>) -> anyhow::Result<Self> {
        Ok(Self { lines: Some(Lines::open(Path::new("-"))?), names, next: None, waiting: VecDeque::new() })
    }

    /// Explains the prompt.
    pub(super) fn greet(&self) {
        note(
            "Type options such as --entity-type Room --q 'temperature>25' to replace the filter, or clear, help or quit.",
        );
    }

    /// The next line. It is cancel safe.
    pub(super) async fn line(&mut self) -> String {
        if let Some(lines) = &mut self.lines {
            while let Some(line) = lines.next().await {
                match line.text {
                    Ok(text) => return text,
                    Err(reason) => note(format!("{reason}; the filter stays as it is")),
                }
            }
            self.lines = None;
        }
        std::future::pending().await
    }

    /// Carries out a line. Breaks if it ends the command.
    pub(super) fn apply(&mut self, line: &str, stream: &mut EntityStream, output: &mut EventOutput) -> ControlFlow<()> {
        let words = match line.trim() {
            "quit" | "exit" => return ControlFlow::Break(()),
            "help" | "?" => {
                usage(&PromptOptions::command().render_help().to_string());
                return ControlFlow::Continue(());
            }
            line if self.next.is_some() => {
                self.waiting.push_back(line.to_owned());
                return ControlFlow::Continue(());
            }
            "clear" => Some(Vec::new()),
            // A line without words, such as a comment, must not remove the filter.
            line => shlex::split(line).map(|words| if words.is_empty() { vec![line.to_owned()] } else { words }),
        };
        match words {
            None => note("the line has an open quotation mark; the filter stays as it is"),
            Some(words) => {
                if let Err(reason) = self.change(&words, stream, output) {
                    note(format!("{reason}; the filter stays as it is. `help` lists the options"));
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn change(&mut self, words: &[String], stream: &mut EntityStream, output: &mut EventOutput) -> Result<(), String> {
        let options = PromptOptions::try_parse_from(words).map_err(|error| first_line(&error.to_string()))?;
        let is_about_output = words.first().is_some_and(|word| word.starts_with("--output"));
        let is_only_output = is_about_output && words.len() == if words[0].contains('=') { 1 } else { 2 };
        let form = options.output.unwrap_or(*output);
        if options.output == Some(EventOutput::Cloudevents) {
            return Err("--output cloudevents has to be chosen at the start of the command".to_owned());
        }
        if is_only_output {
            *output = form;
            return Ok(());
        }
        let wanted = options.subscriptions.subscriptions().map_err(|error| error.to_string())?;
        let WantedSubscriptions { subscriptions, snapshots } = wanted;
        if !snapshots.is_empty() && snapshots.len() < subscriptions.len() {
            return Err("at the prompt, either all subscriptions of a line begin with a snapshot or none".to_owned());
        }
        let names = subscriptions.iter().map(|subscription| subscription.name.clone()).collect();
        let requested = if snapshots.is_empty() {
            stream.subscribe(subscriptions)
        } else {
            stream.subscribe_with_snapshot(subscriptions)
        };
        requested.map_err(|error: InvalidSubscriptions| error.to_string())?;
        *output = form;
        let is_later = matches!(stream.state(), StreamState::Connecting { .. } | StreamState::Subscribing { .. });
        self.next = Some(PendingChange { names, is_later });
        Ok(())
    }

    /// There is no connection any more. The next one opens with the new subscriptions.
    pub(super) fn disconnected(&mut self) {
        if let Some(next) = &mut self.next {
            next.is_later = false;
        }
    }

    /// A connection has opened. It has the new subscriptions, unless they were wanted later.
    pub(super) fn opened(&mut self, stream: &mut EntityStream, output: &mut EventOutput) {
        match &mut self.next {
            Some(next) if next.is_later => next.is_later = false,
            _ => self.accepted(stream, output),
        }
    }

    /// The server accepted the new subscriptions. Removes the others.
    pub(super) fn accepted(&mut self, stream: &mut EntityStream, output: &mut EventOutput) {
        let Some(next) = self.next.take() else { return };
        for name in std::mem::replace(&mut self.names, next.names) {
            if !self.names.contains(&name) {
                // It is gone already, if the server says so.
                let _ = stream.unsubscribe(name);
            }
        }
        note("the filter is in force");
        self.go_on(stream, output);
    }

    /// The server refused the new subscriptions.
    pub(super) fn refused(&mut self, reason: &str, stream: &mut EntityStream, output: &mut EventOutput) {
        self.next = None;
        note(format!("the server refused the filter: {reason}; the former one stays in force"));
        self.go_on(stream, output);
    }

    /// Carries out the lines that waited, up to the next change.
    fn go_on(&mut self, stream: &mut EntityStream, output: &mut EventOutput) {
        while self.next.is_none()
            && let Some(line) = self.waiting.pop_front()
        {
            // A line that ends the command does not wait.
            let _ = self.apply(&line, stream, output);
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
