use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::terminal::{counted, grouped};

/// The percentiles that are printed.
const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];

/// The form in which the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BenchOutput {
    /// A table for people
    Table,
    /// One JSON object for programs
    Json,
}

/// The result of a benchmark.
#[derive(Debug)]
pub(super) struct BenchReport {
    pub(super) connections: u32,
    pub(super) published: u64,
    pub(super) rejected: u64,
    /// The time from the first change that was due to the last answer of the bus, in seconds.
    pub(super) publishing: f64,
    /// The time from the first change that was due to the last arrival, in seconds.
    pub(super) delivering: f64,
    pub(super) delivered: u64,
    pub(super) reconnects: u64,
    /// The times from publisher to connection, in microseconds.
    pub(super) latencies: Histogram<u64>,
}

impl BenchReport {
    pub(super) fn expected(&self) -> u64 {
        self.published * u64::from(self.connections)
    }

    fn published_per_second(&self) -> f64 {
        self.published as f64 / self.publishing.max(0.001)
    }

    fn delivered_per_second(&self) -> f64 {
        self.delivered as f64 / self.delivering.max(0.001)
    }

    /// The longest time, in milliseconds. `None` without a time.
    fn milliseconds(&self, micros: u64) -> Option<f64> {
        (!self.latencies.is_empty()).then_some(micros as f64 / 1000.0)
    }

    pub(super) fn table(&self) -> String {
        let (published, delivered) = (self.published_per_second(), self.delivered_per_second());
        let rejected =
            if self.rejected == 0 { String::new() } else { format!(", {} rejected", grouped(self.rejected)) };
        let mut lines = vec![
            format!("connections  {}", grouped(u64::from(self.connections))),
            format!(
                "published    {} in {:.1} s, {published:.1}/s{rejected}",
                counted(self.published, "event"),
                self.publishing
            ),
            format!(
                "delivered    {} of {} in {:.1} s, {delivered:.1}/s",
                grouped(self.delivered),
                counted(self.expected(), "message"),
                self.delivering
            ),
        ];
        if self.reconnects > 0 {
            lines.push(format!("reconnects   {}", grouped(self.reconnects)));
        }
        let shown = PERCENTILES.map(|(name, percentile)| (name, self.latencies.value_at_percentile(percentile)));
        let all = shown.into_iter().chain([("max", self.latencies.max())]);
        for (index, (name, micros)) in all.enumerate() {
            let title = if index == 0 { "latency" } else { "" };
            let time = self.milliseconds(micros).map_or_else(|| "-".to_owned(), |time| format!("{time:.1} ms"));
            lines.push(format!("{title:<13}{name:<6}{time:>12}"));
        }
        lines.join("\n")
    }

    pub(super) fn json(&self) -> Value {
        let round = |number: f64| (number * 1000.0).round() / 1000.0;
        let time = |micros| json!(self.milliseconds(micros));
        json!({
            "connections": self.connections,
            "published": self.published,
            "rejected": self.rejected,
            "publishedPerSecond": round(self.published_per_second()),
            "expected": self.expected(),
            "delivered": self.delivered,
            "deliveredPerSecond": round(self.delivered_per_second()),
            "reconnects": self.reconnects,
            "latencyMilliseconds": {
                "p50": time(self.latencies.value_at_percentile(50.0)),
                "p90": time(self.latencies.value_at_percentile(90.0)),
                "p99": time(self.latencies.value_at_percentile(99.0)),
                "p99.9": time(self.latencies.value_at_percentile(99.9)),
                "max": time(self.latencies.max()),
            },
        })
    }
}
