//! The history in a data file outlives the process, as a deployment of the functions leaves the table alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use entity_stream_local::{Config, FunctionHost, FunctionNames, Local, Times};
use entity_stream_runtime::Environment;
use serde_json::{Value, json};

use super::place::Place;
use crate::harness::{Endpoint, Hands, Reply, System, config, room};

fn data(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("table.db")
}

/// A system on a data file, with a clock that the test moves.
fn on(data: &Path, hands: &Hands, minutes: &'static str) -> Config {
    let environment = Environment::new(move |name| (name == "HISTORY_MINUTES").then(|| minutes.to_owned()));
    Config { data: Some(data.to_owned()), environment, clock: hands.clock(), ..config() }
}

async fn resume(system: &System, place: &mut Place) -> Value {
    let mut client = system.connect("tenant=demo").await;
    place.resume(&mut client).await
}

#[tokio::test]
async fn a_client_resumes_on_the_system_after_this_one() {
    let (folder, hands) = (tempfile::tempdir().unwrap(), Hands::default());
    let mut place = Place::default();
    let mut published = std::collections::BTreeSet::new();
    for round in 0..3 {
        let system = System::start_with(on(&data(&folder), &hands, "60")).await;
        // Before the client is back.
        published.insert(system.publish(&room("demo", "early")).await);
        system.local.settled().await;
        let mut client = system.connect("tenant=demo").await;
        if round == 0 {
            place.ask(&mut client, &json!({ "action": "subscribe", "since": { "seconds": 10 } })).await;
        } else {
            let answer = place.resume(&mut client).await;
            assert_eq!(answer["recovered"], true, "{answer}");
        }
        published.insert(system.publish(&room("demo", "live")).await);
        place.receive(&mut client, published.len()).await;
        assert_eq!(place.seen, published);
        // Accepted events are delivered while the system stops, to no connection.
        drop(client);
        system.until_no_connection_is_registered().await;
        published.insert(system.publish(&room("demo", "late")).await);
        system.local.shutdown().await;
        hands.forward(60);
    }
}

/// The next system does not know the events published to this one.
#[tokio::test]
async fn a_history_in_memory_ends_with_the_process() {
    let hands = Hands::default();
    let start = async || System::start_with(Config { clock: hands.clock(), ..config() }).await;
    let system = start().await;
    let mut client = system.connect("tenant=demo").await;
    let mut place = Place::of(&mut client).await;
    drop(client);
    system.publish(&room("demo", "missed")).await;
    system.local.shutdown().await;
    hands.forward(1);
    let system = start().await;
    let answer = resume(&system, &mut place).await;
    assert_eq!((&answer["recovered"], &answer["reason"]), (&json!(false), &json!("unavailable")), "{answer}");
    // The client's position in this system is worth resuming from at once.
    let answer = resume(&system, &mut place).await;
    assert_eq!((&answer["recovered"], &answer["replayed"]), (&json!(true), &json!(0)), "{answer}");
}

/// The next system cannot know which clients missed them.
#[tokio::test]
async fn events_that_a_system_left_undelivered_begin_a_new_epoch() {
    for is_killed in [false, true] {
        let (folder, hands) = (tempfile::tempdir().unwrap(), Hands::default());
        let start = async || System::start_with(on(&data(&folder), &hands, "60")).await;
        let system = start().await;
        let mut client = system.connect("tenant=demo").await;
        let mut place = Place::of(&mut client).await;
        system.local.shutdown().await;

        let system = System::start_with(broken(on(&data(&folder), &hands, "60")).await).await;
        system.publish(&room("demo", "lost")).await;
        if is_killed {
            drop(system);
        } else {
            system.local.shutdown().await;
        }

        // A start that fails does not hide it.
        let invalid = Local::start(on(&data(&folder), &hands, "an hour")).await.unwrap_err().to_string();
        assert!(invalid.contains("HISTORY_MINUTES"), "{invalid}");
        hands.forward(1);
        let system = start().await;
        let answer = resume(&system, &mut place).await;
        assert_eq!((&answer["recovered"], &answer["reason"]), (&json!(false), &json!("unavailable")), "{answer}");
        // From then on the history is whole again, after the overlap.
        hands.forward(16);
        let mut client = system.connect("tenant=demo").await;
        let mut place = Place::of(&mut client).await;
        let id = system.publish(&room("demo", "r")).await;
        place.receive(&mut client, 1).await;
        system.local.shutdown().await;
        let system = start().await;
        place.seen.clear();
        let answer = resume(&system, &mut place).await;
        assert_eq!((&answer["recovered"], place.seen.contains(&id)), (&json!(true), true), "{answer}");
    }
}

/// A system whose functions do not work, and that does not wait for them.
async fn broken(config: Config) -> Config {
    let lambda = Endpoint::script([Reply::status(500)]).await;
    let functions = FunctionHost::Lambda { endpoint: lambda.url, names: FunctionNames::default() };
    let times = Times { retry_delays: vec![Duration::from_secs(3600)], ..Times::default() };
    Config { functions, times, drain: Duration::from_millis(50), ..config }
}

/// Events that are published meanwhile are not written.
#[tokio::test]
async fn a_system_without_a_history_ends_the_epoch() {
    let (folder, hands) = (tempfile::tempdir().unwrap(), Hands::default());
    let system = System::start_with(on(&data(&folder), &hands, "60")).await;
    let mut client = system.connect("tenant=demo").await;
    let mut place = Place::of(&mut client).await;
    system.local.shutdown().await;
    let system = System::start_with(on(&data(&folder), &hands, "0")).await;
    system.publish(&room("demo", "unwritten")).await;
    system.local.settled().await;
    system.local.shutdown().await;

    hands.forward(20);
    let system = System::start_with(on(&data(&folder), &hands, "60")).await;
    let answer = resume(&system, &mut place).await;
    assert_eq!((&answer["recovered"], &answer["reason"]), (&json!(false), &json!("unavailable")), "{answer}");
}

/// Events kept for a shorter time may be gone.
#[tokio::test]
async fn a_history_of_another_length_begins_a_new_epoch() {
    let (folder, hands) = (tempfile::tempdir().unwrap(), Hands::default());
    let mut places: Vec<Place> = Vec::new();
    for (minutes, is_recovered) in [("10", true), ("10", true), ("60", false), ("5", false)] {
        let system = System::start_with(on(&data(&folder), &hands, minutes)).await;
        if !is_recovered {
            for place in &mut places {
                assert_eq!(resume(&system, place).await["reason"], "unavailable");
            }
            places.clear();
            hands.forward(20);
        }
        for place in &mut places {
            assert_eq!(resume(&system, place).await["recovered"], true, "{minutes} minutes");
        }
        let mut client = system.connect("tenant=demo").await;
        places.push(Place::of(&mut client).await);
        drop(client);
        system.local.shutdown().await;
        hands.forward(20);
    }
}
