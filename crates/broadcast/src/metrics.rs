use entity_stream_protocol::EpochMillis;

use crate::summary::Summary;

const EVENT_AGE: &str = "EventAge";

/// Counts one malformed event.
pub(crate) fn undeliverable() {
    metrics::counter!("Undeliverable").increment(1);
}

/// Counts the outcomes of an event. Zeros are left out: they change no sum, and CloudWatch charges for each metric.
pub(crate) fn count(summary: &Summary) {
    let counts = [
        ("Delivered", summary.delivered),
        ("Gone", summary.gone),
        ("Expired", summary.expired),
        ("Closed", summary.closed),
        ("Failed", summary.failed),
        ("Rejected", summary.rejected),
        ("Continued", summary.continued),
    ];
    for (name, count) in counts {
        if count > 0 {
            metrics::counter!(name).increment(count as u64);
        }
    }
}

/// Records the age of an event at its first and at its last delivery, and returns both in milliseconds. EventBridge gives the
/// time of an event in whole seconds, so an age is up to one second too large.
pub(crate) fn record_ages(published_at: EpochMillis, delivered_at: (EpochMillis, EpochMillis)) -> (u64, u64) {
    let age = |at: EpochMillis| u64::try_from(at.since(published_at).as_millis()).unwrap_or(u64::MAX);
    let (first, last) = (age(delivered_at.0), age(delivered_at.1));
    metrics::describe_histogram!(EVENT_AGE, metrics::Unit::Milliseconds, "age of an event at its delivery");
    for age in [first, last] {
        #[expect(clippy::cast_precision_loss, reason = "ages of up to days")]
        metrics::histogram!(EVENT_AGE).record(age as f64);
    }
    (first, last)
}
