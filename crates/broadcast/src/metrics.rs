use entity_stream_protocol::EpochMillis;

use crate::summary::Summary;

const EVENT_AGE: &str = "EventAge";

/// Counts one malformed event.
pub(crate) fn undeliverable() {
    metrics::counter!("Undeliverable").increment(1);
}

/// Counts an event that is delivered although the history does not have it.
pub(crate) fn not_recorded() {
    metrics::counter!("NotRecorded").increment(1);
}

/// Counts an event that is delivered although the state of its entity could not be written.
pub(crate) fn not_stored() {
    metrics::counter!("NotStored").increment(1);
}

/// Counts an event whose entity is too large to be kept.
pub(crate) fn state_too_large() {
    metrics::counter!("StateTooLarge").increment(1);
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    use super::*;

    /// Records the names of metrics.
    #[derive(Default)]
    struct Names(Mutex<Vec<String>>);

    impl Names {
        fn add(&self, key: &Key) {
            self.0.lock().unwrap().push(key.name().to_owned());
        }
    }

    impl Recorder for Names {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            self.add(key);
            Counter::noop()
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            self.add(key);
            Histogram::noop()
        }
    }

    fn names(emit: impl FnOnce()) -> Vec<String> {
        let names = Names::default();
        metrics::with_local_recorder(&names, emit);
        names.0.into_inner().unwrap()
    }

    #[test]
    fn each_outcome_has_its_metric_and_zeros_have_none() {
        let all = Summary {
            delivered: 1,
            gone: 1,
            expired: 1,
            closed: 1,
            failed: 1,
            rejected: 1,
            continued: 1,
            ..Summary::default()
        };
        let expected = ["Delivered", "Gone", "Expired", "Closed", "Failed", "Rejected", "Continued"];
        assert_eq!(names(|| count(&all)), expected);
        assert_eq!(names(|| count(&Summary { failed: 2, ..Summary::default() })), ["Failed"]);
        assert_eq!(names(undeliverable), ["Undeliverable"]);
    }

    #[test]
    fn the_ages_are_those_of_the_first_and_the_last_delivery() {
        let at = EpochMillis::new;
        let mut ages = (0, 0);
        let names = names(|| ages = record_ages(at(1000), (at(1500), at(3000))));
        assert_eq!((ages, names), ((500, 2000), vec!["EventAge".to_owned(), "EventAge".to_owned()]));
    }
}
