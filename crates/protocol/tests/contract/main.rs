//! The types of the contract agree with its documents, `docs/protocol.md` and the JSON Schemas in `docs/schemas`.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod client_messages;
mod documentation;
mod entity_changes;
mod entity_state;
mod history;
mod limits;
mod round_trips;
mod schemas;
mod server_messages;
mod subscriptions;
