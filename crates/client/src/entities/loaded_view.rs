use entity_stream_protocol::{EventMessage, EventType, Subscription};

/// What the messages of a collection that the program loads show, as far as its subscription decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoadedView {
    /// True if they show the whole entity as the service knows it. Otherwise they have the attributes that were published.
    is_whole: bool,
    /// True if a resume shows each entity once, as it is now, in the place of its changes.
    replays_entities: bool,
}

impl LoadedView {
    /// The form of the messages of a subscription.
    pub(super) fn of(subscription: &Subscription) -> Self {
        let is_whole = subscription.view.shows_whole_entity();
        Self { is_whole, replays_entities: is_whole || subscription.filter.judges_attributes() }
    }

    /// True if a message has every attribute of the entity.
    pub(super) fn has_whole(self, message: &EventMessage<'_>) -> bool {
        !message.partial && (is_creation(message) || (self.is_whole && has_state(message)))
    }

    /// True if a message does not tell which attributes of the entity have changed, or whether it is gone: a late change does not
    /// count where a newer one is known, and the entity as the service knows it lacks both what was removed and what the service does
    /// not know.
    pub(super) fn is_unclear(self, message: &EventMessage<'_>) -> bool {
        match message.event_type {
            EventType::EntityLeft => false,
            EventType::EntityDeleted => message.late && !self.is_whole,
            _ if message.late => !self.is_whole || !self.has_whole(message),
            _ => message.replayed && self.replays_entities && message.version.is_some() && !self.has_whole(message),
        }
    }
}

/// True if the attributes are not in the message.
pub(super) fn is_left_out(message: &EventMessage<'_>) -> bool {
    // An entity that is too large has a version and no data where it is shown as it is.
    message.truncated || message.data.is_none() || (message.state.is_some() && message.version.is_some())
}

/// True if a message has a state of the entity.
pub(super) fn has_state(message: &EventMessage<'_>) -> bool {
    !is_left_out(message) && message.version.is_some()
}

/// True if a message has a new entity.
pub(super) fn is_creation(message: &EventMessage<'_>) -> bool {
    !is_left_out(message) && message.event_type == EventType::EntityCreated
}
