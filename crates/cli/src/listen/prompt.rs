use std::ops::ControlFlow;
use std::path::Path;

use clap::{CommandFactory, Parser};
use entity_stream_client::{EntityStream, InvalidSubscriptions};
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
    /// The names after the request that is under way.
    next: Option<Vec<SubscriptionName>>,
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
        Ok(Self { lines: Some(Lines::open(Path::new("-"))?), names, next: None })
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
            if let Some(line) = lines.next().await {
                return line.text.unwrap_or_default();
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
            "clear" => Some(Vec::new()),
            line => shlex::split(line),
        };
        match words {
            None => note("the line has an open quotation mark"),
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
        if let Some(form) = options.output {
            if form == EventOutput::Cloudevents {
                return Err("--output cloudevents has to be chosen at the start of the command".to_owned());
            }
            *output = form;
            if is_only_output {
                return Ok(());
            }
        }
        let wanted = options.subscriptions.subscriptions().map_err(|error| error.to_string())?;
        let WantedSubscriptions { subscriptions, snapshots } = wanted;
        let names = subscriptions.iter().map(|subscription| subscription.name.clone()).collect();
        let requested = if snapshots.is_empty() {
            stream.subscribe(subscriptions)
        } else {
            stream.subscribe_with_snapshot(subscriptions)
        };
        requested.map_err(|error: InvalidSubscriptions| error.to_string())?;
        self.next = Some(names);
        Ok(())
    }

    /// The server accepted the new subscriptions. Removes the others.
    pub(super) fn accepted(&mut self, stream: &mut EntityStream) {
        let Some(next) = self.next.take() else { return };
        for name in std::mem::replace(&mut self.names, next) {
            if !self.names.contains(&name) {
                // It is gone already, if the server says so.
                let _ = stream.unsubscribe(name);
            }
        }
        note("the filter is in force");
    }

    /// The server refused the new subscriptions.
    pub(super) fn refused(&mut self, reason: &str) {
        self.next = None;
        note(format!("the server refused the filter: {reason}; the former one stays in force"));
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
