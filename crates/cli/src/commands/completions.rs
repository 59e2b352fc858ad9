use std::io::Write;

use clap_complete::Shell;

use crate::terminal;

/// Print the completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream completions bash \\
      > ~/.local/share/bash-completion/completions/entity-stream
  entity-stream completions zsh > \"${fpath[1]}/_entity-stream\"
  entity-stream completions fish \\
      > ~/.config/fish/completions/entity-stream.fish")]
pub(crate) struct Args {
    /// The shell to complete in
    shell: Shell,
}

/// Prints the script for this definition of the command line.
pub(crate) fn run(args: &Args, mut definition: clap::Command) -> anyhow::Result<()> {
    // `generate` panics on a writer that fails, such as a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition, "entity-stream", &mut script);
    let mut script = String::from_utf8(script)?;
    if args.shell == Shell::Bash {
        // clap_complete 4.6 writes a name with a hyphen in two ways, so that no subcommand would be found.
        script = script.replace("entity__subcmd__stream", "entity__stream");
    }
    let mut stdout = std::io::stdout().lock();
    terminal::written(stdout.write_all(script.as_bytes()).and_then(|()| stdout.flush()))
}
