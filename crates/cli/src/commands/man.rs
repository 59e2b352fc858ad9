use std::fs::create_dir_all;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap_mangen::Man;
use roff::{Roff, roman};

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
    let mut definition = definition.disable_help_subcommand(true);
    // The names of the pages of subcommands.
    definition.build();
    let Some(folder) = &args.folder else {
        let page = page(definition)?;
        let mut stdout = io::stdout().lock();
        return terminal::written(stdout.write_all(&page).and_then(|()| stdout.flush()));
    };
    let written = create_dir_all(folder).and_then(|()| write_pages(definition, folder));
    written.with_context(|| format!("cannot write the manual pages to {}", folder.display()))
}

fn write_pages(definition: clap::Command, folder: &Path) -> io::Result<()> {
    for subcommand in definition.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        write_pages(subcommand.clone(), folder)?;
    }
    let name = Man::new(definition.clone()).get_filename();
    std::fs::write(folder.join(name), page(definition)?)
}

/// A page of one command.
fn page(definition: clap::Command) -> io::Result<Vec<u8>> {
    let examples = definition.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut page = Vec::new();
    // `Man` would join the lines of examples, and leave out the descriptions of options that `-h` does not list.
    let definition = definition.after_help(None::<&str>).mut_args(|argument| argument.hide_short_help(false));
    Man::new(definition).render(&mut page)?;
    sections(&examples).to_writer(&mut page)?;
    Ok(page)
}

/// The text after the options: a section for each line such as `Examples:`, whose lines are kept as they are.
fn sections(text: &str) -> Roff {
    let mut page = Roff::new();
    for paragraph in text.split("\n\n") {
        let mut lines = paragraph.lines().peekable();
        match lines.peek().and_then(|line| line.strip_suffix(':')).filter(|heading| !heading.contains([' ', ';'])) {
            Some(heading) => {
                page.control("SH", [heading.to_uppercase().as_str()]);
                lines.next();
            }
            None => {
                page.control("PP", []);
            }
        }
        let mut is_filled = true;
        for line in lines {
            if line.starts_with(' ') == is_filled {
                page.control(if is_filled { "nf" } else { "fi" }, []);
                is_filled = !is_filled;
            }
            page.text([roman(line)]);
        }
        if !is_filled {
            page.control("fi", []);
        }
    }
    page
}
