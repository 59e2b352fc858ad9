//! The command `entity-stream`: run the whole system on one machine, listen to it, publish to it, simulate a city in it,
//! and hand out tokens and keys to those who may listen.

mod aws;
mod bus;
mod cli;
mod commands;
mod doctor;
mod interrupt;
mod lifetime;
mod logs;
mod progress;
mod stream;
mod terminal;
mod token;
mod usage;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match usage::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return terminal::failure(&anyhow::Error::new(error).context("cannot start the runtime")),
    };
    let result = runtime.block_on(commands::run(cli.command));
    // The lookup of a name cannot be cancelled; waiting for it would hang until the resolver gives up.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => terminal::failure(&error),
    }
}
