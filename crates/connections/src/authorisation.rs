use entity_stream_protocol::EpochMillis;

use crate::attributes::{AUTHORISED_UNTIL, Item, PENDING, ROLE, SUBJECT, get_string, get_time, number, string};

/// The right of a connection to listen: its subject, and its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authorisation {
    /// Authentication is switched off.
    #[default]
    Open,
    /// The connection has not authenticated yet. It has no interests and receives no events.
    Pending,
    /// The client has proved its identity.
    Granted(Grant),
}

/// The right of a subject to listen to the tenant of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The subject of the credential.
    pub subject: String,
    /// The role, for operators to read.
    pub role: String,
    /// The end of the right; `None` if it ends with the connection.
    pub until: Option<EpochMillis>,
}

impl Grant {
    /// Creates the right of a subject, in a role, until a time or until the connection ends.
    pub fn new(subject: impl Into<String>, role: impl Into<String>, until: Option<EpochMillis>) -> Self {
        Self { subject: subject.into(), role: role.into(), until }
    }
}

impl Authorisation {
    /// True if the connection may listen at `now`.
    pub fn is_valid(&self, now: EpochMillis) -> bool {
        match self {
            Self::Open => true,
            Self::Pending => false,
            Self::Granted(grant) => grant.until.is_none_or(|until| now < until),
        }
    }

    /// False until a connection that came without a credential has authenticated.
    pub(crate) fn is_decided(&self) -> bool {
        !matches!(self, Self::Pending)
    }

    /// The end of the right, if it ends before the connection.
    pub fn until(&self) -> Option<EpochMillis> {
        match self {
            Self::Open | Self::Pending => None,
            Self::Granted(grant) => grant.until,
        }
    }

    /// The subject, if authentication is switched on and has succeeded.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Open | Self::Pending => None,
            Self::Granted(grant) => Some(&grant.subject),
        }
    }

    pub(crate) fn write(&self, item: &mut Item) {
        match self {
            Self::Open => {}
            Self::Pending => {
                item.insert(PENDING.to_owned(), aws_sdk_dynamodb::types::AttributeValue::Bool(true));
            }
            Self::Granted(grant) => {
                item.insert(SUBJECT.to_owned(), string(&grant.subject));
                item.insert(ROLE.to_owned(), string(&grant.role));
                if let Some(until) = grant.until {
                    item.insert(AUTHORISED_UNTIL.to_owned(), number(until.millis()));
                }
            }
        }
    }

    /// Reads the attributes that [`Authorisation::write`] wrote; `None` for any others, which must not grant access.
    pub(crate) fn read(item: &Item) -> Option<Self> {
        match (get_string(item, SUBJECT), item.contains_key(PENDING)) {
            (Some(subject), false) => Some(Self::Granted(Grant {
                subject: subject.to_owned(),
                role: get_string(item, ROLE)?.to_owned(),
                until: read_until(item)?,
            })),
            (None, true) => Some(Self::Pending),
            (None, false) if !item.contains_key(AUTHORISED_UNTIL) => Some(Self::Open),
            _ => None,
        }
    }
}

/// The end of an item's authorisation, `Some(None)` if it has none; `None` if the attribute cannot be read.
pub(crate) fn read_until(item: &Item) -> Option<Option<EpochMillis>> {
    if item.contains_key(AUTHORISED_UNTIL) { Some(Some(get_time(item, AUTHORISED_UNTIL)?)) } else { Some(None) }
}
