//! The conformance suite of all clients: this client against the scripted server, with every scenario.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod arguments;
mod program;
mod record;
mod runner;

use entity_stream_conformance::scenarios;
use futures_util::{StreamExt, stream};

/// The scenarios that are played at the same time.
const AT_ONCE: usize = 8;

/// `CONFORMANCE=drop` plays only scenarios with `drop` in the name of their file.
#[tokio::test(flavor = "multi_thread")]
async fn the_client_passes_every_scenario() {
    let wanted = std::env::var("CONFORMANCE").unwrap_or_default();
    let all = scenarios().unwrap().into_iter().filter(|(name, _)| name.contains(&wanted));
    let played = stream::iter(all).map(|(name, scenario)| {
        // A task of its own, so that one that panics does not end the others.
        let task = tokio::spawn(async move { runner::play(&scenario).await });
        async move { (name, task.await.unwrap_or_else(|error| Err(error.to_string()))) }
    });
    let results: Vec<_> = played.buffer_unordered(AT_ONCE).collect().await;
    let failures: Vec<_> = results
        .iter()
        .filter_map(|(name, result)| result.as_ref().err().map(|error| format!("{name}: {error}")))
        .collect();
    assert!(!results.is_empty());
    assert!(failures.is_empty(), "{} of {}\n{}", failures.len(), results.len(), failures.join("\n"));
}
