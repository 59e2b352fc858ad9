use clap::Parser;
use clap::builder::Styles;
use clap::builder::styling::AnsiColor;

use crate::commands::Command;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Stream entity changes from an event bus to WebSocket clients
#[derive(Debug, Parser)]
#[command(
    name = "entity-stream",
    version,
    styles = STYLES,
    max_term_width = 110,
    arg_required_else_help = true,
    after_help = "\
Try it:
  entity-stream local --simulate demo   run the whole system with a simulated city
  entity-stream listen demo             print its changes, in a second terminal"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_readme_lists_each_command() {
        let readme = include_str!("../../../README.md");
        let (_, section) = readme.split_once("\n## Commands\n").unwrap();
        let rows = section.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with("| `"));
        let mut listed: Vec<_> = rows.filter_map(|row| row.split('`').nth(1)).skip(1).collect();
        let definition = Cli::command();
        let mut commands: Vec<_> = definition.get_subcommands().map(clap::Command::get_name).collect();
        listed.sort_unstable();
        commands.sort_unstable();
        assert_eq!(listed, commands);
    }

    #[test]
    fn no_token_is_shown() {
        let cli = Cli::try_parse_from(["entity-stream", "listen", "demo", "--token", "eyJsecret"]).unwrap();
        assert!(!format!("{cli:?}").contains("eyJsecret"));
    }
}
