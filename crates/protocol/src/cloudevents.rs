use serde::Serialize;

use crate::server::EventBody;
use crate::{ChangeType, EntityChange};

/// The CloudEvents 1.0 JSON event format, structured mode:
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.
#[derive(Serialize)]
pub(crate) struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    change_type: ChangeType,
    subject: &'a str,
    time: &'a str,
    datacontenttype: &'static str,
    data: EventBody<'a>,
}

impl<'a> CloudEvent<'a> {
    pub(crate) fn new(id: &'a str, time: &'a str, change: &'a EntityChange, data: EventBody<'a>) -> Self {
        Self {
            specversion: "1.0",
            id,
            source: format!("/tenants/{}", change.tenant),
            change_type: change.change_type,
            subject: &change.entity_id,
            time,
            datacontenttype: "application/json",
            data,
        }
    }
}
