//! The read units of clients that all come back at once, with the cache of an instance and without it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use entity_stream_history::{HistoryReader, HistoryTable};
use entity_stream_local::{HISTORY_TABLE, Local, aws_config};
use entity_stream_protocol::limits::HISTORY_BYTES;
use entity_stream_protocol::{EpochMillis, Tenant};
use futures_util::{StreamExt, stream};

use crate::setting::{RETENTION, TENANT};

/// The requests for past events that an instance of the local system handles at the same time.
const AT_ONCE: usize = 64;

/// The read units of all clients.
pub(crate) struct StormUnits {
    /// Each in an instance that has read nothing, as without a cache.
    pub(crate) without_cache: u64,
    /// One after the other in one instance, as on Lambda.
    pub(crate) with_cache: u64,
    /// At the same time in one instance, as in the local system: requests share reads as well.
    pub(crate) shared: u64,
}

impl StormUnits {
    /// Measures the reads of so many clients that want everything since a time.
    pub(crate) async fn of(local: &Local, clients: usize, from: EpochMillis, now: EpochMillis) -> Self {
        let units = ReadUnits::default();
        let config = Builder::from(&aws_config(&local.dynamodb_url())).interceptor(units.clone());
        let table = HistoryTable::new(aws_sdk_dynamodb::Client::from_conf(config.build()), HISTORY_TABLE, RETENTION);
        let tenant = Tenant::parse(TENANT).unwrap();
        let read = async |reader: &HistoryReader| {
            reader.read(&tenant, from, now, HISTORY_BYTES).await.unwrap();
        };
        let reader = HistoryReader::new(table.clone());
        read(&reader).await;
        let first = units.take();
        read(&reader).await;
        let again = units.take();
        let reader = HistoryReader::new(table);
        stream::iter(0..clients).for_each_concurrent(AT_ONCE, |_| read(&reader)).await;
        let others = u64::try_from(clients).unwrap() - 1;
        Self { without_cache: first * (others + 1), with_cache: first + again * others, shared: units.take() }
    }
}

/// Counts the read units of the queries of a client.
#[derive(Clone, Debug, Default)]
struct ReadUnits(Arc<AtomicU64>);

impl ReadUnits {
    /// The units since the last call.
    fn take(&self) -> u64 {
        // Strongly consistent reads cost whole units, and others halves.
        self.0.swap(0, Ordering::SeqCst) / 2
    }
}

impl Intercept for ReadUnits {
    fn name(&self) -> &'static str {
        "read units"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let output = context.output_or_error().ok().and_then(|output| output.downcast_ref::<QueryOutput>());
        let units = output.and_then(|output| output.consumed_capacity()?.capacity_units());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a page has at most 256 units")]
        self.0.fetch_add((2.0 * units.unwrap_or_default()).round() as u64, Ordering::SeqCst);
        Ok(())
    }
}
