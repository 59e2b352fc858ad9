use entity_stream_protocol::EpochMillis;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::attributes::{
    AUTHORISED_UNTIL, Item, PENDING, PROOF_KEY, PROOF_TOKEN, ROLE, SUBJECT, get_string, get_time, number, string,
};
use crate::error::TableError;

/// The role of a client without a credential. No credential gives it.
const PUBLIC_ROLE: &str = "public";

/// The right of a connection to listen: its subject, and its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authorisation {
    /// Authentication is switched off.
    #[default]
    Open,
    /// The connection has not authenticated yet. It has no interests and receives no events.
    Pending,
    /// The token of the connection is bound to a key, and the client has not yet proved that it has the key. The connection has its
    /// interests, so that an event can close it, but receives no events.
    Unproved(UnprovedGrant),
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

/// The right that a connection gets when its client proves that it has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnprovedGrant {
    /// The right.
    pub grant: Grant,
    /// The thumbprint of the key.
    pub key: String,
    /// The hash of the token, which a proof may name.
    pub token: String,
}

impl Grant {
    /// Creates the right of a subject, in a role, until a time or until the connection ends.
    pub fn new(subject: impl Into<String>, role: impl Into<String>, until: Option<EpochMillis>) -> Self {
        Self { subject: subject.into(), role: role.into(), until }
    }

    /// Creates the right of a client without a credential to listen to a public tenant. Its address is the subject.
    pub fn public(subject: impl Into<String>) -> Self {
        Self::new(subject, PUBLIC_ROLE, None)
    }

    /// True if the client has sent no credential.
    pub fn is_public(&self) -> bool {
        self.role == PUBLIC_ROLE
    }
}

impl Authorisation {
    /// True if the connection may listen at `now`.
    pub fn is_valid(&self, now: EpochMillis) -> bool {
        self.check(now).is_ok()
    }

    /// Checks that the connection may listen at `now`.
    ///
    /// # Errors
    /// [`TableError::ProofRequired`] or [`TableError::NotAuthorised`].
    pub fn check(&self, now: EpochMillis) -> Result<(), TableError> {
        match self {
            Self::Open => Ok(()),
            Self::Pending => Err(TableError::NotAuthorised),
            Self::Unproved(_) => Err(TableError::ProofRequired),
            Self::Granted(grant) if grant.until.is_none_or(|until| now < until) => Ok(()),
            Self::Granted(_) => Err(TableError::NotAuthorised),
        }
    }

    /// False until a connection that came without a credential, or without the proof that its credential needs, has authenticated.
    pub fn is_decided(&self) -> bool {
        !matches!(self, Self::Pending | Self::Unproved(_))
    }

    /// The end of the right, if it ends before the connection.
    pub fn until(&self) -> Option<EpochMillis> {
        match self {
            Self::Open | Self::Pending | Self::Unproved(_) => None,
            Self::Granted(grant) => grant.until,
        }
    }

    /// The subject, if authentication is switched on and has succeeded.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Open | Self::Pending | Self::Unproved(_) => None,
            Self::Granted(grant) => Some(&grant.subject),
        }
    }

    pub(crate) fn write(&self, item: &mut Item) {
        match self {
            Self::Open => {}
            Self::Pending => {
                item.insert(PENDING.to_owned(), AttributeValue::Bool(true));
            }
            Self::Unproved(UnprovedGrant { grant, key, token }) => {
                item.insert(PENDING.to_owned(), AttributeValue::Bool(true));
                item.insert(PROOF_KEY.to_owned(), string(key));
                item.insert(PROOF_TOKEN.to_owned(), string(token));
                grant.write(item);
            }
            Self::Granted(grant) => grant.write(item),
        }
    }

    /// Reads the attributes that [`Authorisation::write`] wrote; `None` for any others, which must not grant access.
    pub(crate) fn read(item: &Item) -> Option<Self> {
        let proof = (get_string(item, PROOF_KEY), get_string(item, PROOF_TOKEN));
        match (Grant::read(item)?, item.contains_key(PENDING), proof) {
            (Some(grant), false, (None, None)) => Some(Self::Granted(grant)),
            (Some(grant), true, (Some(key), Some(token))) => {
                Some(Self::Unproved(UnprovedGrant { grant, key: key.to_owned(), token: token.to_owned() }))
            }
            (None, true, (None, None)) => Some(Self::Pending),
            (None, false, (None, None)) => Some(Self::Open),
            _ => None,
        }
    }
}

impl Grant {
    fn write(&self, item: &mut Item) {
        item.insert(SUBJECT.to_owned(), string(&self.subject));
        item.insert(ROLE.to_owned(), string(&self.role));
        if let Some(until) = self.until {
            item.insert(AUTHORISED_UNTIL.to_owned(), number(until.millis()));
        }
    }

    /// Reads the attributes that [`Grant::write`] wrote, `Some(None)` if there are none; `None` for any others.
    fn read(item: &Item) -> Option<Option<Self>> {
        let until = read_until(item)?;
        match get_string(item, SUBJECT) {
            Some(subject) => {
                Some(Some(Self { subject: subject.to_owned(), role: get_string(item, ROLE)?.to_owned(), until }))
            }
            None if until.is_none() => Some(None),
            None => None,
        }
    }
}

/// The end of an item's authorisation, `Some(None)` if it has none; `None` if the attribute cannot be read.
pub(crate) fn read_until(item: &Item) -> Option<Option<EpochMillis>> {
    if item.contains_key(AUTHORISED_UNTIL) { Some(Some(get_time(item, AUTHORISED_UNTIL)?)) } else { Some(None) }
}
