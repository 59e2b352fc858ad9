use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_sdk_dynamodb::Client;
use entity_stream_protocol::EpochMillis;

use super::error::ApiKeyError;
use super::item::{ApiKeyRecord, KEY_NAME, LAST_USED_AT, StoredKey, item_key, number};
use super::key::ApiKey;
use super::name::ApiKeyName;
use crate::identity::{API_KEY_SUBJECT, Identity};
use crate::refusal::{Refusal, Refused};

/// Precision of `lastUsedAt`. A write for each connection would cost more than the information is worth.
const LAST_USED_GRAIN: Duration = Duration::from_secs(60 * 60);

/// The table of API keys.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    pub(super) client: Client,
    pub(super) table: String,
}

impl ApiKeys {
    /// The keys in the table of this name or ARN, reached through this client.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Creates a key and returns it. The table keeps only a hash, so the key cannot be read again.
    ///
    /// # Errors
    /// [`ApiKeyError::Exists`] if the name is taken; [`ApiKeyError::NoRandomness`]; [`ApiKeyError::Dynamo`] if the table
    /// cannot be written.
    pub async fn create(&self, record: &ApiKeyRecord) -> Result<ApiKey, ApiKeyError> {
        let key = ApiKey::random().ok_or(ApiKeyError::NoRandomness)?;
        let item = StoredKey::new(record, &key).to_item();
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        match put.condition_expression(format!("attribute_not_exists({KEY_NAME})")).send().await {
            Ok(_) => Ok(key),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Err(ApiKeyError::Exists)
            }
            Err(error) => Err(ApiKeyError::dynamo(&error)),
        }
    }

    /// All keys, sorted by name.
    ///
    /// # Errors
    /// [`ApiKeyError::Dynamo`] if the table cannot be read.
    pub async fn list(&self) -> Result<Vec<ApiKeyRecord>, ApiKeyError> {
        let mut records = Vec::new();
        let mut start = None;
        loop {
            let scan = self.client.scan().table_name(&self.table).consistent_read(true);
            let page = scan.set_exclusive_start_key(start).send().await;
            let page = page.map_err(|error| ApiKeyError::dynamo(&error))?;
            records.extend(page.items().iter().filter_map(|item| Some(StoredKey::from_item(item)?.record)));
            start = page.last_evaluated_key;
            if start.as_ref().is_none_or(HashMap::is_empty) {
                records.sort_by(|a, b| a.name.cmp(&b.name));
                return Ok(records);
            }
        }
    }

    /// Deletes a key. Connections that the key opened stay open until they are closed or end, two hours at most.
    ///
    /// # Errors
    /// [`ApiKeyError::Unknown`] if there is no key of this name; [`ApiKeyError::Dynamo`] if the table cannot be written.
    pub async fn revoke(&self, name: &ApiKeyName) -> Result<(), ApiKeyError> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(item_key(name)));
        match delete.condition_expression(format!("attribute_exists({KEY_NAME})")).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Err(ApiKeyError::Unknown)
            }
            Err(error) => Err(ApiKeyError::dynamo(&error)),
        }
    }

    /// The identity that a key proves.
    ///
    /// # Errors
    /// [`Refusal::ApiKey`] if the name or the key is wrong; the reason does not tell them apart. [`Refusal::Expired`],
    /// which only the holder of the key can cause. [`Refusal::ApiKeysUnavailable`] if the table cannot be read.
    pub(crate) async fn verify(&self, name: &str, key: &ApiKey, now: EpochMillis) -> Result<Identity, Refused> {
        let name: ApiKeyName = name.parse().map_err(|_| Refusal::ApiKey)?;
        let get = self.client.get_item().table_name(&self.table).set_key(Some(item_key(&name)));
        let output = get.consistent_read(true).send().await.map_err(|error| {
            tracing::error!(error = %ApiKeyError::dynamo(&error), "the API keys cannot be read");
            Refusal::ApiKeysUnavailable
        })?;
        let stored = output.item().and_then(StoredKey::from_item);
        // An unknown name takes as long as a wrong key.
        let expected = stored.as_ref().map_or_else(|| "unknown".to_owned(), |stored| stored.hash.clone());
        let matches = verify_slices_are_equal(expected.as_bytes(), key.hash().as_bytes()).is_ok();
        let Some(StoredKey { record, .. }) = stored.filter(|_| matches) else { return Err(Refusal::ApiKey.into()) };
        let subject = format!("{API_KEY_SUBJECT}{name}");
        if record.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Refused { reason: Refusal::Expired, subject: Some(subject) });
        }
        self.note_use(&record, now).await;
        Ok(Identity {
            subject,
            role: record.role,
            tenants: record.tenants,
            expires_at: record.expires_at,
            service_path: record.service_path,
        })
    }

    async fn note_use(&self, record: &ApiKeyRecord, now: EpochMillis) {
        if record.last_used_at.is_some_and(|last| now.since(last) < LAST_USED_GRAIN) {
            return;
        }
        let update = self.client.update_item().table_name(&self.table).set_key(Some(item_key(&record.name)));
        let update = update
            .update_expression(format!("SET {LAST_USED_AT} = :now"))
            // Without the condition, the update would bring back a key that is being revoked, as an item without a hash.
            .condition_expression(format!("attribute_exists({KEY_NAME})"))
            .expression_attribute_values(":now", number(now));
        if let Err(error) = update.send().await {
            tracing::warn!(error = %ApiKeyError::dynamo(&error), "could not record the use of an API key");
        }
    }
}
