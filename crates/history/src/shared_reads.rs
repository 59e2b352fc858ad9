//! Reads that requests for the past of one tenant share, as after a deployment, when all clients come back at once.
//!
//! **Invariant.** A request joins only a read that has not begun, so the read begins after the interests of each of its requests
//! were written. A read covers the times and bytes of all of its requests. At most one read of the open part of a tenant is under
//! way, and at most one waits for it. Nothing is kept when no request waits.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use entity_stream_protocol::{EpochMillis, Tenant};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::time::timeout;

use crate::error::HistoryError;
use crate::query::{FoundEvents, OPERATION, query};
use crate::read_plan::SliceNumber;
use crate::table::HistoryTable;

/// The longest time of a read.
pub(crate) const TIME: Duration = Duration::from_secs(5);

/// The reads of each tenant that has requests.
#[derive(Debug, Default)]
pub(crate) struct SharedReads(Mutex<HashMap<Tenant, Weak<TenantReads>>>);

/// The reads of a tenant, for as long as a request needs them.
#[derive(Debug)]
pub(crate) struct TenantReads {
    table: HistoryTable,
    tenant: Tenant,
    open: Mutex<OpenReads>,
    /// Held while closed slices are read. Another request then finds them among the known ones.
    pub(crate) closed: tokio::sync::Mutex<Option<TooLarge>>,
}

/// Closed slices that have more than so many bytes.
#[derive(Debug)]
pub(crate) struct TooLarge {
    pub(crate) slices: Range<SliceNumber>,
    pub(crate) bytes: usize,
}

#[derive(Debug, Default)]
struct OpenReads {
    /// The last read that began.
    begun: Option<WeakShared<SharedReading>>,
    /// The read that has not begun, and the range that it has to cover.
    next: Option<(OpenPart, WeakShared<SharedReading>)>,
}

type SharedReading = BoxFuture<'static, OpenRead>;

/// The part of a tenant's history that can still change.
#[derive(Clone, Debug)]
pub(crate) struct OpenPart {
    pub(crate) time: Range<EpochMillis>,
    pub(crate) most_bytes: usize,
}

/// A read that several requests share.
#[derive(Clone, Debug)]
struct OpenRead {
    /// The first position that was read.
    from: EpochMillis,
    found: Result<FoundEvents, HistoryError>,
}

impl SharedReads {
    pub(crate) fn of(&self, table: &HistoryTable, tenant: &Tenant) -> Arc<TenantReads> {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reads) = tenants.get(tenant).and_then(Weak::upgrade) {
            return reads;
        }
        tenants.retain(|_, reads| reads.strong_count() > 0);
        let reads = Arc::new(TenantReads {
            table: table.clone(),
            tenant: tenant.clone(),
            open: Mutex::default(),
            closed: tokio::sync::Mutex::default(),
        });
        tenants.insert(tenant.clone(), Arc::downgrade(&reads));
        reads
    }
}

impl TenantReads {
    /// Reads the open part. The result can hold more than this part.
    pub(crate) async fn open(self: Arc<Self>, part: OpenPart) -> Result<FoundEvents, HistoryError> {
        loop {
            let OpenRead { from, found } = self.join(part.clone()).await;
            // Another request wanted more than this one, and that was too much.
            let is_of_another = matches!(found, Err(HistoryError::TooMuch)) && from < part.time.start;
            if !is_of_another {
                return found;
            }
        }
    }

    /// Joins the read that has not begun, or prepares one.
    fn join(self: &Arc<Self>, part: OpenPart) -> Shared<SharedReading> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((all, next)) = &mut open.next
            && let Some(next) = next.upgrade()
        {
            all.time = all.time.start.min(part.time.start)..all.time.end.max(part.time.end);
            all.most_bytes = all.most_bytes.max(part.most_bytes);
            return next;
        }
        let (this, before) = (Arc::clone(self), open.begun.clone());
        let only = part.clone();
        let read = async move {
            if let Some(before) = before.and_then(|before| before.upgrade()) {
                before.await;
            }
            let OpenPart { time, most_bytes } = this.begin().unwrap_or(only);
            let found = timeout(TIME, query(&this.table, &this.tenant, &time, most_bytes)).await;
            let found = found.unwrap_or(Err(HistoryError::TimedOut { operation: OPERATION }));
            OpenRead { from: time.start, found }
        };
        let read = read.boxed().shared();
        open.next = read.downgrade().map(|weak| (part, weak));
        read
    }

    /// Takes the range that the next read has to cover. From now on, no request joins it.
    fn begin(&self) -> Option<OpenPart> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (part, read) = open.next.take()?;
        open.begun = Some(read);
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::Client;
    use entity_stream_testing::{aws_config, dynamodb_url};
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn nothing_is_kept_when_no_request_waits() {
        let table = HistoryTable::new(Client::new(&aws_config(dynamodb_url())), "none", Duration::from_secs(60));
        let (shared, tenant) = (SharedReads::default(), Tenant::parse("demo").unwrap());
        let from = EpochMillis::from_seconds(1_790_000_000);
        let part = OpenPart { time: from..from.plus(Duration::from_secs(1)), most_bytes: 1 };
        let reads = (0..10).map(|_| shared.of(&table, &tenant).open(part.clone()));
        assert!(join_all(reads).await.iter().all(Result::is_err), "there is no table");
        assert!(shared.0.lock().unwrap().values().all(|reads| reads.strong_count() == 0));
        let other = shared.of(&table, &Tenant::parse("other").unwrap());
        assert_eq!(shared.0.lock().unwrap().len(), 1, "the other tenant");
        drop(other);
    }
}
