use std::fs::create_dir_all;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;

use crate::terminal;

/// Print the manual page, or write the pages of all commands to a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream man | man -l -
  entity-stream man ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// The folder for a page of each command, such as entity-stream-listen.1; it is created if it does not exist
    folder: Option<PathBuf>,
}

/// Writes the pages for this definition of the command line.
pub(crate) fn run(args: &Args, definition: clap::Command) -> anyhow::Result<()> {
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(definition).render(&mut page)?;
        let mut stdout = std::io::stdout().lock();
        return terminal::written(stdout.write_all(&page).and_then(|()| stdout.flush()));
    };
    let written = create_dir_all(folder).and_then(|()| clap_mangen::generate_to(definition, folder));
    written.with_context(|| format!("cannot write the manual pages to {}", folder.display()))
}
