//! Keeps a copy of all entities of the tenant `demo`. For each line of its input it prints one line: the entities, by id.
//! `clients/conformance/mirrors` runs it beside the programs of the other clients.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the program answers on its standard output")]

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::time::Duration;

use entity_stream_client::{Client, EntitiesItem, Filter, StreamTiming};
use serde_json::json;
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = env::var("MIRROR_TOKEN_FILE")?;
    let mut timing = StreamTiming::default();
    timing.rotate_after = Duration::from_millis(env::var("MIRROR_ROTATE_MS")?.parse()?);
    timing.drain = Duration::from_secs(1);
    timing.ping = Duration::from_secs(5);
    timing.pong = Duration::from_secs(3);
    timing.longest_delay = Duration::from_secs(2);
    let client = Client::builder(env::var("MIRROR_URL")?, "demo")
        .token_source(move || {
            let file = file.clone();
            async move { std::fs::read_to_string(file).map(|token| token.trim().to_owned()) }
        })
        .timing(timing)
        .build()?;
    let mut entities = client.entities(Filter::default())?;
    let mut lines = lines();
    loop {
        tokio::select! {
            item = entities.try_next() => match item? {
                Some(EntitiesItem::Disconnected { error, .. }) => eprintln!("waiting {error}"),
                Some(EntitiesItem::Complete) => eprintln!("connected"),
                Some(_) => {}
                None => return Ok(()),
            },
            line = lines.recv() => {
                if line.is_none() {
                    return Ok(());
                }
                let held: BTreeMap<_, _> =
                    entities.iter().map(|each| (each.id(), json!({ "type": each.types(), "data": each.data() }))).collect();
                println!("{}", json!({ "complete": entities.is_complete(), "entities": held }));
            }
        }
    }
}

/// The lines of the input. They end with it.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    lines
}
