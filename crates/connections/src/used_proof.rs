//! The proofs of possession that were used.
//!
//! **Invariant.** Of all requests that use a proof, on any connection and in any instance of any function, one succeeds. The item
//! of a proof stays for as long as the proof could be accepted, and may stay longer.

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use entity_stream_protocol::EpochMillis;
use entity_stream_protocol::limits::PROOF_AGE;

use crate::attributes::{EXPIRES_AT, PK, USED_BY, number, string};
use crate::error::TableError;
use crate::keys::proof_key;
use crate::table::Table;

/// The life of an item. A proof is accepted while its time differs by less than [`PROOF_AGE`] from now, so a proof whose time is
/// as far ahead as that is accepted for twice as long.
const LIFE: Duration = PROOF_AGE.saturating_mul(2);

impl Table {
    /// Uses a proof for a request. Returns false if another request has used it. The SDK may send the write of one request twice.
    ///
    /// # Errors
    /// [`TableError::Dynamo`]. The proof may have been used.
    pub async fn use_proof(&self, id: &str, request_id: &str, now: EpochMillis) -> Result<bool, TableError> {
        let mut item = proof_key(id);
        item.insert(EXPIRES_AT.to_owned(), number(now.plus(LIFE).seconds() + 1));
        item.insert(USED_BY.to_owned(), string(request_id));
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        let put = put
            .condition_expression("attribute_not_exists(#pk) OR #usedBy = :requestId")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#usedBy", USED_BY)
            .expression_attribute_values(":requestId", string(request_id));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
                Ok(false)
            }
            Err(error) => Err(TableError::dynamo("PutItem")(error)),
        }
    }
}
