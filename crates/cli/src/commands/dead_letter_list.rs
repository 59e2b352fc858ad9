use entity_stream_protocol::EpochMillis;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::commands::columns::{cell, columns};
use crate::lifetime::roughly;
use crate::queue::HeldLetter;
use crate::terminal::printable;

const TITLES: [&str; 6] = ["ID", "AGE", "KIND", "TENANT", "EVENT", "REASON"];

/// The messages for programs, without values of entities.
pub(super) fn json(held: &[HeldLetter]) -> Value {
    held.iter().map(summary).collect()
}

fn summary(held: &HeldLetter) -> Value {
    let letter = held.letter();
    json!({
        "id": held.id,
        "sentAt": held.sent_at.to_rfc3339(),
        "kind": letter.kind,
        "errorCode": letter.code,
        "reason": letter.reason(),
        "attempts": letter.attempts,
        "tenant": letter.tenant,
        "eventId": letter.event_id,
        "events": letter.events,
        "replayable": letter.kind.useless_replay().is_none(),
    })
}

/// The messages for people, without values of entities.
pub(super) fn table(held: &[HeldLetter], now: EpochMillis) -> String {
    columns(TITLES, held.iter().map(|held| row(held, now)))
}

fn row(held: &HeldLetter, now: EpochMillis) -> [String; 6] {
    let letter = held.letter();
    let shown = |name: Option<&str>| name.map_or_else(|| "-".to_owned(), cell);
    let more = if letter.events > 1 { format!(" and {} more", letter.events - 1) } else { String::new() };
    let reason = match (letter.code.as_str(), letter.reason()) {
        ("", reason) => reason,
        (code, reason) => format!("{code}: {reason}"),
    };
    [
        held.id.clone(),
        roughly(now.since(held.sent_at)),
        letter.kind.as_str().to_owned(),
        shown(letter.tenant.as_deref()),
        format!("{}{more}", shown(letter.event_id.as_deref())),
        // The last column may be wide.
        printable(&reason).into_owned(),
    ]
}

/// A whole message, with the values of its entity. The body stays as it was sent, byte for byte, if it is JSON.
pub(super) fn whole(held: &HeldLetter) -> serde_json::Result<String> {
    let mut summary = summary(held);
    let body = match serde_json::from_str::<&RawValue>(&held.body) {
        Ok(body) => body.get().to_owned(),
        Err(_) => serde_json::to_string(&held.body)?,
    };
    summary["attributes"] = json!(held.attributes);
    let text = serde_json::to_string(&summary)?;
    Ok(format!(r#"{},"body":{body}}}"#, text.strip_suffix('}').unwrap_or(&text)))
}
