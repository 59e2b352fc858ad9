//! The position of a consumer group in the partitions.
//!
//! **Invariant.** All members of a group have the same hash, and no client can choose it: the first member stores a random
//! number in the item of the group, and the others read it. The item lives longer than its youngest member, so members that are
//! connected at the same time never have different hashes. `docs/adr/0011-random-hashes-of-groups.md` gives the reasons.
//!
//! A group is the tenant, the name and, if authentication is on, the subject. Another subject's group of the same name is another
//! group.

use std::fmt;

use aws_sdk_dynamodb::types::ReturnValue;
use entity_stream_protocol::limits::{CONNECTION_LIFETIME, YOUNG_CONNECTION};
use entity_stream_protocol::{EpochMillis, GroupId};

use crate::attributes::{EXPIRES_AT, GROUP_HASH, get_string, number, string};
use crate::connection::Connection;
use crate::error::TableError;
use crate::hash::stable_hash;
use crate::keys::group_key;
use crate::table::Table;

/// The position of a group in the partitions. Its text form is 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupHash(pub(crate) u64);

impl GroupHash {
    /// A hash of the name, where no table gives a random one.
    pub(crate) fn of_name(group: &GroupId) -> Self {
        Self(stable_hash(group.as_str().as_bytes()))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for GroupHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Table {
    /// Makes a connection a member of its group and returns the hash of the group; `None` if the connection is in no group, or
    /// has no subject yet.
    pub(crate) async fn join_group(
        &self,
        connection: &Connection,
        now: EpochMillis,
    ) -> Result<Option<GroupHash>, TableError> {
        let Some(group) = connection.group.as_ref().filter(|_| connection.authorisation.is_decided()) else {
            return Ok(None);
        };
        let key = group_key(&connection.tenant, group, connection.authorisation.subject());
        // A handshake can take a while, and another member can come first.
        let expires_at = now.plus(CONNECTION_LIFETIME + YOUNG_CONNECTION);
        let update = self.client.update_item().table_name(&self.name).set_key(Some(key));
        let update = update
            .update_expression("SET #hash = if_not_exists(#hash, :random), #expiresAt = :expiresAt")
            .expression_attribute_names("#hash", GROUP_HASH)
            .expression_attribute_names("#expiresAt", EXPIRES_AT)
            .expression_attribute_values(":random", string(GroupHash(fastrand::u64(..)).to_string()))
            .expression_attribute_values(":expiresAt", number(expires_at.seconds()))
            .return_values(ReturnValue::AllNew);
        let output = update.send().await.map_err(TableError::dynamo("UpdateItem"))?;
        let hash = output.attributes().and_then(|item| GroupHash::parse(get_string(item, GROUP_HASH)?));
        hash.map(Some).ok_or(TableError::MalformedGroup)
    }
}
