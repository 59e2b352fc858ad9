mod banner;
pub(crate) mod bench;
mod closing;
mod columns;
pub(crate) mod completions;
mod connection_list;
pub(crate) mod connections;
pub(crate) mod context;
mod dead_letter_list;
pub(crate) mod dead_letters;
pub(crate) mod doctor;
mod inspect;
mod invitation;
mod key_list;
pub(crate) mod keys;
pub(crate) mod listen;
pub(crate) mod local;
pub(crate) mod man;
mod place;
pub(crate) mod publish;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod simulate;
pub(crate) mod state;
mod state_erase;
mod state_list;
mod state_table;
mod subscription_cell;
pub(crate) mod token;

use clap::Subcommand;

/// A command and its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Local(local::Args),
    Listen(listen::Args),
    Publish(publish::Args),
    Simulate(simulate::Args),
    Record(record::Args),
    Replay(replay::Args),
    Doctor(doctor::Args),
    Token(token::Args),
    Keys(keys::Args),
    Connections(connections::Args),
    State(state::Args),
    Context(context::Args),
    DeadLetters(dead_letters::Args),
    Bench(bench::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Runs a command to its end. `definition` is that of the whole command line.
pub(crate) async fn run(command: Command, definition: clap::Command) -> anyhow::Result<()> {
    match command {
        Command::Local(args) => local::run(args).await,
        Command::Listen(args) => listen::run(args).await,
        Command::Publish(args) => publish::run(args).await,
        Command::Simulate(args) => simulate::run(args).await,
        Command::Record(args) => record::run(args).await,
        Command::Replay(args) => replay::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Token(args) => token::run(args).await,
        Command::Keys(args) => keys::run(args).await,
        Command::Connections(args) => connections::run(args).await,
        Command::State(args) => state::run(args).await,
        Command::Context(args) => context::run(&args),
        Command::DeadLetters(args) => dead_letters::run(args).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Man(args) => man::run(&args, definition),
        Command::Completions(args) => completions::run(&args, definition),
    }
}
