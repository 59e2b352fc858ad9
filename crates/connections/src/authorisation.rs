use entity_stream_protocol::EpochMillis;

use crate::attributes::{AUTHORISED_UNTIL, Item, PENDING, ROLE, SUBJECT, get_number, get_string, number, string};
use crate::connection::millis;

/// The right of a connection to listen, with its subject and its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authorisation {
    /// Authentication is switched off, and every connection may listen.
    #[default]
    Open,
    /// The connection has yet to authenticate. Until then it has no interests and receives no events.
    Pending,
    /// The client has proved its identity.
    Granted(Grant),
}

/// The proved right to listen to a connection's tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The subject of the credential.
    pub subject: String,
    /// The role, as information for operators.
    pub role: String,
    /// The end of the right; `None` if it lasts as long as the connection.
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

    /// The end of the authorisation, if it comes before the end of the connection.
    pub fn until(&self) -> Option<EpochMillis> {
        match self {
            Self::Open | Self::Pending => None,
            Self::Granted(grant) => grant.until,
        }
    }

    /// The grant, if authentication is on and the client has authenticated.
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

    /// Reads the attributes that [`Authorisation::write`] wrote. Returns `None` for all others, which must not count as a right.
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

/// The end of an item's authorisation, if it has one. The outer `None` means that the attribute is malformed.
pub(crate) fn read_until(item: &Item) -> Option<Option<EpochMillis>> {
    if item.contains_key(AUTHORISED_UNTIL) {
        Some(Some(millis(get_number(item, AUTHORISED_UNTIL)?)))
    } else {
        Some(None)
    }
}
