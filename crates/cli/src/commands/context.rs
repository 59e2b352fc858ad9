use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use serde_json::json;

use crate::commands::columns::columns;
use crate::system::{ContextFile, ContextName, StackOutput, StackOutputs, StoredContext, TargetOption};
use crate::{logs, terminal};

/// The longest document that is read, in bytes.
const DOCUMENT_BYTES: u64 = 1024 * 1024;

/// Keep the addresses of systems under names
///
/// A context has the outputs of a deployed stack, or the URL of a local system. With `--target NAME`, the stream, the event bus,
/// the `@connections` endpoint, the tables, the dead-letter queue and the signing secret of a command follow from it. The file of
/// contexts is in your configuration folder. It holds no credential.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sam list stack-outputs --stack-name entity-stream --output json \\
      | entity-stream context add prod --from -
  entity-stream listen demo --target prod
  entity-stream context use prod
  entity-stream context use local
  entity-stream context list")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: ContextCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ContextCommand {
    Add(AddContext),
    List(ListContexts),
    Show(ShowContext),
    Use(UseContext),
    Remove(RemoveContext),
}

/// Add a context, or replace the one with this name
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "\
entity-stream context add <NAME> --from <FILE> [OPTIONS]
       entity-stream context add <NAME> --url <URL> [OPTIONS]",
    after_help = "\
Examples:
  sam list stack-outputs --stack-name entity-stream --output json \\
      | entity-stream context add prod --from -
  aws cloudformation describe-stacks --stack-name entity-stream \\
      | entity-stream context add prod --profile work --from -
  entity-stream context add second --url http://localhost:3100"
)]
struct AddContext {
    /// The name of the context
    name: ContextName,
    /// Read the outputs of a stack from this file, or from standard input if `-`: the JSON that `sam list stack-outputs` or
    /// `aws cloudformation describe-stacks` prints
    #[arg(long, value_name = "FILE", required_unless_present = "url", conflicts_with = "url")]
    from: Option<PathBuf>,
    /// The URL of a local system, or the wss:// URL of a stream whose outputs you do not have
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The AWS profile with the credentials for the system; the file keeps only this name
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The region of the system [default: the region in the outputs]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

/// List the contexts; a `*` marks the one in use
#[derive(Debug, clap::Args)]
struct ListContexts {
    /// The form of the list
    #[arg(long, value_name = "FORM", value_enum, default_value_t = ContextsOutput::Table)]
    output: ContextsOutput,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ContextsOutput {
    /// A table for people
    Table,
    /// A JSON array for programs
    Json,
}

/// Print a context as JSON: the one with this name, or the one in use
#[derive(Debug, clap::Args)]
struct ShowContext {
    /// The name of the context [default: the one in use]
    name: Option<ContextName>,
}

/// Use a context in each command without --target
///
/// ENTITY_STREAM_URL takes precedence over the context in use. `context use local` goes back to the local system.
#[derive(Debug, clap::Args)]
struct UseContext {
    /// The name of the context, or `local` for the local system
    name: ContextName,
}

/// Remove a context
#[derive(Debug, clap::Args)]
struct RemoveContext {
    /// The name of the context
    name: ContextName,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    match &args.command {
        ContextCommand::Add(add) => add.run(),
        ContextCommand::List(list) => list.run(),
        ContextCommand::Show(show) => show.run(),
        ContextCommand::Use(used) => {
            ContextFile::change(|file| file.set_in_use(&used.name))?;
            let name = &used.name;
            terminal::line(format!("commands without --target use {name}"))
        }
        ContextCommand::Remove(RemoveContext { name }) => {
            let was_in_use = ContextFile::change(|file| {
                let was_in_use = file.in_use() == Some(name);
                file.remove(name)?;
                Ok(was_in_use)
            })?;
            terminal::line(format!("removed {name}"))?;
            if was_in_use {
                terminal::note("Commands without --target use the local system now.");
            }
            Ok(())
        }
    }
}

impl AddContext {
    fn run(&self) -> anyhow::Result<()> {
        let context = self.context()?;
        let (name, url) = (&self.name, context.shown_url().to_owned());
        let missing: Vec<_> = match &self.from {
            Some(_) => StackOutput::ALL.into_iter().filter(|output| context.outputs.get(*output).is_none()).collect(),
            None => Vec::new(),
        };
        let replaced = ContextFile::change(|file| Ok(file.add(name.clone(), context)))?;
        let url = terminal::shown_url(&url);
        terminal::line(format!("{} {name}: {url}", if replaced { "replaced" } else { "added" }))?;
        if !missing.is_empty() {
            let missing: Vec<_> = missing.into_iter().map(StackOutput::as_str).collect();
            terminal::note(format!("The stack has no output {}.", missing.join(", ")));
        }
        Ok(())
    }

