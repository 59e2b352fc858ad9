//! A client whose token expires, and that returns with a new one.

use std::time::Duration;

use entity_stream_local::Config;
use serde_json::json;

use super::place::Place;
use crate::auth::{guarded_config, open, refused};
use crate::harness::tokens::user_until;
use crate::harness::{Hands, System, room};

#[tokio::test]
async fn a_client_that_returns_with_a_new_token_misses_nothing() {
    let hands = Hands::default();
    let system = System::start_with(Config { clock: hands.clock(), ..guarded_config(&[]) }).await;
    let token = |seconds| user_until("demo", "alice", hands.clock().now().plus(Duration::from_secs(seconds)));
    let first = token(60);
    let mut client = open(&system, "demo", &first).await.unwrap();
    let mut place = Place::of(&mut client).await;
    let mut published = vec![system.publish(&room("demo", "seen")).await];
    place.receive(&mut client, 1).await;

    hands.forward(61);
    published.push(system.publish(&room("demo", "closes")).await);
    let (code, _) = client.closed_at_once().await;
    assert_eq!(code, 1000, "@connections can close with 1000 only");
    published.push(system.publish(&room("demo", "missed")).await);
    system.local.settled().await;
    assert_eq!(place.seen.len(), 1, "nothing is delivered after the end of the token");

    assert_eq!(refused(&system, "demo", &first).await, 401);
    let mut client = open(&system, "demo", &token(60)).await.unwrap();
    published.push(system.publish(&room("demo", "meanwhile")).await);
    let answer = place.resume(&mut client).await;
    assert_eq!(answer["recovered"], json!(true), "{answer}");
    published.push(system.publish(&room("demo", "live")).await);
    place.receive(&mut client, published.len()).await;
    assert_eq!(place.seen, published.into_iter().collect());
}
