//! The messages of an event.
//!
//! Invariant: connections that want an event in the same form share one message, which is written when the first of them needs
//! it. The messages that are kept have at most 8 MB together; beyond that, each is written again for each connection, so that
//! however many forms a tenant's clients ask for, they take no more memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use entity_stream_delivery::Message;
use entity_stream_protocol::{Event, Format, MessageForm, SubscriptionName, View};

/// The most bytes of kept messages of one event.
const KEPT_BYTES: usize = 8 * 1024 * 1024;
/// The most data of which a message is written without a turn. 64 such messages, as many as are sent at once by default, take a
/// millisecond together.
const LIGHT_BYTES: usize = 4 * 1024;

/// A [`MessageForm`] with the view as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) format: Format,
    /// The JSON of the view; empty for the default view.
    pub(crate) view: String,
    /// The names of the subscriptions, sorted. Empty if the connection has only the default subscription.
    pub(crate) subscriptions: Vec<SubscriptionName>,
    /// The entity left the subscriptions.
    pub(crate) has_left: bool,
}

impl Form {
    fn read(&self) -> MessageForm {
        let view = if self.view.is_empty() { Ok(View::default()) } else { serde_json::from_str(&self.view) };
        let view = view.inspect_err(|error| tracing::error!(%error, "a stored view cannot be read"));
        MessageForm {
            format: self.format,
            view: view.unwrap_or_default(),
            subscriptions: self.subscriptions.clone(),
            has_left: self.has_left,
        }
    }
}

/// The messages of one event.
#[derive(Debug)]
pub(crate) struct Messages<'a> {
    event: &'a Event,
    whole: Mutex<WrittenMessages>,
    truncated: Mutex<WrittenMessages>,
}

#[derive(Debug, Default)]
struct WrittenMessages {
    messages: HashMap<Form, Arc<Message>>,
    bytes: usize,
}

impl<'a> Messages<'a> {
    pub(crate) fn of(event: &'a Event) -> Self {
        Self { event, whole: Mutex::default(), truncated: Mutex::default() }
    }

    /// Returns whether the message takes next to no time: it is written already, or is written within microseconds. To write a
    /// view of a large event takes milliseconds.
    pub(crate) fn is_at_hand(&self, form: &Form) -> bool {
        form.view.is_empty() || self.data_bytes() <= LIGHT_BYTES || {
            let whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
            whole.messages.contains_key(form)
        }
    }

    /// The most data that a view shows.
    fn data_bytes(&self) -> usize {
        let whole = self.event.whole_entity().flatten();
        whole.map_or(0, |whole| whole.get().len()).max(self.event.change().data.get().len())
    }

    pub(crate) fn message(&self, form: &Form) -> Arc<Message> {
        get_or_write(&self.whole, form, |form| self.event.message(form))
    }

    /// The message without the data of the entity, for an event that is larger than API Gateway accepts.
    pub(crate) fn truncated(&self, form: &Form) -> Arc<Message> {
        get_or_write(&self.truncated, form, |form| self.event.truncated_message(form))
    }
}

fn get_or_write(kept: &Mutex<WrittenMessages>, form: &Form, write: impl Fn(&MessageForm) -> String) -> Arc<Message> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(message) = kept.messages.get(form) {
        return Arc::clone(message);
    }
    let text = write(&form.read());
    let bytes = text.len();
    let message = Arc::new(Message::new(text));
    if kept.bytes + bytes <= KEPT_BYTES {
        kept.bytes += bytes;
        kept.messages.insert(form.clone(), Arc::clone(&message));
    }
    message
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::EntityChange;

    use super::*;

    fn event(data: usize) -> Event {
        let data = "x".repeat(data);
        let detail = format!(
            r#"{{"type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T","data":{{"a":"{data}","b":1}}}}"#
        );
        Event::new("e1", "2026-01-02T03:04:05Z", EntityChange::parse(&detail).unwrap())
    }

    fn form(view: &str, names: &[&str]) -> Form {
        let subscriptions = names.iter().map(|name| SubscriptionName::try_from((*name).to_owned()).unwrap()).collect();
        Form { view: view.to_owned(), subscriptions, ..Form::default() }
    }

    #[test]
    fn connections_with_the_same_form_share_a_message() {
        let event = event(3);
        let messages = Messages::of(&event);
        let only_b = form(r#"{"attributes":["b"]}"#, &["", "map"]);
        assert!(Arc::ptr_eq(&messages.message(&only_b), &messages.message(&only_b.clone())));
        let text = |form: &Form| String::from_utf8(messages.message(form).bytes().to_vec()).unwrap();
        assert!(text(&only_b).contains(r#""data":{"b":1}"#) && text(&only_b).contains(r#""subscriptions":["","map"]"#));
        assert!(text(&Form::default()).contains(r#""data":{"a":"xxx","b":1}"#));
        assert!(!text(&Form::default()).contains("subscriptions"));
    }

    #[test]
    fn only_an_unwritten_view_of_a_large_event_takes_time() {
        let (small, large) = (event(10), event(LIGHT_BYTES));
        let (small, large) = (Messages::of(&small), Messages::of(&large));
        let only_b = form(r#"{"attributes":["b"]}"#, &[]);
        assert!(small.is_at_hand(&only_b) && large.is_at_hand(&Form::default()) && !large.is_at_hand(&only_b));
        large.message(&only_b);
        assert!(large.is_at_hand(&only_b));
    }

    #[test]
    fn many_forms_of_a_large_event_take_a_bounded_memory() {
        let event = event(100_000);
        let messages = Messages::of(&event);
        for i in 0..200 {
            messages.message(&form("", &[&format!("s{i}")]));
        }
        let kept = messages.whole.lock().unwrap();
        assert!((KEPT_BYTES - 200_000..=KEPT_BYTES).contains(&kept.bytes), "{}", kept.bytes);
    }
}
