use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::terminal;

/// Print a shell's completion script
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream completions bash \\
      > ~/.local/share/bash-completion/completions/entity-stream
  entity-stream completions zsh > \"${fpath[1]}/_entity-stream\"
  entity-stream completions fish \\
      > ~/.config/fish/completions/entity-stream.fish")]
pub(crate) struct Args {
    /// The shell that will read it
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    // Written in one piece: `generate` panics on a writer that fails, and a closed pipe is no reason to panic.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "entity-stream", &mut script);
    let mut stdout = std::io::stdout().lock();
    terminal::written(stdout.write_all(&script).and_then(|()| stdout.flush()))
}
