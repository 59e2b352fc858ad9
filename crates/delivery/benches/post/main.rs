//! Measures the CPU time of one message to one connection, with and without TLS. The contenders are this crate, unsigned HTTP
//! by `hyper` as the floor, the AWS SDK for Rust, and the AWS SDK for JavaScript on Node.js.
//!
//! Run it with `cargo bench -p entity-stream-delivery --bench post`. The figures are in `BENCHMARKS.md`.
//!
//! Each contender and the endpoint are processes of their own. The benchmark reads their CPU time from outside, in the same
//! way for all of them, before and after each batch of messages.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the benchmark prints its figures")]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that panics has failed")]

mod certificate;
mod contender;
mod endpoint;
mod node;
mod process;

use std::path::Path;
use std::process::Command;

use crate::certificate::Certificate;
use crate::process::Process;

/// The messages of one batch.
const MESSAGES: usize = 10_000;
/// The number of batches. The median counts.
const ROUNDS: usize = 5;
const CONCURRENCY: usize = 64;
const SIZES: [usize; 2] = [300, 8 * 1024];

/// Goal: the CPU time of this crate is at most this many times the floor.
const MOST_OF_FLOOR: f64 = 2.0;
/// Goal: the CPU time of Node.js is at least this many times that of this crate.
const LEAST_OF_NODE: f64 = 12.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["endpoint", certificate] => endpoint::serve(Some(Path::new(certificate))),
        ["endpoint"] => endpoint::serve(None),
        ["contender", name, url] => contender::run(name, url),
        _ => compare(),
    }
}

fn compare() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::create(folder.path());
    let script = node::script();
    println!("CPU per message in µs, median of {ROUNDS} rounds of {MESSAGES} messages, {CONCURRENCY} at once");
    println!("                 unsigned hyper  ours            SDK for Rust    SDK for Node.js  Node.js / ours");
    let mut missed = Vec::new();
    for (transport, certificate) in [("plain", None), ("TLS", Some(&certificate))] {
        let endpoint = Process::start(own_executable().arg("endpoint").args(certificate.map(Certificate::folder)));
        let url = endpoint.line();
        let mut contenders: Vec<Process> = ["hyper", "ours", "sdk"]
            .into_iter()
            .map(|name| {
                let mut command = own_executable();
                command.args(["contender", name, &url]);
                Process::start(Certificate::trust(&mut command, certificate))
            })
            .collect();
        if let Some(script) = &script {
            let mut command = Command::new("node");
            // Without this variable the SDK warns about the end of its support for each version of Node.js.
            command.arg(script).args([&url, &CONCURRENCY.to_string()]).env("NODE_NO_WARNINGS", "1");
            contenders.push(Process::start(Certificate::trust(&mut command, certificate)));
        }
        for size in SIZES {
            let medians = measure(&contenders, size);
            let (floor, ours) = (medians[0], medians[1]);
            print!("{transport:<6} {size:>5} B ");
            for median in &medians {
                print!("  {median:>6.1} {:<7}", format!("({:.2})", median / floor));
            }
            println!("  {}", medians.get(3).map_or("not measured".to_owned(), |node| format!("{:.1}", node / ours)));
            if ours > MOST_OF_FLOOR * floor {
                missed.push(format!("{transport}, {size} B: ours is {:.2} times the floor", ours / floor));
            }
            if let Some(node) = medians.get(3).filter(|node| **node < LEAST_OF_NODE * ours) {
                missed.push(format!("{transport}, {size} B: Node.js is {:.1} times ours", node / ours));
            }
        }
    }
    if script.is_none() {
        println!("the SDK for Node.js was not measured: install `node` and `npm`");
    }
    println!("goals: at most {MOST_OF_FLOOR} times the floor, and Node.js at least {LEAST_OF_NODE} times ours");
    for miss in missed {
        println!("  missed: {miss}");
    }
}

/// Returns the microseconds for a message of this size, for each contender. The contenders take turns, so that other load on
/// the machine affects all of them equally.
fn measure(contenders: &[Process], size: usize) -> Vec<f64> {
    let batch = format!("{MESSAGES} {size}");
    // The first batch opens connections and warms up a just-in-time compiler.
    for contender in contenders {
        contender.ask(&batch);
    }
    let mut times = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, times) in contenders.iter().zip(&mut times) {
            let before = contender.cpu();
            contender.ask(&batch);
            let spent = contender.cpu() - before;
            times.push(spent.as_secs_f64() * 1e6 / f64::from(u32::try_from(MESSAGES).unwrap()));
        }
    }
    times.into_iter().map(median).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn own_executable() -> Command {
    Command::new(std::env::current_exe().unwrap())
}
