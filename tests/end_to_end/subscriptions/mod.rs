//! Several subscriptions on one connection.

mod frames;
mod interleavings;
mod memberships;
mod opening;
mod original;
mod views;

use serde_json::Value;

/// An answer without its place in the history, which differs from run to run.
fn without_place(mut answer: Value) -> Value {
    let fields = answer.as_object_mut().unwrap();
    fields.remove("position");
    fields.remove("session");
    answer
}