    fn context(&self) -> anyhow::Result<StoredContext> {
        let (profile, region) = (self.profile.clone(), self.region.clone());
        match (&self.from, &self.url) {
            (Some(path), _) => {
                let text = document(path)?;
                let (outputs, found) =
                    StackOutputs::parse(&text).with_context(|| format!("--from: {} is unusable", name_of(path)))?;
                Ok(StoredContext { url: None, region: region.or(found), profile, outputs })
            }
            (None, Some(url)) => {
                let system = TargetOption::of_url(url)?;
                let for_aws = profile.is_some() || region.is_some();
                ensure!(
                    system.deployed().is_some() || !for_aws,
                    "--profile and --region are for AWS, and {url} is a local system; leave them out"
                );
                Ok(StoredContext { url: Some(url.clone()), region, profile, outputs: StackOutputs::default() })
            }
            (None, None) => bail!("pass --from or --url"),
        }
    }
}

/// The text of a file or of standard input.
fn document(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        terminal::note_typing();
        std::io::stdin().lock().take(DOCUMENT_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(DOCUMENT_BYTES).read_to_string(&mut text))
    };
    read.with_context(|| format!("cannot read {}", name_of(path)))?;
    Ok(text)
}

fn name_of(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

impl ListContexts {
    fn run(&self) -> anyhow::Result<()> {
        let file = ContextFile::read()?;
        let is_used = |name: &ContextName| file.in_use() == Some(name);
        match self.output {
            ContextsOutput::Json => {
                let contexts: Vec<_> = file
                    .all()
                    .map(|(name, context)| json!({ "name": name, "inUse": is_used(name), "context": context }))
                    .collect();
                terminal::raw_line(&serde_json::to_string(&contexts)?)
            }
            ContextsOutput::Table if file.all().next().is_none() => {
                terminal::note("no contexts; `entity-stream context add` adds one");
                Ok(())
            }
            ContextsOutput::Table => {
                let row = |(name, context): (&ContextName, &StoredContext)| {
                    let mark = if is_used(name) { "*" } else { "" };
                    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
                    let (region, profile) = (or_dash(&context.region), or_dash(&context.profile));
                    [mark.to_owned(), name.to_string(), region, profile, context.shown_url().to_owned()]
                };
                terminal::raw_line(&columns(["", "NAME", "REGION", "PROFILE", "URL"], file.all().map(row)))
            }
        }
    }
}

impl ShowContext {
    fn run(&self) -> anyhow::Result<()> {
        let file = ContextFile::read()?;
        let Some(name) = self.name.as_ref().or(file.in_use()) else {
            bail!("no context is in use; pass a name, or choose one with `entity-stream context use`")
        };
        match file.get(name) {
            Some(context) => terminal::raw_line(&serde_json::to_string_pretty(context)?),
            None if name.is_local() => terminal::raw_line(r#"{"url": "http://localhost:3000"}"#),
            None => bail!("{} (in {})", file.unknown(&name.to_string()), file.shown()),
        }
    }
}
