//! The events and subscriptions of the model: two tenants, two entities of one type.

use std::cell::Cell;

use entity_stream_protocol::EpochMillis;

/// The entity that each form of a subscription matches.
pub(crate) const ENTITY: u8 = 1;

/// The events that a subscription matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Each entity of the type.
    Type,
    /// The entity [`ENTITY`].
    One,
}

impl Form {
    pub(crate) fn matches(self, entity: u8) -> bool {
        self == Self::Type || entity == ENTITY
    }

    pub(crate) fn other(self) -> Self {
        if self == Self::Type { Self::One } else { Self::Type }
    }
}

/// A partition of the interests of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Type,
    Entity(u8),
}

/// An event as it is published.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) tenant: u8,
    pub(crate) entity: u8,
    pub(crate) at: EpochMillis,
    /// It is in the dead-letter queue, which is outside of the promise.
    pub(crate) is_excused: Cell<bool>,
}

/// The subscriptions of a connection, by their names 0 and 1.
pub(crate) type Forms = [Option<Form>; 2];

/// The forms that have an interest in a scope.
pub(crate) fn in_scope(forms: &Forms, scope: Scope) -> impl Iterator<Item = Form> {
    forms.iter().flatten().copied().filter(move |form| match form {
        Form::Type => scope == Scope::Type,
        Form::One => scope == Scope::Entity(ENTITY),
    })
}
