//! The command `entity-stream`: runs the whole system on one machine, listens to a stream, publishes to it, simulates a
//! city in it, and creates tokens and API keys for its clients.

mod arguments;
mod aws;
mod bench;
mod bus;
mod cli;
mod client;
mod commands;
mod confirmation;
mod credential;
mod doctor;
mod dpop_key_file;
mod forwarding;
mod https;
mod interrupt;
mod lifetime;
mod listen;
mod logs;
mod narrow_terminal;
mod private_file;
mod progress;
mod queue;
mod recording;
mod refusal;
mod small_file;
mod subscription;
mod system;
mod terminal;
mod token;
mod usage;
mod usage_error;

use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match usage::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return terminal::failure(&anyhow::Error::new(error).context("cannot start the runtime")),
    };
    let result = runtime.block_on(commands::run(cli.command, Cli::command()));
    // The lookup of a name cannot be cancelled. Waiting for it would take until the resolver gives up.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => terminal::failure(&error),
    }
}
