//! API keys, for services that run for longer than any token lives. They stand in the table of connections, under a
//! partition key that no connection and no tenant can have.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::fill;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_protocol::{EpochMillis, Tenant};

use crate::{API_KEY_SUBJECT, Identity, Refusal, Refused, Role};

/// What every key starts with, so that secret scanners and people recognise one.
const PREFIX: &str = "es_";
/// Random bytes of a key. With this many, a plain hash is as good as a slow one: there is nothing to guess.
const KEY_BYTES: usize = 32;
/// How exact "last used" is: a write at every connection would cost more than it tells.
const LAST_USED_GRAIN: Duration = Duration::from_secs(60 * 60);
const SORT_KEY: &str = "K";

/// An API key as its holder has it. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// What a client claims to be its key.
    pub(crate) fn from_client(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn random() -> Option<Self> {
        let mut bytes = [0; KEY_BYTES];
        fill(&mut bytes).ok()?;
        Some(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The key itself, to be shown to its holder once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.0.as_bytes()))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// The name of an API key: 1 to 64 of `A-Z a-z 0-9 _ - .`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiKeyName(String);

/// A text that is no name for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key's name is 1 to 64 of A-Z a-z 0-9 _ - .")]
pub struct InvalidApiKeyName;

impl ApiKeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ApiKeyName {
    type Err = InvalidApiKeyName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidApiKeyName)
        }
    }
}

impl fmt::Display for ApiKeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of a key, less the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// Its name.
    pub name: ApiKeyName,
    /// What its holder may do.
    pub role: Role,
    /// The tenants its holder belongs to.
    pub tenants: BTreeSet<Tenant>,
    /// When it was created.
    pub created_at: EpochMillis,
    /// When it was last used, to the hour.
    pub last_used_at: Option<EpochMillis>,
    /// When it stops being valid, if ever.
    pub expires_at: Option<EpochMillis>,
}

/// Why the keys could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// A key of that name exists.
    #[error("a key of this name exists; revoke it first, or choose another name")]
    Exists,
    /// No key of that name exists.
    #[error("there is no key of this name")]
    Unknown,
    /// The system has no random numbers.
    #[error("the system gave no random numbers")]
    NoRandomness,
    /// DynamoDB refused or could not be reached.
    #[error("DynamoDB: {0}")]
    Dynamo(String),
}

/// The API keys in the table of connections.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    client: Client,
    table: String,
}

