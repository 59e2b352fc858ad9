use std::borrow::Cow;

use aws_sdk_eventbridge::types::PutEventsRequestEntry;

/// One event for the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusEntry {
    source: Cow<'static, str>,
    detail_type: Cow<'static, str>,
    detail: String,
}

impl BusEntry {
    /// An event with this `source`, `detail-type` and `detail`. The detail is a JSON object.
    pub fn new(
        source: impl Into<Cow<'static, str>>,
        detail_type: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self { source: source.into(), detail_type: detail_type.into(), detail: detail.into() }
    }

    /// The event's detail.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The bytes that count against the limits of `PutEvents`: source, detail type and detail in UTF-8.
    ///
    /// EventBridge also counts 14 bytes for `Time`, and `Resources`; an entry has neither.
    /// Source: "Calculating PutEvents event entry size", Amazon EventBridge User Guide.
    pub fn size(&self) -> usize {
        self.source.len() + self.detail_type.len() + self.detail.len()
    }

    pub(crate) fn to_request(&self, bus: Option<&str>) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .source(self.source.as_ref())
            .detail_type(self.detail_type.as_ref())
            .detail(&self.detail)
            .set_event_bus_name(bus.map(str::to_owned))
            .build()
    }
}

impl AsRef<BusEntry> for BusEntry {
    fn as_ref(&self) -> &BusEntry {
        self
    }
}
