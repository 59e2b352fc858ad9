use entity_stream_protocol::EpochMillis;

use crate::report::Report;

const EVENT_AGE: &str = "EventAge";

/// One event that can reach nobody.
pub(crate) fn undeliverable() {
    metrics::counter!("Undeliverable").increment(1);
}

/// What became of an event's connections, in CloudWatch's metrics. What did not happen is left out: a sum is the same
/// without it, and each metric is stored for a price.
pub(crate) fn broadcast(report: &Report) {
    let counts = [
        ("Delivered", report.delivered),
        ("Gone", report.gone),
        ("Expired", report.expired),
        ("Failed", report.failed),
        ("Rejected", report.rejected),
        ("Continued", report.continued),
    ];
    for (name, count) in counts {
        if count > 0 {
            metrics::counter!(name).increment(count as u64);
        }
    }
}

/// How old the event was at the first delivery and at the last one.
#[derive(Default)]
pub(crate) struct Ages(Option<(EpochMillis, EpochMillis)>);

impl Ages {
    pub(crate) fn delivered(&mut self, now: EpochMillis) {
        self.0 = Some((self.0.map_or(now, |(first, _)| first), now));
    }

    /// Both in milliseconds. EventBridge gives an event's time in whole seconds, so they are up to one too large.
    pub(crate) fn record(&self, published_at: EpochMillis) -> Option<(u64, u64)> {
        let (first, last) = self.0?;
        let age = |at: EpochMillis| u64::try_from(at.since(published_at).as_millis()).unwrap_or(u64::MAX);
        let (first, last) = (age(first), age(last));
        metrics::describe_histogram!(EVENT_AGE, metrics::Unit::Milliseconds, "age of an event at its delivery");
        for age in [first, last] {
            #[allow(clippy::cast_precision_loss, reason = "ages of up to days")]
            metrics::histogram!(EVENT_AGE).record(age as f64);
        }
        Some((first, last))
    }
}