impl ApiKeys {
    /// The keys in this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Creates a key and returns it: this is the only time that it is seen.
    ///
    /// # Errors
    /// [`ApiKeyError::Exists`], or that the table cannot be written.
    pub async fn create(&self, record: &ApiKeyRecord) -> Result<ApiKey, ApiKeyError> {
        let key = ApiKey::random().ok_or(ApiKeyError::NoRandomness)?;
        let mut item = item_key(record.name.as_str());
        item.insert("hash".to_owned(), AttributeValue::S(key.hash()));
        item.insert("role".to_owned(), AttributeValue::S(record.role.to_string()));
        let tenants = record.tenants.iter().map(|tenant| AttributeValue::S(tenant.to_string())).collect();
        item.insert("tenants".to_owned(), AttributeValue::L(tenants));
        item.insert("createdAt".to_owned(), number(record.created_at));
        if let Some(expires_at) = record.expires_at {
            // Not the TTL attribute: a key that has expired is still to be listed.
            item.insert("validUntil".to_owned(), number(expires_at));
        }
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(key),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Err(ApiKeyError::Exists)
            }
            Err(error) => Err(dynamo(&error)),
        }
    }

    /// Every key, by name.
    ///
    /// # Errors
    /// [`ApiKeyError::Dynamo`] if the table cannot be read.
    pub async fn list(&self) -> Result<Vec<ApiKeyRecord>, ApiKeyError> {
        let mut records = Vec::new();
        let mut start = None;
        loop {
            // People ask for this, and seldom: no index is worth it.
            let scan = self.client.scan().table_name(&self.table).consistent_read(true).filter_expression("sk = :sk");
            let scan = scan.expression_attribute_values(":sk", AttributeValue::S(SORT_KEY.to_owned()));
            let page = scan.set_exclusive_start_key(start).send().await.map_err(|error| dynamo(&error))?;
            records.extend(page.items().iter().filter_map(|item| Some(read(item)?.1)));
            start = page.last_evaluated_key;
            if start.as_ref().is_none_or(HashMap::is_empty) {
                records.sort_by(|a, b| a.name.cmp(&b.name));
                return Ok(records);
            }
        }
    }

    /// Deletes a key. Connections that it opened live on until they end, two hours at most.
    ///
    /// # Errors
    /// [`ApiKeyError::Unknown`], or that the table cannot be written.
    pub async fn revoke(&self, name: &ApiKeyName) -> Result<(), ApiKeyError> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(item_key(name.as_str())));
        match delete.condition_expression("attribute_exists(pk)").send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Err(ApiKeyError::Unknown)
            }
            Err(error) => Err(dynamo(&error)),
        }
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// [`Refusal::ApiKey`] for a name or a key that is wrong, without telling which; [`Refusal::Expired`], which only the
    /// key's holder gets to know; [`Refusal::ApiKeysUnavailable`].
    pub(crate) async fn verify(&self, name: &str, key: &ApiKey, now: EpochMillis) -> Result<Identity, Refused> {
        let name: ApiKeyName = name.parse().map_err(|_| Refusal::ApiKey)?;
        let get = self.client.get_item().table_name(&self.table).set_key(Some(item_key(name.as_str())));
        let output = get.consistent_read(true).send().await.map_err(|error| {
            tracing::error!(error = %dynamo(&error), "the API keys cannot be read");
            Refusal::ApiKeysUnavailable
        })?;
        let stored = output.item().and_then(read);
        // A name that is unknown takes as long as a key that is wrong.
        let expected = stored.as_ref().map_or_else(|| "unknown".to_owned(), |(hash, _)| hash.clone());
        let matches = verify_slices_are_equal(expected.as_bytes(), key.hash().as_bytes()).is_ok();
        let Some((_, record)) = stored.filter(|_| matches) else { return Err(Refusal::ApiKey.into()) };
        let subject = format!("{API_KEY_SUBJECT}{name}");
        if record.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Refused { reason: Refusal::Expired, subject: Some(subject) });
        }
        self.note_use(&record, now).await;
        Ok(Identity { subject, role: record.role, tenants: record.tenants, expires_at: record.expires_at })
    }

    async fn note_use(&self, record: &ApiKeyRecord, now: EpochMillis) {
        if record.last_used_at.is_some_and(|last| now.since(last) < LAST_USED_GRAIN) {
            return;
        }
        let update = self.client.update_item().table_name(&self.table).set_key(Some(item_key(record.name.as_str())));
        let update = update
            .update_expression("SET lastUsedAt = :now")
            // A key that is being revoked must not come back as an item without a hash.
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", number(now));
        if let Err(error) = update.send().await {
            tracing::warn!(error = %dynamo(&error), "could not note the use of an API key");
        }
    }
}

fn item_key(name: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(format!("K#{name}"))),
        ("sk".to_owned(), AttributeValue::S(SORT_KEY.to_owned())),
    ])
}

/// The hash and the record in an item; `None` for anything that this module did not write.
fn read(item: &HashMap<String, AttributeValue>) -> Option<(String, ApiKeyRecord)> {
    let text = |name: &str| item.get(name)?.as_s().ok();
    let time = |name: &str| Some(EpochMillis::new(item.get(name)?.as_n().ok()?.parse().ok()?));
    let tenants = item.get("tenants")?.as_l().ok()?.iter();
    let record = ApiKeyRecord {
        name: text("pk")?.strip_prefix("K#")?.parse().ok()?,
        role: text("role")?.parse().ok()?,
        tenants: tenants.map(|tenant| Tenant::parse(tenant.as_s().ok()?).ok()).collect::<Option<_>>()?,
        created_at: time("createdAt")?,
        last_used_at: time("lastUsedAt"),
        expires_at: time("validUntil"),
    };
    Some((text("hash")?.clone(), record))
}

fn number(time: EpochMillis) -> AttributeValue {
    AttributeValue::N(time.millis().to_string())
}

fn dynamo<E: ProvideErrorMetadata>(error: &SdkError<E>) -> ApiKeyError {
    let reason = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => "it could not be reached".to_owned(),
    };
    ApiKeyError::Dynamo(reason)
}
