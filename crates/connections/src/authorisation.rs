use entity_stream_protocol::EpochMillis;

use crate::attributes::{AUTHORISED_UNTIL, Item, PENDING, ROLE, SUBJECT, get_number, get_string, number, string};
use crate::connection::millis;

/// Whether, as whom and for how long a connection may listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authorisation {
    /// Nobody asks: authentication is switched off.
    #[default]
    Open,
    /// It has yet to authenticate, and until then has no interests and receives nothing.
    Pending,
    /// Somebody has shown who they are.
    Granted(Grant),
}

/// Somebody's right to listen to a connection's tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who it is.
    pub subject: String,
    /// In which role, for operators to read.
    pub role: String,
    /// When it ends; with the connection, if never.
    pub until: Option<EpochMillis>,
}

impl Grant {
    /// Creates the right of a subject, in a role, until a time or until the connection ends.
    pub fn new(subject: impl Into<String>, role: impl Into<String>, until: Option<EpochMillis>) -> Self {
        Self { subject: subject.into(), role: role.into(), until }
    }
}

impl Authorisation {
    /// Whether it may listen at `now`.
    pub fn is_valid(&self, now: EpochMillis) -> bool {
        match self {
            Self::Open => true,
            Self::Pending => false,
            Self::Granted(grant) => grant.until.is_none_or(|until| now < until),
        }
    }

    /// When it stops being valid, if it does before the connection ends.
    pub fn until(&self) -> Option<EpochMillis> {
        match self {
            Self::Open | Self::Pending => None,
            Self::Granted(grant) => grant.until,
        }
    }

    /// Who may listen, if that was asked.
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

    /// Reads what [`Authorisation::write`] wrote; `None` for anything else, which must not count as a right.
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

/// When an item's authorisation ends, if it does; `None` if that cannot be read.
pub(crate) fn read_until(item: &Item) -> Option<Option<EpochMillis>> {
    if item.contains_key(AUTHORISED_UNTIL) {
        Some(Some(millis(get_number(item, AUTHORISED_UNTIL)?)))
    } else {
        Some(None)
    }
}
