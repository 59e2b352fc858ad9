use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::Client;

/// The data that a client keeps while it is away: its place in the history, and the events that it has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) position: String,
    pub(crate) session: String,
    pub(crate) seen: BTreeSet<String>,
}

impl Place {
    /// The place of a client that has just come.
    pub(crate) async fn of(client: &mut Client) -> Self {
        let mut place = Self::default();
        let answer = place.ask(client, &json!({ "action": "subscribe", "requestId": "first" })).await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
        assert!(!place.position.is_empty() && !place.session.is_empty(), "{answer}");
        place
    }

    /// `since` of a client that comes back.
    pub(crate) fn since(&self) -> Value {
        json!({ "position": self.position, "session": self.session })
    }

    /// Resumes, and returns the answer.
    pub(crate) async fn resume(&mut self, client: &mut Client) -> Value {
        let since = self.since();
        self.ask(client, &json!({ "action": "subscribe", "since": since })).await
    }

    /// Sends a message and receives everything up to its answer, which is the first frame that is no event.
    pub(crate) async fn ask(&mut self, client: &mut Client, message: &Value) -> Value {
        client.send(message.to_string()).await;
        loop {
            let frame = client.json().await;
            if !self.take(&frame) {
                return frame;
            }
        }
    }

    /// Receives events until those of this number are there.
    pub(crate) async fn receive(&mut self, client: &mut Client, count: usize) {
        while self.seen.len() < count {
            let frame = client.json().await;
            assert!(self.take(&frame), "{frame}");
        }
    }

    /// Takes over a frame. Returns false if it is no event.
    pub(crate) fn take(&mut self, frame: &Value) -> bool {
        if let Some(events) = frame["events"].as_array() {
            return events.iter().all(|event| self.take(event));
        }
        if let Some(position) = frame["position"].as_str().filter(|position| *position > self.position.as_str()) {
            position.clone_into(&mut self.position);
        }
        if let Some(session) = frame["session"].as_str() {
            session.clone_into(&mut self.session);
        }
        let is_event = frame["entityId"].is_string();
        if is_event {
            self.seen.insert(frame["id"].as_str().unwrap().to_owned());
        }
        is_event
    }
}
